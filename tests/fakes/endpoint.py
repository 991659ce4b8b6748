"""A small provider of our own on a free port: it answers what a test tells it to, and remembers what was asked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from oauth.own_page.passwordless import Passwordless
from oauth.provider import Client
from tests.conftest import HandClock

READ = frozenset({"orders:read"})
GOOD = {"access_token": "access-1", "token_type": "Bearer", "expires_in": 300, "refresh_token": "refresh-2"}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Endpoint:
    """What answers, and what was asked of it."""

    def __init__(self) -> None:
        self.issuer = ""
        self.forms: list[dict[str, str]] = []
        self.discoveries = 0
        self.answers: list[Answer] = []
        self.discovery: dict[str, Any] = {}

    def will(self, body: object, status: int = 200, **headers: str) -> None:
        """The next answer, for anything but discovery; text as it is, anything else as JSON."""
        text = body if isinstance(body, str) else json.dumps(body)

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(text=text, status=status, content_type="application/json", headers=headers)

        self.answers.append(answer)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Any path."""
        if request.path.endswith("/.well-known/openid-configuration"):
            self.discoveries += 1
            document = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}authorize?tenant=1",
                "token_endpoint": f"{self.issuer}token",
                "revocation_endpoint": f"{self.issuer}revoke",
                "jwks_uri": f"{self.issuer}jwks",
            }
            return web.json_response(document | self.discovery)
        fields = await request.post()
        if len(fields) != len(set(fields)):
            return web.json_response({"error": "invalid_request"}, status=400)  # RFC 6749 section 3.2
        form = {name: str(value) for name, value in fields.items()}
        self.forms.append(form | {"path": request.path})
        return await self.answers.pop(0)(request)


def provider_for(endpoint: Endpoint, clock: HandClock, **more: Any) -> Passwordless:
    """Our application there."""
    timeout = more.pop("timeout", 10.0)
    known: dict[str, Any] = {
        "issuer": endpoint.issuer,
        "client_id": "client-1",
        "redirect_uri": "https://bot.example/oauth/callback",
        "audience": "https://api.example",
        "scopes": ("orders:read", "orders:refund"),
        "secret": "s3cret",
    }
    return Passwordless(Client(**(known | more)), clock, timeout=timeout)
