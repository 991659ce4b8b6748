"""A login at the provider: how it begins in a browser, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from oauth import tickets
from oauth.errors import LoginRefused, StateUnknown, TokenInvalid
from oauth.grants import Grant, Revoker
from oauth.models import TokenSet
from oauth.provider import Provider
from oauth.relying_party import RelyingParty
from oauth.tickets import Ticket
from oauth.vault import Vault
from oauth.verify import Nonce, Verifier


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what to remember until it comes back."""

    url: str
    state: str = field(repr=False)
    sealed: str = field(repr=False)


class Logins:
    """Authorization code flow with PKCE, for one audience and one set of scopes."""

    def __init__(
        self,
        *,
        vault: Vault,
        provider: Provider,
        verifier: Verifier,
        revoker: Revoker,
        audience: str,
        scopes: tuple[str, ...],
    ) -> None:
        self._vault = vault
        self._provider = provider
        self._verifier = verifier
        self._revoker = revoker
        self._audience = audience
        self._scopes = frozenset(scopes)

    async def begin(self, ticket: Ticket, login_hint: str | None = None) -> Begun:
        """A login with secrets of its own, for the address in Slack or for another. Raises ProviderUnavailable."""
        state, nonce, verifier = tickets.new_secret(), tickets.new_secret(), tickets.new_secret()
        url = await self._provider.authorize_url(
            state=state, nonce=nonce, verifier=verifier, login_hint=login_hint or ticket.profile.email
        )
        sealed = self._vault.seal(json.dumps([nonce, verifier]).encode(), record=ticket.record, name="login")
        return Begun(url, state, sealed)

    async def finish(
        self, ticket: Ticket, *, code: str | None, error: str | None, iss: str | None
    ) -> tuple[Grant, bool]:
        """Exchange and verify; the grant, and whether the provider vouches for its e-mail. Raises IdentityError."""
        code = await code_of(self._provider, self._verifier.issuer, code=code, error=error, iss=iss)
        if ticket.sealed_login is None:
            raise StateUnknown
        nonce, verifier = json.loads(self._vault.open(ticket.sealed_login, record=ticket.record, name="login"))
        return await self.accepted(await self._provider.exchange(code=code, verifier=verifier), nonce=nonce)

    async def accepted(self, given: TokenSet, *, nonce: str | Nonce) -> tuple[Grant, bool]:
        """Verify what a login brought; all as `finish`. What does not hold is revoked."""
        try:
            if given.id_token is None:
                raise TokenInvalid("id_token")
            if given.refresh_token is None:
                raise TokenInvalid("refresh_token")
            signed_in = await self._verifier.id_token(given.id_token, nonce=nonce)
            identity = signed_in.identity
            claims = await self._verifier.access_token(given.access_token, audience_=self._audience, sub=identity.sub)
        except Exception:
            await self._revoker.discard(given.refresh_token)
            raise
        granted = given.granted(claims) & self._scopes
        return Grant(identity, given.refresh_token, granted, signed_in.sid), signed_in.email_verified


async def code_of(party: RelyingParty, issuer: str, *, code: str | None, error: str | None, iss: str | None) -> str:
    """The code in an answer to an authorization request. Raises TokenInvalid, LoginRefused or ProviderUnavailable.

    RFC 9207 section 2.4: `iss` is compared where it is sent, and missed where it was announced.
    """
    announced = await party.answers_with_issuer()
    if (announced or iss is not None) and iss != issuer:
        raise TokenInvalid("iss")
    if error is not None or code is None:
        raise LoginRefused(error or "no_code")
    return code
