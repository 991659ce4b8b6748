"""Almanac's token endpoint (RFC 6749 sections 4.1.3 and 6), for the one client that it knows."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .calendars import Calendars
from .grants import Client


@dataclass
class TokenEndpoint:
    """The handler. Counts what it is asked, also in vain."""

    client: Client
    calendars: Calendars
    calls: int = 0

    def add_to(self, app: web.Application) -> None:
        """Mount the route."""
        app.router.add_post("/oauth/token", self.token)

    async def token(self, request: web.Request) -> web.Response:
        """Tokens for a code or a refresh token; the client proves itself by its secret in the form."""
        self.calls += 1
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        same = hmac.compare_digest(form.get("client_secret", "").encode(), self.client.secret.encode())
        if form.get("client_id") != self.client.client_id or not same:
            return _answered({"error": "invalid_client"}, 401)
        match form.get("grant_type"):
            case "authorization_code":
                given = self.calendars.grants.redeem(form.get("code", ""), form.get("redirect_uri", ""))
            case "refresh_token":
                given = self.calendars.grants.refresh(form.get("refresh_token", ""))
            case _:
                return _answered({"error": "unsupported_grant_type"}, 400)
        self.calendars.keeper.mark()
        return _answered({"error": "invalid_grant"}, 400) if given is None else _answered(given, 200)


def _answered(body: dict[str, Any], status: int) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})
