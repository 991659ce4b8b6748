"""A tenant on a free port, and an application at it that does by hand what a library would."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest

from bot.sandbox.almanac import Almanac
from bot.sandbox.tenant import Browser, SandboxTenant
from tests.unit.bot.sandbox.tenant.vault import CONNECTED, VaultApp

CLIENT, SECRET = "countersign", "s3cret & more"
CALLBACK = "http://127.0.0.1:8300/oauth/callback"
AUDIENCE = "https://shop.example.com"
SCOPES = ("orders:read", "orders:refund")
WHOLE = "openid profile email offline_access orders:read orders:refund"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class App:
    """The application. Every keyword replaces one parameter of its request; None leaves it out."""

    def __init__(self, tenant: SandboxTenant, http: aiohttp.ClientSession) -> None:
        self.tenant = tenant
        self.http = http

    def url(self, **changes: str | None) -> str:
        """An authorization request."""
        query = {
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": WHOLE,
            "audience": AUDIENCE,
            "state": "the state",
            "nonce": "the nonce",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "prompt": "consent",
        } | changes
        return f"{self.tenant.issuer}authorize?" + urlencode({n: v for n, v in query.items() if v is not None})

    async def code(self, person: str = "ada", **changes: str | None) -> str:
        """Signed in and agreed, in a browser of its own, with a second factor where that is asked for."""
        factor = (lambda: str(self.tenant.phone(person)[-1].code)) if "acr_values" in changes else None
        async with Browser() as browser:
            return answer_of(await browser.sign_in(self.url(**changes), person, factor))["code"]

    async def exchange(self, code: str, /, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """A code for tokens."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return await self.post("oauth/token", **form | changes)

    async def tokens(self, person: str = "ada", **changes: str | None) -> dict[str, Any]:
        """A whole login that went well."""
        status, body = await self.exchange(await self.code(person, **changes))
        assert status == 200, body
        return body

    async def refresh(self, token: str, /, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """The next tokens."""
        return await self.post("oauth/token", grant_type="refresh_token", refresh_token=token, **changes)

    async def post(self, path: str, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """A form from the application, under its secret."""
        form = {"client_id": CLIENT, "client_secret": SECRET} | changes
        sent = {name: value for name, value in form.items() if value is not None}
        async with self.http.post(self.tenant.issuer + path, data=sent) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else {}

    async def start(
        self, email: str = "ada@example.com", /, headers: dict[str, str] | None = None, **changes: Any
    ) -> tuple[int, dict[str, Any]]:
        """Ask for a one-time code, as JSON."""
        body = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "connection": "email",
            "email": email,
            "send": "code",
        } | changes
        sent = {name: value for name, value in body.items() if value is not None}
        async with self.http.post(self.tenant.issuer + "passwordless/start", json=sent, headers=headers) as answer:
            return answer.status, await answer.json()

    async def otp(self, email: str, code: str, /, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """A one-time code for tokens."""
        form: dict[str, str | None] = {
            "grant_type": "http://auth0.com/oauth/grant-type/passwordless/otp",
            "realm": "email",
            "username": email,
            "otp": code,
            "audience": AUDIENCE,
            "scope": WHOLE,
        }
        return await self.post("oauth/token", **form | changes)

    async def by_mail(self, email: str = "ada@example.com", /, **changes: str | None) -> dict[str, Any]:
        """A whole login by a code that was sent, without a browser."""
        assert (await self.start(email))[0] == 200
        code = self.tenant.mail(email)[-1].code
        assert code is not None
        status, body = await self.otp(email, code, **changes)
        assert status == 200, body
        return body

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        """What an address shows, as JSON."""
        async with self.http.get(self.tenant.issuer + path, headers=headers) as answer:
            return answer.status, await answer.json()


def answer_of(callback: str) -> dict[str, str]:
    """The parameters with which a browser comes back."""
    assert callback.startswith(f"{CALLBACK}?"), callback
    return dict(parse_qsl(urlsplit(callback).query))


class Tenants:
    """Starts tenants and stops them all at the end."""

    def __init__(self, directory: Path, clock: Any) -> None:
        self.directory = directory
        self.clock = clock
        self.running: list[SandboxTenant] = []

    async def __call__(self, port: int = 0, **settings: Any) -> SandboxTenant:
        """A tenant with our application; keywords are its further settings."""
        usual = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "audience": AUDIENCE,
            "scopes": SCOPES,
            "redirect_uris": (CALLBACK,),
            "clock": self.clock,
        }
        tenant = SandboxTenant(self.directory, **usual | settings)
        await tenant.start(port=port)
        self.running.append(tenant)
        return tenant

    async def stop(self, tenant: SandboxTenant) -> None:
        """Stop one of them."""
        self.running.remove(tenant)
        await tenant.stop()


@pytest.fixture
async def tenants(tmp_path: Path, clock: Any) -> AsyncIterator[Tenants]:
    """For tests that need other settings, or a restart; all share one directory."""
    them = Tenants(tmp_path / secrets.token_hex(4), clock)
    yield them
    for tenant in list(them.running):
        await them.stop(tenant)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections without cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def tenant(tenants: Tenants) -> SandboxTenant:
    """A tenant with Auth0's own defaults."""
    return await tenants()


@pytest.fixture
def app(tenant: SandboxTenant, http: aiohttp.ClientSession) -> App:
    """The application that is registered at `tenant`."""
    return App(tenant, http)


@pytest.fixture
def app_at(http: aiohttp.ClientSession) -> Any:
    """The application at another tenant."""
    return lambda tenant: App(tenant, http)


@pytest.fixture
def claims_of() -> Any:
    """What a token says, unverified, and its header: `claims, header = claims_of(token)`."""

    def read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        header, payload, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
        return json.loads(payload), json.loads(header)

    return read


@pytest.fixture
def came_back() -> Any:
    """The parameters with which a browser comes back."""
    return answer_of


@pytest.fixture
async def almanac(tmp_path: Path, clock: Any) -> AsyncIterator[Almanac]:
    """A third party with a client of its own."""
    one = Almanac(tmp_path / "almanac", client_id="the tenant", client_secret="at almanac", clock=clock)
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def vault_at(tenants: Tenants, almanac: Almanac, http: aiohttp.ClientSession) -> Any:
    """A tenant at which Almanac's accounts can be connected; keywords are its further settings."""

    async def made(**settings: Any) -> VaultApp:
        usual = {"connections": (almanac.connection(),), "redirect_uris": (CALLBACK, CONNECTED), "rotation": False}
        tenant = await tenants(**usual | settings)
        almanac.client.redirect_uris.add(tenant.vault.callback_url)
        return VaultApp(App(tenant, http), almanac)

    return made


@pytest.fixture
async def vault(vault_at: Any) -> VaultApp:
    """The application at such a tenant."""
    made: VaultApp = await vault_at()
    return made
