"""Almanac on a free port, and a client of it that does by hand what a tenant would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest

from bot.sandbox.almanac import Almanac
from bot.sandbox.tenant import Browser

CLIENT, SECRET = "the tenant", "s3cret & more"
CALLBACK = "http://127.0.0.1:8302/login/callback"


class Client:
    """The client. Every keyword replaces one parameter of its request; None leaves it out."""

    def __init__(self, almanac: Almanac, http: aiohttp.ClientSession) -> None:
        self.almanac = almanac
        self.http = http

    def url(self, **changes: str | None) -> str:
        """An authorization request."""
        query = {
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "events:read events:write",
            "state": "the state",
        } | changes
        return f"{self.almanac.url}/oauth/authorize?" + urlencode({n: v for n, v in query.items() if v is not None})

    async def agrees(self, account: str = "ada", scopes: str = "events:read events:write") -> dict[str, str]:
        """Somebody agrees to these scopes; the parameters with which their browser comes back."""
        ticked = {f"scope {scope}": "on" for scope in scopes.split()}
        async with Browser() as browser:
            address, _, _ = await browser.submit(self.url(), person=account, action="accept", **ticked)
        assert address.startswith(f"{CALLBACK}?"), address
        return dict(parse_qsl(urlsplit(address).query))

    async def post(self, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """A form for the token endpoint, under the client's secret."""
        form = {"client_id": CLIENT, "client_secret": SECRET} | changes
        sent = {name: value for name, value in form.items() if value is not None}
        async with self.http.post(f"{self.almanac.url}/oauth/token", data=sent) as answer:
            return answer.status, await answer.json()

    async def exchange(self, code: str, /, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """A code for tokens."""
        form: dict[str, str | None] = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return await self.post(**form | changes)

    async def tokens(self, account: str = "ada", scopes: str = "events:read events:write") -> dict[str, Any]:
        """The whole way."""
        status, given = await self.exchange((await self.agrees(account, scopes))["code"])
        assert status == 200, given
        return given

    async def call(
        self, method: str, path: str, token: str | None = None, body: object = None, **headers: str
    ) -> tuple[int, dict[str, Any], str]:
        """Status, body, and the `WWW-Authenticate` of the answer. Underscores in headers become dashes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        async with self.http.request(method, self.almanac.url + path, json=body, headers=sent) as answer:
            return answer.status, await answer.json(), answer.headers.get("WWW-Authenticate", "")


@pytest.fixture
async def almanac_at(tmp_path: Path, clock: Any) -> AsyncIterator[Any]:
    """Starts Almanac, also again: all of them share one directory."""
    running: list[Almanac] = []

    async def made(**settings: Any) -> Almanac:
        usual = {"client_id": CLIENT, "client_secret": SECRET, "redirect_uris": (CALLBACK,), "clock": clock}
        one = Almanac(tmp_path / "almanac", **usual | settings)
        await one.start()
        running.append(one)
        return one

    yield made
    for one in running:
        await one.stop()


@pytest.fixture
async def almanac(almanac_at: Any) -> Almanac:
    """Almanac on its first day."""
    one: Almanac = await almanac_at()
    return one


@pytest.fixture
async def client(almanac: Almanac) -> AsyncIterator[Client]:
    """The client that is registered there."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Client(almanac, http)
