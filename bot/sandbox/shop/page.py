"""The page at `/`: the orders, and who did what to them. For people of the demo; the API's tokens play no part."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2
from aiohttp import web

from .books import Books

_PAGES = Path(__file__).parent / "pages"
_SHOWN = 40
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Page:
    """The handlers, bound to what they show."""

    books: Books

    def add_to(self, app: web.Application) -> None:
        """Mount the page and its files."""
        app.router.add_get("/", self.show)
        app.router.add_get(r"/static/{name:(?:style\.css|live\.js)}", self.file)

    async def show(self, _: web.Request) -> web.StreamResponse:
        """The page, newest calls first."""
        calls = list(self.books.journal)[::-1][:_SHOWN]
        orders = list(self.books.orders.values())
        text = _templates().get_template("shop.html").render(orders=orders, calls=calls)
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Style sheet and script."""
        return web.FileResponse(_PAGES / request.match_info["name"], headers={"X-Content-Type-Options": "nosniff"})


@functools.cache
def _templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    templates.filters |= {"money": _money, "clock": _clock, "face": _face}
    return templates


def _money(cents: int, currency: str) -> str:
    sign = {"EUR": "€"}.get(currency, currency)
    return f"{sign}\N{NO-BREAK SPACE}{cents / 100:,.2f}"


def _clock(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%H:%M:%S")


def _face(sub: str) -> int:
    """One of five colours, the same for the same person."""
    return sum(sub.encode()) % 5
