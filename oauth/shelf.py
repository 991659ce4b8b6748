"""The access tokens that a link keeps, sealed, until their time is over: one for each audience and set of scopes."""

from __future__ import annotations

from dataclasses import replace

from oauth.models import AccessToken, Clock, Link, SealedAccess, TokenRequest, access_field
from oauth.vault import Vault

_MARGIN = 30.0
_LAST = 2.0
_MOST = 16


class Shelf:
    """Puts tokens into links and finds those that are still good."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    def find(self, link: Link, request: TokenRequest, *, margin: bool = True) -> AccessToken | None:
        """A token for exactly this, good for `fresh_for` seconds and a margin more. Raises SealBroken.

        The margin is the lesser of 30 s and a quarter of the token's lifetime, and no more than half of that is
        asked for `fresh_for`: else a short-lived token would never be good enough. While the provider is away, a
        token is used to its end: `margin=False`.
        """
        now = self._clock()
        for kept in link.access:
            if kept.audience != request.audience or kept.scopes != request.scopes:
                continue
            lifetime = (kept.expires_at - kept.issued_at).total_seconds()
            spare = min(_MARGIN, lifetime / 4) if margin else _LAST
            if (kept.expires_at - now).total_seconds() < spare + min(request.fresh_for, lifetime / 2):
                continue
            name = access_field(link.principal.version, kept.audience, kept.scopes)
            value = self._vault.open(kept.sealed, record=link.record, name=name).decode()
            return AccessToken(value, kept.audience, kept.scopes, kept.issued_at, kept.expires_at, kept.jti)
        return None

    def keep(self, link: Link, token: AccessToken | None) -> Link:
        """The link with this token in it, without what is over, under an older key, or more than a few."""
        now = self._clock()
        kept = [a for a in link.access if a.expires_at > now and self._vault.current(a.sealed)]
        if token is not None:
            kept = [a for a in kept if (a.audience, a.scopes) != (token.audience, token.scopes)]
            name = access_field(link.principal.version, token.audience, token.scopes)
            sealed = self._vault.seal(token.value.encode(), record=link.record, name=name)
            kept.append(
                SealedAccess(token.audience, token.scopes, sealed, token.issued_at, token.expires_at, token.jti)
            )
        return replace(link, access=tuple(kept[-_MOST:]))
