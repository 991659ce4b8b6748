"""The access tokens that a link keeps, sealed, until their time is over: one for each audience and set of scopes."""

from __future__ import annotations

from dataclasses import replace

from oauth.models import AccessToken, Clock, Link, SealedAccess
from oauth.vault import Vault

_MARGIN = 30.0
_MOST = 16


class Shelf:
    """Puts tokens into links and finds those that are still good."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    def find(self, link: Link, scopes: frozenset[str], audience: str, fresh_for: float) -> AccessToken | None:
        """A token for exactly this, good for `fresh_for` seconds and a margin more. Raises SealBroken.

        The margin is the lesser of 30 s and a quarter of the token's lifetime, and no more than half of that is
        asked for `fresh_for`: else a short-lived token would never be good enough.
        """
        now = self._clock()
        for kept in link.access:
            if kept.audience != audience or kept.scopes != scopes:
                continue
            lifetime = (kept.expires_at - kept.issued_at).total_seconds()
            needed = min(_MARGIN, lifetime / 4) + min(fresh_for, lifetime / 2)
            if (kept.expires_at - now).total_seconds() < needed:
                continue
            value = self._vault.open(kept.sealed, record=_record(link), name="access").decode()
            return AccessToken(value, audience, scopes, kept.issued_at, kept.expires_at, kept.jti)
        return None

    def keep(self, link: Link, token: AccessToken | None) -> Link:
        """The link with this token in it, without what is over, under an older key, or more than a few."""
        now = self._clock()
        kept = [a for a in link.access if a.expires_at > now and self._vault.current(a.sealed)]
        if token is not None:
            kept = [a for a in kept if (a.audience, a.scopes) != (token.audience, token.scopes)]
            sealed = self._vault.seal(token.value.encode(), record=_record(link), name="access")
            kept.append(
                SealedAccess(token.audience, token.scopes, sealed, token.issued_at, token.expires_at, token.jti)
            )
        return replace(link, access=tuple(kept[-_MOST:]))


def _record(link: Link) -> str:
    return f"link:{link.principal.slack.key}"
