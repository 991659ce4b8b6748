"""A valid token for this principal, these scopes and this audience, or an error. Nothing else hands out tokens.

Auth0 revokes the whole grant when a rotated refresh token is used twice ("Refresh Token Rotation"), so one refresh
runs at a time per link, across all processes: a lease in the database, a second look after acquiring it, refresh,
save, and only then use.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from oauth.errors import GrantDead, NotLinked, ProviderUnavailable, ScopeRefused, TokenInvalid
from oauth.grants import Revoker
from oauth.models import AccessToken, Clock, Link, LinkEvent, LinkObserver, Principal, SealedAccess
from oauth.ports import LinkStore
from oauth.provider import Provider
from oauth.vault import Vault
from oauth.verify import Verifier

LEASE = timedelta(seconds=15)
_MARGIN = 30.0
_WAITS = 400


class Broker:
    """Hands out access tokens narrowed to what one call needs."""

    def __init__(
        self,
        *,
        store: LinkStore,
        vault: Vault,
        provider: Provider,
        verifier: Verifier,
        revoker: Revoker,
        observer: LinkObserver,
        clock: Clock,
    ) -> None:
        self._store = store
        self._vault = vault
        self._provider = provider
        self._verifier = verifier
        self._revoker = revoker
        self._observer = observer
        self._clock = clock
        self._refreshing: set[asyncio.Task[AccessToken]] = set()

    async def token(
        self, principal: Principal, scopes: frozenset[str], audience: str, fresh_for: float = 0.0
    ) -> AccessToken:
        """A token that is good for `fresh_for` seconds and the margin more; one read where one is at hand.

        Raises NotLinked if the link is not the principal's any more, ScopeRefused, GrantDead,
        ProviderUnavailable or SealBroken.
        """
        missing = scopes - principal.scopes
        if missing:
            raise ScopeRefused(missing)
        for _ in range(_WAITS):
            link = await self._store.link(principal.slack)
            if link is None or link.principal.version != principal.version:
                raise NotLinked
            kept = self._kept(link, scopes, audience, fresh_for)
            if kept is not None:
                return kept
            owner, now = secrets.token_hex(8), self._clock()
            leased = await self._store.lease(principal, owner, now, now + LEASE)
            if leased is not None:
                return await self._shielded(leased, owner, scopes, audience, fresh_for)
            await asyncio.sleep(random.uniform(0.02, 0.06))  # noqa: S311 - jitter, not a secret
        raise ProviderUnavailable

    async def close(self) -> None:
        """Wait for refreshes under way: a cancelled one could lose the grant."""
        if self._refreshing:
            await asyncio.wait(self._refreshing, timeout=LEASE.total_seconds())

    async def _shielded(
        self, link: Link, owner: str, scopes: frozenset[str], audience: str, fresh_for: float
    ) -> AccessToken:
        # The caller may go away, but between the provider's answer and our save nothing may be cancelled: the old
        # token is spent by then, and the new one is in this process alone.
        task = asyncio.ensure_future(self._refresh(link, owner, scopes, audience, fresh_for))
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)
        return await asyncio.shield(task)

    async def _refresh(
        self, link: Link, owner: str, scopes: frozenset[str], audience: str, fresh_for: float
    ) -> AccessToken:
        who = link.principal
        kept = self._kept(link, scopes, audience, fresh_for)
        if kept is not None:
            await self._store.release(who, owner)
            return kept
        record = f"link:{who.slack.key}"
        refresh_token = self._vault.open(link.sealed_refresh, record=record, name="refresh").decode()
        asked_at = self._clock()
        try:
            given = await self._provider.refresh(refresh_token, scopes=scopes, audience=audience)
        except GrantDead as dead:
            await self._refused(who, dead.code)
            if await self._store.remove_link(who.slack, who.version) is not None:
                await self._observer.notify(
                    LinkEvent("link.revoked", "ok", who.slack, who.identity, dead.code, principal=who)
                )
            raise
        except ProviderUnavailable as away:
            await self._store.release(who, owner)
            await self._refused(who, away.code)
            raise
        token, refused = await self._checked(
            who, given.access_token, given.scopes, scopes, audience, asked_at, given.expires_in
        )
        saved = replace(
            link,
            sealed_refresh=self._vault.seal(
                (given.refresh_token or refresh_token).encode(), record=record, name="refresh"
            ),
            access=self._others(link, scopes, audience) + ((self._sealed(token, record),) if token else ()),
        )
        if not await self._store.save(saved, owner):
            await self._revoker.discard(given.refresh_token)
            raise NotLinked
        if token is None:
            await self._refused(who, refused.code)
            raise refused
        await self._observer.record(
            LinkEvent(
                "token.refreshed", "ok", who.slack, who.identity, principal=who, scopes=scopes, token_jti=token.jti
            )
        )
        return token

    async def _checked(
        self,
        who: Principal,
        value: str,
        granted: frozenset[str],
        asked: frozenset[str],
        audience: str,
        asked_at: datetime,
        lifetime: float,
    ) -> tuple[AccessToken | None, ScopeRefused | TokenInvalid]:
        """The token if it is for whom, for what and for no more than was asked; else why not."""
        try:
            claims = await self._verifier.access_token(value, audience_=audience, sub=who.sub)
        except TokenInvalid as invalid:
            return None, invalid
        if claims is not None and isinstance(claims.get("scope"), str):
            granted = frozenset(claims["scope"].split())
        if asked - granted:
            return None, ScopeRefused(asked - granted)
        if granted - asked:
            return None, TokenInvalid("scope")
        jti = claims.get("jti") if claims is not None else None
        expires_at = asked_at + timedelta(seconds=lifetime)
        token = AccessToken(value, audience, asked, asked_at, expires_at, jti if isinstance(jti, str) else None)
        return token, TokenInvalid("none")

    def _kept(self, link: Link, scopes: frozenset[str], audience: str, fresh_for: float) -> AccessToken | None:
        now = self._clock()
        for kept in link.access:
            if kept.audience != audience or kept.scopes != scopes:
                continue
            lifetime = (kept.expires_at - kept.issued_at).total_seconds()
            margin = min(_MARGIN, lifetime / 4)
            if (kept.expires_at - now).total_seconds() < margin + min(fresh_for, lifetime / 2):
                continue
            record = f"link:{link.principal.slack.key}"
            value = self._vault.open(kept.sealed, record=record, name="access").decode()
            return AccessToken(value, audience, scopes, kept.issued_at, kept.expires_at, kept.jti)
        return None

    def _others(self, link: Link, scopes: frozenset[str], audience: str) -> tuple[SealedAccess, ...]:
        now = self._clock()
        live = [a for a in link.access if a.expires_at > now and (a.audience, a.scopes) != (audience, scopes)]
        return tuple(live[-15:])

    def _sealed(self, token: AccessToken, record: str) -> SealedAccess:
        sealed = self._vault.seal(token.value.encode(), record=record, name="access")
        return SealedAccess(token.audience, token.scopes, sealed, token.issued_at, token.expires_at, token.jti)

    async def _refused(self, who: Principal, reason: str) -> None:
        await self._observer.record(
            LinkEvent("token.refused", "failed", who.slack, who.identity, reason, principal=who)
        )
