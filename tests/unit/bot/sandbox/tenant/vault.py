"""A tenant at which accounts of Almanac's can be connected, and an application that does so by hand."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from bot.sandbox.almanac import Almanac
from bot.sandbox.tenant import Browser

CONNECTED = "http://127.0.0.1:8300/oauth/connected"
VERIFIER = "w" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SCOPES = "create:me:connected_accounts read:me:connected_accounts delete:me:connected_accounts"
GRANT = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"
ISSUED = "http://auth0.com/oauth/token-type/federated-connection-access-token"

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed in at the application: their refresh token, and one for the My Account API."""

    name: str
    refresh: str
    me: str


@dataclass(frozen=True, slots=True)
class VaultApp:
    """The application. Every keyword replaces one member of its request; None leaves it out."""

    app: Any
    almanac: Almanac

    @property
    def tenant(self) -> Any:
        """Where it is registered."""
        return self.app.tenant

    async def signs_in(self, name: str = "ada", scope: str = SCOPES) -> Person:
        """A login, and an access token for the My Account API out of its refresh token."""
        tokens = await self.app.tokens(name)
        audience = f"{self.tenant.issuer}me/"
        status, given = await self.app.refresh(tokens["refresh_token"], audience=audience, scope=scope)
        assert status == 200, given
        assert "refresh_token" not in given or self.tenant.application.rotation
        return Person(name, given.get("refresh_token", tokens["refresh_token"]), given["access_token"])

    async def ask(self, person: Person, **changes: Any) -> Answer:
        """Begin to connect."""
        body = {
            "connection": "almanac",
            "redirect_uri": CONNECTED,
            "state": "the state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "scopes": ["events:read", "events:write"],
        } | changes
        return await self.me("POST", "connect", person.me, body)

    async def link(self, person: Person, **changes: Any) -> tuple[str, str]:
        """The session of a request that was granted, and where the browser goes for it."""
        status, given = await self.ask(person, **changes)
        assert status == 201, given
        return given["auth_session"], f"{given['connect_uri']}?ticket={given['connect_params']['ticket']}"

    async def agrees(self, link: str, account: str = "ada", **how: Any) -> dict[str, str]:
        """Follow the link in a new browser and agree; the parameters with which the browser comes back."""
        async with Browser() as browser:
            address = await browser.connect(link, account, **how)
        assert address.startswith(f"{CONNECTED}?"), address
        return dict(parse_qsl(urlsplit(address).query))

    async def complete(self, person: Person, session: str, code: str, **changes: Any) -> Answer:
        """End to connect."""
        body = {
            "auth_session": session,
            "connect_code": code,
            "redirect_uri": CONNECTED,
            "code_verifier": VERIFIER,
        } | changes
        return await self.me("POST", "complete", person.me, body)

    async def connects(self, person: Person, account: str | None = None, **changes: Any) -> dict[str, Any]:
        """The whole way."""
        session, link = await self.link(person, **changes)
        back = await self.agrees(link, account or person.name)
        status, given = await self.complete(person, session, back["connect_code"])
        assert status == 201, given
        return given

    async def exchange(self, token: str, **changes: str | None) -> Answer:
        """A refresh token for Almanac's access token."""
        form: dict[str, str | None] = {
            "grant_type": GRANT,
            "subject_token": token,
            "subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token",
            "requested_token_type": ISSUED,
            "connection": "almanac",
        }
        answer: Answer = await self.app.post("oauth/token", **form | changes)
        return answer

    async def me(self, method: str, path: str, token: str | None, body: Any = None) -> Answer:
        """A call of the My Account API; members that are None are left out of the body."""
        sent = {name: value for name, value in body.items() if value is not None} if isinstance(body, dict) else body
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"{self.tenant.issuer}me/v1/connected-accounts/{path}"
        async with self.app.http.request(method, url, json=sent, headers=headers) as answer:
            return answer.status, {} if answer.status == 204 else await answer.json()

    async def events(self, token: str) -> tuple[int, dict[str, Any]]:
        """Almanac's events under a token."""
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(f"{self.almanac.url}/events") as answer,
        ):
            return answer.status, await answer.json()
