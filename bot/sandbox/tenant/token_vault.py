"""The Token Vault grant: a refresh token of ours for a third party's access token ("Refresh Token Exchange with Token
Vault").

Auth0's documents name the status of one refusal, 401 where no account of the connection is found, and the error
`federated_connection_refresh_token_not_found` is what its clients see then; `…_flow_failed` is what they see where the
third party refuses a refresh. What Auth0 answers to an application whose refresh tokens rotate is written nowhere, only
that rotation is not supported: here it is the error of RFC 6749 section 5.2 for a client that may not use a grant. Nor
is it written what happens while the third party is away; here that is 503, so that a client can tell it from a refusal.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .accounts import ConnectedAccount
from .clients import Fields
from .connections import ThirdParty, ThirdPartyAway, ThirdPartyRefused, ThirdPartyTokens
from .model import Refusal
from .tenant import Tenant
from .tokens import Tokens, needed

GRANT = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"
REFRESH_TOKEN = "urn:ietf:params:oauth:token-type:refresh_token"
ISSUED = "http://auth0.com/oauth/token-type/federated-connection-access-token"


@dataclass
class TokenVaultGrant:
    """Joins the token endpoint's table, where there are third parties. Counts what it is asked, also in vain."""

    tenant: Tenant
    tokens: Tokens
    parties: Mapping[str, ThirdParty]
    calls: int = 0
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def __post_init__(self) -> None:
        if self.parties:
            self.tokens.grants[GRANT] = self.exchange

    async def exchange(self, fields: Fields) -> dict[str, Any]:
        """The third party's access token, refreshed there if it is over. Raises Refusal."""
        self.calls += 1
        names = ("subject_token", "subject_token_type", "requested_token_type", "connection")
        token, kind, wanted, connection = (needed(fields, name) for name in names)
        if kind != REFRESH_TOKEN:
            raise Refusal(400, "invalid_request", "subject_token_type must be that of a refresh token")
        if wanted != ISSUED:
            raise Refusal(400, "invalid_request", "requested_token_type is not supported")
        if self.tenant.application.rotation:
            words = "Token Vault does not support refresh token rotation: disable it for the application"
            raise Refusal(403, "unauthorized_client", words)
        family = self.tokens.subject(token)
        person = self.tenant.member(family.person, family.organization)
        tokens = await self._good(self._account(person.id, connection, fields.get("login_hint")))
        return {
            "access_token": tokens.access_token,
            "scope": " ".join(tokens.scopes),
            "expires_in": int((tokens.expires_at - self.tenant.state.clock()).total_seconds()),
            "issued_token_type": ISSUED,
            "token_type": "Bearer",
        }

    def _account(self, person: str, connection: str, login_hint: str | None) -> ConnectedAccount:
        """The one that is meant: with a hint, which is an id at the third party, that one; else the newest."""
        found = self.tenant.state.accounts.of(person, connection)
        if login_hint:
            found = [one for one in found if one.account == login_hint]
        if not found or connection not in self.parties:
            raise _not_found()
        return found[-1]

    async def _good(self, account: ConnectedAccount) -> ThirdPartyTokens:
        """Its tokens, of which the access token is not over. One refresh at a time for each account."""
        state = self.tenant.state
        async with self._locks[account.id]:
            if account.tokens.refresh_token is None:
                raise _not_found()
            if state.clock() < account.tokens.expires_at:
                return account.tokens
            try:
                fresh = await self.parties[account.connection].refresh(account.tokens)
            except ThirdPartyRefused:
                words = "Refresh Token flow for the Federated Connection failed"
                raise Refusal(401, "federated_connection_refresh_token_flow_failed", words) from None
            except ThirdPartyAway:
                raise Refusal(503, "temporarily_unavailable", "The connection does not answer") from None
            if not state.accounts.holds(account):
                raise _not_found()  # disconnected, or connected anew, while the third party was asked
            account.tokens = replace(fresh, scopes=fresh.scopes or account.tokens.scopes)
            state.changed()
            return account.tokens


def _not_found() -> Refusal:
    words = "Federated connection Refresh Token not found."
    return Refusal(401, "federated_connection_refresh_token_not_found", words)
