"""Servers that are not our sandbox, each a child process that ends when its standard input does."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from yarl import URL

T = TypeVar("T")
HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
OLDEST_NODE = 22
AUDIENCE = "https://orders.example.com"
SCOPES = ("orders:read", "orders:refund")
PARCELS = "https://parcels.example.com"
PARCEL_SCOPES = ("parcels:read", "parcels:send")
CLIENT_ID, CLIENT_SECRET = "countersign", "a-secret-of-the-rig-that-protects-nothing"
_PATIENCE = 30.0


@cache
def node() -> str | None:
    """A Node.js that is new enough: the one that npm installed here, or the machine's own."""
    brought = sorted(str(found) for found in MODULES.glob("node-*/bin/node"))
    for candidate in [*brought, shutil.which("node")]:
        if candidate is None:
            continue
        try:
            said = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout
        except OSError:  # brought for another system
            continue
        major = said.strip().removeprefix("v").partition(".")[0]
        if major.isdecimal() and int(major) >= OLDEST_NODE:
            return candidate
    return None


def missing() -> str | None:
    """Why these servers cannot run here, with the command that changes it; None where they can."""
    if not all((MODULES / name).is_dir() for name in ("emulate", "jose", "oidc-provider")):
        return "no node modules: npm --prefix tests/foreign ci"
    if node() is None:
        return f"no node {OLDEST_NODE} or newer: npm --prefix tests/foreign ci, or install one"
    return None


@asynccontextmanager
async def child(script: str, settings: Mapping[str, Any]) -> AsyncIterator[str]:
    """Run one of the scripts here and give the address that it prints when it is ready."""
    process = await asyncio.create_subprocess_exec(
        node() or "node",
        str(HERE / script),
        json.dumps(settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE)
        assert line, f"{script} ended before it was ready"
        yield str(json.loads(line)["url"]).replace("//localhost:", "//127.0.0.1:")
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE)
        except TimeoutError:
            process.kill()
            raise


@dataclass(frozen=True, slots=True)
class Provider:
    """The OpenID provider. `issuer` is its address, without a slash at the end."""

    issuer: str
    redirect_uri: str

    async def issued(self, sub: str | None = None) -> list[dict[str, Any]]:
        """Every answer of the token endpoint, and whether its refresh token is `live`, `spent`, `gone`, or `none`."""
        found: list[dict[str, Any]] = await got(f"{self.issuer}/rig/issued")
        return [each for each in found if sub in (None, each["sub"])]

    async def told(self) -> list[dict[str, Any]]:
        """Every `logout_token` that the client was sent and answered, and the `status` of its answer."""
        found: list[dict[str, Any]] = await got(f"{self.issuer}/rig/told")
        return found

    async def pushes(self) -> list[dict[str, Any]]:
        """What people were asked on their devices, with every parameter of the request."""
        found: list[dict[str, Any]] = await got(f"{self.issuer}/rig/pushes")
        return found

    async def answers(self, how: str) -> None:
        """Whoever was asked last answers on their device: `approved`, or anything else."""
        url = f"{self.issuer}/rig/answer"
        async with aiohttp.ClientSession() as session, session.post(url, data={"how": how}) as answer:
            assert answer.status == 200

    async def moves_everybody(self, organization: str) -> None:
        """From now on tokens say that whoever signs in, or did, is a member of this organization (`org_id`)."""
        url, form = f"{self.issuer}/rig/organization", {"to": organization}
        async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
            assert answer.status == 200

    async def active(self, refresh_token: str) -> bool:
        """What its introspection says of a refresh token, which spends nothing (RFC 7662)."""
        return bool((await self.asked("introspection_endpoint", token=refresh_token))["active"])

    async def asked(self, endpoint: str, **fields: str) -> dict[str, Any]:
        """What it answers the client at an endpoint that its discovery names."""
        metadata = await got(f"{self.issuer}/.well-known/openid-configuration")
        known = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        async with aiohttp.ClientSession() as session, session.post(metadata[endpoint], data=known | fields) as answer:
            found: dict[str, Any] = await answer.json()
            return found


