"""A provider in memory that takes one-time codes, as strict as Auth0: the newest code, once, in time, three guesses."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oauth.errors import LoginRefused, ProviderUnavailable
from oauth.models import TokenSet
from tests.fakes.house import ADA_MAIL, BOB_MAIL, EVE_MAIL
from tests.fakes.provider import AUDIENCE, CLIENT_ID, IDENTITY, ISSUER, SCOPES, FakeProvider, Grant, sign

MINUTES = 3
GUESSES = 3


@dataclass
class _Code:
    value: str
    until: datetime
    guesses: int = 0


@dataclass
class FakePasswordless(FakeProvider):
    """As `Passwordless`. Only `accounts` get mail, `second_factor` is asked of some, `away_to_send` is an outage."""

    accounts: set[str] = field(default_factory=lambda: {ADA_MAIL, BOB_MAIL, EVE_MAIL})
    second_factor: set[str] = field(default_factory=set)
    away_to_send: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    tried: list[tuple[str, str, str | None]] = field(default_factory=list)
    mails: list[tuple[str, str]] = field(default_factory=list)
    _newest: dict[str, _Code] = field(default_factory=dict)

    async def send_code(self, address: str, *, ip: str | None) -> None:
        """Send a code; of an address that has no account nothing is told."""
        await asyncio.sleep(0)
        self.asked.append((address, ip))
        if self.away_to_send:
            raise ProviderUnavailable(7.0)
        if address.lower() in self.accounts:
            code = f"{100_000 + len(self.mails)}"
            self.mails.append((address.lower(), code))
            self._newest[address.lower()] = _Code(code, self.clock() + timedelta(minutes=MINUTES))

    async def redeem(self, address: str, code: str, *, ip: str | None) -> TokenSet:
        """Tokens for the newest code."""
        await asyncio.sleep(0)
        self.tried.append((address, code, ip))
        if self.away:
            raise ProviderUnavailable
        there = self._newest.get(address.lower())
        if there is None or there.guesses >= GUESSES or there.until <= self.clock():
            raise LoginRefused("invalid_grant")
        there.guesses += 1
        if code != there.value:
            raise LoginRefused("invalid_grant")
        del self._newest[address.lower()]
        if address.lower() in self.second_factor:
            raise LoginRefused("mfa_required")
        return await self._tokens(address.lower())

    async def _tokens(self, email: str) -> TokenSet:
        person = {"sub": f"email|{email}", "email": email, "email_verified": True, "name": email}
        grant = Grant(person, frozenset(SCOPES), current=secrets.token_urlsafe(24))
        self.grants.append(grant)
        await self._held()
        now = self.clock().timestamp()
        claims = {"iss": ISSUER, "aud": CLIENT_ID, "iat": now, "exp": now + 600, "sid": "session-1"}
        return TokenSet(
            self._access(grant, grant.scopes, AUDIENCE),
            None if "refresh_token" in self.omit else grant.current,
            None if "id_token" in self.omit else sign(claims | person | self.spoil_id),
            self.lifetime,
            grant.scopes | IDENTITY,
        )
