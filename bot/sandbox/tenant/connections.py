"""Third parties whose accounts people connect: Auth0's custom social connections, and what is asked of them.

The tenant is an ordinary OAuth client there ("Connect Apps to Generic OAuth2 Authorization Servers").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from yarl import URL

from oauth import Clock

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_UNSAID_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Connection:
    """A third party as the dashboard has it; `scopes` are those for a request that names none.

    `profile_url` stands for Auth0's "Fetch User Profile Script": under an access token it answers with the `id` of the
    account there.
    """

    name: str
    authorization_url: str
    token_url: str
    profile_url: str
    client_id: str
    secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    strategy: str = "oauth2"


@dataclass(frozen=True, slots=True)
class ThirdPartyTokens:
    """What a third party has given; without a refresh token it is good once and never again."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scopes: tuple[str, ...]
    expires_at: datetime


class ThirdPartyRefused(Exception):
    """It said no: the grant is over, or was never one."""


class ThirdPartyAway(Exception):
    """It did not answer, or not in a way that says anything."""


@dataclass(frozen=True, slots=True)
class ThirdParty:
    """The calls to one of them. All raise ThirdPartyRefused and ThirdPartyAway."""

    connection: Connection
    clock: Clock

    def consent_url(
        self, *, redirect_uri: str, state: str, scopes: Sequence[str], parameters: Mapping[str, object]
    ) -> str:
        """Where the browser goes (RFC 6749 section 4.1.1); `parameters` are passed on beside ours."""
        ours = {
            "client_id": self.connection.client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(scopes),
            "state": state,
        }
        passed_on = {name: str(value) for name, value in parameters.items()}
        return str(URL(self.connection.authorization_url, encoded=True).extend_query(passed_on | ours))

    async def redeem(self, code: str, redirect_uri: str, asked: Sequence[str]) -> ThirdPartyTokens:
        """A code for tokens; where the answer names no scopes, they are those that were asked for."""
        given = await self._tokens(grant_type="authorization_code", code=code, redirect_uri=redirect_uri)
        return self._read(given, tuple(asked), None)

    async def refresh(self, former: ThirdPartyTokens) -> ThirdPartyTokens:
        """New tokens with the same scopes; a refresh token that is not replaced stays in use."""
        given = await self._tokens(grant_type="refresh_token", refresh_token=former.refresh_token or "")
        return self._read(given, former.scopes, former.refresh_token)

    async def account(self, access_token: str) -> str:
        """The id of the account there."""
        found = await self._answer("GET", self.connection.profile_url, {"Authorization": f"Bearer {access_token}"})
        name = found.get("id")
        if not isinstance(name, str) or not name:
            raise ThirdPartyAway
        return name

    async def _tokens(self, **form: str) -> dict[str, Any]:
        ours = {"client_id": self.connection.client_id, "client_secret": self.connection.secret}
        return await self._answer("POST", self.connection.token_url, {}, ours | form)

    async def _answer(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.request(method, url, data=form, headers=headers, allow_redirects=False) as answer,
            ):
                status, found = answer.status, await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise ThirdPartyAway from None
        if status in {400, 401, 403}:
            raise ThirdPartyRefused
        if status != 200 or not isinstance(found, dict):
            raise ThirdPartyAway
        return found

    def _read(self, given: Mapping[str, Any], scopes: tuple[str, ...], refresh_token: str | None) -> ThirdPartyTokens:
        access, renewed, scope = (given.get(name) for name in ("access_token", "refresh_token", "scope"))
        seconds = given.get("expires_in", _UNSAID_SECONDS)
        if not isinstance(access, str) or not access or not isinstance(seconds, int):
            raise ThirdPartyAway
        return ThirdPartyTokens(
            access_token=access,
            refresh_token=renewed if isinstance(renewed, str) and renewed else refresh_token,
            scopes=tuple(scope.split()) if isinstance(scope, str) else scopes,
            expires_at=self.clock() + timedelta(seconds=seconds),
        )
