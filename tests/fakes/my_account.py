"""Auth0's My Account API in memory, and the login before it, as strict as the real one where that is known.

Codes and sessions work once, a session is completed in the name of who began it alone, and PKCE holds at both steps.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from oauth.accounts.errors import ConnectNotOffered, ConnectRefused
from oauth.accounts.my_account import SCOPES, Connect, audience
from oauth.errors import LoginRefused, ProviderUnavailable
from oauth.models import Clock
from tests.fakes.provider import CLIENT_ID, ISSUER, FakeProvider, sign

CONNECT = f"{ISSUER}connected-accounts/connect"


@dataclass
class _Session:
    sub: str
    asked: dict[str, Any]
    code: str | None = None


@dataclass
class FakeMyAccount:
    """As `MyAccount`. `accounts` are the scopes of what is connected, by `sub` and connection.

    `away` names the steps that do not answer; with `lost` they are carried out all the same. `refuses` is a status that
    the steps are answered with, and `hold` happens before an account is connected.
    """

    clock: Clock
    announces_iss: bool = False
    away: set[str] = field(default_factory=set)
    lost: bool = False
    refuses: dict[str, int] = field(default_factory=dict)
    hold: Callable[[], Awaitable[object]] | None = None
    spoil_id: dict[str, Any] = field(default_factory=dict)
    authorized: list[dict[str, str | None]] = field(default_factory=list)
    connects: list[dict[str, Any]] = field(default_factory=list)
    completions: int = 0
    accounts: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    _codes: dict[str, tuple[str, dict[str, str | None]]] = field(default_factory=dict)
    _sessions: dict[str, _Session] = field(default_factory=dict)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def answers_with_issuer(self) -> bool:
        """Whether callbacks of the login carry `iss`."""
        return self.announces_iss

    async def identify_url(
        self, *, state: str, nonce: str, verifier: str, login_hint: str | None, again: bool = False
    ) -> str:
        """The address of the login; what a browser would carry there is kept for `sign_in`."""
        if "authorize" in self.away:
            raise ProviderUnavailable
        self.authorized.append(
            {"state": state, "nonce": nonce, "challenge": _challenge(verifier), "login_hint": login_hint}
            | ({"prompt": "login"} if again else {})
        )
        return f"{ISSUER}authorize?scope=openid&state={state}"

    def sign_in(self, email: str) -> dict[str, str]:
        """A person signs in where the last browser was sent; what that brings back."""
        asked = self.authorized[-1]
        code = secrets.token_urlsafe(16)
        self._codes[code] = (f"auth0|{email}", asked)
        return {"state": str(asked["state"]), "code": code}

    async def id_token(self, *, code: str, verifier: str) -> str:
        """For a code, once, to who knows the verifier."""
        await asyncio.sleep(0)
        if "token" in self.away:
            raise ProviderUnavailable
        sub, asked = self._codes.pop(code, ("", {}))
        if not sub or asked["challenge"] != _challenge(verifier):
            raise LoginRefused("invalid_grant")
        now = self.clock().timestamp()
        claims = {"iss": ISSUER, "aud": CLIENT_ID, "iat": now, "exp": now + 600, "nonce": asked["nonce"], "sub": sub}
        return sign(claims | self.spoil_id)

    async def connect(
        self, token: str, *, connection: str, scopes: frozenset[str], state: str, verifier: str
    ) -> Connect:
        """A session for whoever the token is of."""
        try:
            await self._answering("connect")
        except ConnectRefused:
            raise ConnectNotOffered from None
        session, ticket = secrets.token_urlsafe(48), secrets.token_hex(8)
        asked = {"connection": connection, "scopes": scopes, "state": state, "challenge": _challenge(verifier)}
        self.connects.append(asked)
        self._sessions[session] = _Session(_person(token), asked)
        return Connect(f"{CONNECT}?ticket={ticket}", session)

    def allow(self, *, less: frozenset[str] = frozenset()) -> dict[str, str]:
        """Somebody at the third party agrees to the last request, to all but `less`; what that brings back."""
        session = list(self._sessions.values())[-1]
        session.code = secrets.token_urlsafe(32)
        session.asked["scopes"] -= less
        return {"state": session.asked["state"], "connect_code": session.code}

    def refuse(self, error: str = "access_denied") -> dict[str, str]:
        """Or does not."""
        return {"state": list(self._sessions.values())[-1].asked["state"], "error": error}

    async def complete(self, token: str, *, session: str, code: str, verifier: str) -> None:
        """The account is the person's who began."""
        self.completions += 1
        hold, self.hold = self.hold, None
        if hold is not None:
            await hold()
        if not self.lost:
            await self._answering("complete")
        found = self._sessions.pop(session, None)
        if found is None or found.code != code or found.sub != _person(token):
            raise ConnectRefused("http_400")
        if found.asked["challenge"] != _challenge(verifier):
            raise ConnectRefused("http_400")
        self.accounts[found.sub, found.asked["connection"]] = found.asked["scopes"]
        await self._answering("complete")

    async def _answering(self, step: str) -> None:
        await asyncio.sleep(0)
        if step in self.away:
            raise ProviderUnavailable
        if step in self.refuses:
            raise ConnectRefused(f"http_{self.refuses[step]}")


def multi_resource(provider: FakeProvider) -> None:
    """Let every grant reach the My Account API too, as a tenant is set up (Auth0, "Multi-Resource Refresh Token")."""
    for grant in provider.grants:
        grant.scopes |= SCOPES


def _person(token: str) -> str:
    """Whose token it is, if it is one for this API with the scope in it."""
    payload = token.split(".")[1]
    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if claims["aud"] != audience(ISSUER) or SCOPES - set(claims["scope"].split()):
        raise ConnectRefused("http_403")
    return str(claims["sub"])


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
