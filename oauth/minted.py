"""What a refresh brought: the token if it is for whom, for what and for no more than was asked; else why not."""

from __future__ import annotations

from datetime import datetime, timedelta

from oauth.errors import AccountNotConnected, IdentityError, ScopeRefused, TokenInvalid
from oauth.models import AccessToken, Principal, TokenRequest, TokenSet
from oauth.provider import IDENTITY_SCOPES
from oauth.verify import Nonce, Verifier


class Minted:
    """Looks at tokens before anybody uses them. It returns errors: what came beside the token is saved in any case."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def token(
        self, who: Principal, request: TokenRequest, given: TokenSet, asked_at: datetime
    ) -> AccessToken | IdentityError:
        """An access token of the provider's own, for one of its APIs."""
        try:
            claims = await self._verifier.access_token(given.access_token, audience_=request.audience, sub=who.sub)
            await self._same_person(who, given)
        except IdentityError as problem:
            return problem
        granted = given.granted(claims)
        if request.scopes - granted:
            return ScopeRefused(request.scopes - granted)
        # A provider may repeat the identity scopes of the login; they open nothing at an API.
        if granted - request.scopes - frozenset(IDENTITY_SCOPES):
            return TokenInvalid("scope")
        jti = claims.get("jti") if claims is not None else None
        return _token(request, given, asked_at, jti if isinstance(jti, str) else None)

    def connected(
        self, connection: str, request: TokenRequest, given: TokenSet, asked_at: datetime
    ) -> AccessToken | IdentityError:
        """A third party's token: opaque to us, and as wide as the person has agreed to there."""
        if request.scopes - given.scopes:
            return AccountNotConnected(connection, request.scopes)
        return _token(request, given, asked_at, None)

    async def _same_person(self, who: Principal, given: TokenSet) -> None:
        """An ID token that comes with a refresh is of the same person (OpenID Connect Core section 12.2)."""
        if given.id_token is None:
            return
        signed_in = await self._verifier.id_token(given.id_token, nonce=Nonce.LONG_AGO)
        if signed_in.identity.sub != who.sub:
            raise TokenInvalid("sub")


def _token(request: TokenRequest, given: TokenSet, asked_at: datetime, jti: str | None) -> AccessToken:
    expires_at = asked_at + timedelta(seconds=given.expires_in)
    return AccessToken(given.access_token, request.audience, request.scopes, asked_at, expires_at, jti)