@dataclass(frozen=True, slots=True)
class Shop:
    """The resource server."""

    url: str

    async def calls(self, sub: str | None = None) -> list[dict[str, Any]]:
        """What it was asked under a token that it could verify."""
        found: list[dict[str, Any]] = await got(f"{self.url}/calls")
        return [each for each in found if sub in (None, each["sub"])]

    async def refunds(self) -> list[dict[str, Any]]:
        """The refunds that were carried out, whether or not anybody heard of it."""
        return [call for call in await self.calls() if call["path"].endswith("/refund") and call.get("status") != 403]

    async def reached(self, count: int) -> None:
        """Wait until so many refunds were carried out."""

        async def enough() -> bool:
            return len(await self.refunds()) >= count

        await until(enough)

    async def gate(self, *, open_: bool) -> None:
        """Closed, it does what it is told and answers nobody until it is opened."""
        async with aiohttp.ClientSession() as session, session.post(f"{self.url}/gate", json={"open": open_}) as answer:
            assert answer.status == 200


@asynccontextmanager
async def provider(
    redirect_uri: str,
    *,
    lifetime: int = 300,
    organization: str | None = None,
    apis: Mapping[str, Sequence[str]] | None = None,
    client_key: Mapping[str, Any] | None = None,
) -> AsyncIterator[Provider]:
    """A provider that knows one client and tells it of logouts; `lifetime` of access tokens in seconds.

    With `organization` its tokens say that everybody is a member of that one. A login is for `AUDIENCE`, and its
    refresh token is good for `apis` as well (audiences and their scopes). With `client_key`, a public JWK, the client
    has to sign for itself (private_key_jwt, OpenID Connect Core section 9) and the secret is of no use.
    """
    settings = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": redirect_uri,
        "backchannel_logout_uri": str(URL(redirect_uri).with_path("/oauth/backchannel-logout")),
        "audience": AUDIENCE,
        "scopes": SCOPES,
        "lifetime": lifetime,
        "organization": organization,
        "apis": apis or {},
        "client_key": client_key,
    }
    async with child("provider.mjs", settings) as url:
        yield Provider(url, redirect_uri)


@asynccontextmanager
async def slack_openid(
    redirect_uri: str, *, client_id: str, client_secret: str, claims: Mapping[str, Mapping[str, str]]
) -> AsyncIterator[Provider]:
    """A second provider that plays Slack's OpenID side: for the claims that it adds, by the person's name, see Slack's
    "Sign in with Slack". It has no API of its own to give access to."""
    settings = {
        "client_id": client_id,
        "client_secret": client_secret,
        "redirect_uri": redirect_uri,
        "scopes": [],
        "claims": claims,
    }
    async with child("provider.mjs", settings) as url:
        yield Provider(url, redirect_uri)


@asynccontextmanager
async def shop(issuer: str, *, audience: str = AUDIENCE, ahead: float = 0) -> AsyncIterator[Shop]:
    """A resource server that trusts this issuer, and whose clock is some seconds ahead."""
    async with child("shop.mjs", {"issuer": issuer, "audience": audience, "ahead": ahead}) as url:
        yield Shop(url)


def slack(seed: Mapping[str, Any]) -> AbstractAsyncContextManager[str]:
    """Slack's Web API with this workspace in it; its address, to which methods are added as `/api/METHOD`."""
    return child("slack.mjs", seed)


async def until(probe: Callable[[], Awaitable[T | None]], patience: float = 60.0) -> T:
    """Ask until the answer is something. Other processes tell nobody when they are done; raises TimeoutError."""
    async with asyncio.timeout(patience):
        while True:
            if found := await probe():
                return found
            await asyncio.sleep(0.02)


async def got(url: str) -> Any:
    """The JSON behind an address."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200, (url, answer.status, await answer.text())
        return await answer.json()
