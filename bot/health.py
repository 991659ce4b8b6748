"""Whether the bot lives, whether it can serve, and the public key of what it signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from bot.audit.checkpoints import Checkpoints
from bot.database import Database, alive


class Known(Protocol):
    """Knows whether the other side has told what we need of it."""

    @property
    def known(self) -> bool:
        """Whether it has, once."""


@dataclass(frozen=True, slots=True)
class Health:
    """The routes of those who watch over the bot."""

    database: Database
    workspaces: Known
    provider: Known
    checkpoints: Checkpoints

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/healthz", self.lives)
        app.router.add_get("/readyz", self.ready)
        app.router.add_get("/.well-known/jwks.json", self.keys)

    async def lives(self, _: web.Request) -> web.Response:
        """`GET /healthz`."""
        return web.json_response({"alive": True})

    async def ready(self, _: web.Request) -> web.Response:
        """`GET /readyz`: 503 names what is not there. A provider that goes away later does not end readiness."""
        problems = {}
        if not await alive(self.database):
            problems["database"] = "does not answer"
        if not self.workspaces.known:
            problems["slack"] = "has not answered auth.test yet"
        if not self.provider.known:
            problems["provider"] = "its discovery document could not be read yet"
        return web.json_response({"ready": not problems, "problems": problems}, status=503 if problems else 200)

    async def keys(self, _: web.Request) -> web.Response:
        """`GET /.well-known/jwks.json`: verifies checkpoints and receipts."""
        return web.json_response(self.checkpoints.public_keys(), headers={"Cache-Control": "public, max-age=300"})
