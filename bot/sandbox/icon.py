"""The answer to a browser that asks for an icon, which it does whenever it likes: a 404 would fill its console."""

from __future__ import annotations

from aiohttp import web


def add_to(app: web.Application) -> None:
    """Mount it on a server whose pages name no icon of their own."""
    app.router.add_get("/favicon.ico", _none)


async def _none(_: web.Request) -> web.Response:
    return web.Response(status=204)
