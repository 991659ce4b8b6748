"""The shop on a free port, and an issuer that signs whatever a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.sandbox.shop import SampleApi
from bot.sandbox.tenant.keys import Signer

AUDIENCE = "https://shop.example.com"


class Issuer:
    """Publishes its keys, counts how often they are fetched, and mints tokens; `away` makes it fail."""

    def __init__(self, clock: Any) -> None:
        self.signer = Signer()
        self.signer.rotate()
        self.clock = clock
        self.fetches = 0
        self.away = False
        self.name = ""

    async def keys(self, _: web.Request) -> web.Response:
        """The JWK Set."""
        self.fetches += 1
        return web.Response(status=503) if self.away else web.json_response(self.signer.published())

    def token(
        self, scope: str = "orders:read", *, typ: str = "JWT", signer: Signer | None = None, **claims: Any
    ) -> str:
        """A good token of Ada's, but for what the keywords say; None leaves a claim out."""
        now = int(self.clock().timestamp())
        whole = {
            "iss": self.name,
            "sub": "auth0|ada",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 60,
            "scope": scope,
            "jti": "the-jti",
        } | claims
        return (signer or self.signer).sign({n: v for n, v in whole.items() if v is not None}, typ)


@pytest.fixture
async def issuer(clock: Any) -> AsyncIterator[Issuer]:
    """The issuer that the shop trusts."""
    one, server = Issuer(clock), web.Application()
    server.router.add_get("/.well-known/jwks.json", one.keys)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.name = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield one
    await runner.cleanup()


@pytest.fixture
async def shop(issuer: Issuer, tmp_path: Path, clock: Any) -> AsyncIterator[SampleApi]:
    """The shop on its first day."""
    one = SampleApi(tmp_path / "shop", issuer=issuer.name, audience=AUDIENCE, clock=clock)
    await one.start()
    yield one
    await one.stop()


class Caller:
    """Calls the shop under a token."""

    def __init__(self, shop: SampleApi, issuer: Issuer, http: aiohttp.ClientSession) -> None:
        self.shop = shop
        self.issuer = issuer
        self.http = http

    async def __call__(
        self, method: str, path: str, token: str | None = None, *, body: object = None, **headers: str
    ) -> tuple[int, dict[str, Any], str]:
        """Status, body, and the `WWW-Authenticate` of the answer. Underscores in headers become dashes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        async with self.http.request(method, self.shop.url + path, json=body, headers=sent) as answer:
            return answer.status, await answer.json(), answer.headers.get("WWW-Authenticate", "")

    async def refund(
        self, order: str, amount: object, key: str | None = None, **more: Any
    ) -> tuple[int, dict[str, Any]]:
        """Refund as Ada, or as `sub`."""
        token = self.issuer.token("orders:refund", **({"sub": more.pop("sub")} if "sub" in more else {}))
        headers = {} if key is None else {"Idempotency_Key": key}
        status, body, _ = await self(
            "POST", f"/orders/{order}/refund", token, body={"amount": amount} | more, **headers
        )
        return status, body


@pytest.fixture
async def call(shop: SampleApi, issuer: Issuer) -> AsyncIterator[Caller]:
    """Somebody who calls."""
    async with aiohttp.ClientSession() as http:
        yield Caller(shop, issuer, http)
