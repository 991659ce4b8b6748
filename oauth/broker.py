"""A valid token for this principal, these scopes and this audience, or an error. Nothing else hands out tokens."""

from __future__ import annotations

import asyncio
import random

from oauth.errors import NotLinked, ProviderUnavailable, ScopeRefused, SealBroken
from oauth.models import AccessToken, LinkEvent, LinkObserver, Principal
from oauth.ports import LinkStore
from oauth.refreshing import LEASE, Refresher
from oauth.shelf import Shelf

_WAITS = 400
_Renewal = asyncio.Task[AccessToken | None]


class Broker:
    """Hands out access tokens narrowed to what one call needs."""

    def __init__(self, *, store: LinkStore, shelf: Shelf, refresher: Refresher, observer: LinkObserver) -> None:
        self._store = store
        self._shelf = shelf
        self._refresher = refresher
        self._observer = observer
        self._under_way: dict[str, _Renewal] = {}

    async def token(
        self, principal: Principal, scopes: frozenset[str], audience: str, fresh_for: float = 0.0
    ) -> AccessToken:
        """A token that is good for `fresh_for` seconds and the margin more; one read where one is at hand.

        Raises NotLinked if the link is not the principal's any more, ScopeRefused, GrantDead, TokenInvalid,
        ProviderUnavailable, StoreUnavailable or SealBroken.
        """
        key = principal.slack.key
        for _ in range(_WAITS):
            link = await self._store.link(principal.slack)
            if link is None or link.principal.version != principal.version:
                raise NotLinked
            missing = scopes - link.principal.scopes
            if missing:
                raise ScopeRefused(missing)
            try:
                kept = self._shelf.find(link, scopes, audience, fresh_for)
            except SealBroken as broken:
                refused = LinkEvent(
                    "token.refused", "denied", principal.slack, principal.identity, broken.code, principal=principal
                )
                await self._observer.record(refused)
                raise
            if kept is not None:
                return kept
            ahead = self._under_way.get(key)
            if ahead is not None:
                await asyncio.wait({ahead})
                _share_outage(ahead)
                continue
            # The caller may go away, but between the provider's answer and our save nothing may be cancelled: the
            # old token is spent by then, and the new one is in this process alone.
            given = await asyncio.shield(self._renewal(principal, scopes, audience, fresh_for))
            if given is not None:
                return given
            await asyncio.sleep(random.uniform(0.02, 0.06))  # noqa: S311 - jitter, not a secret
        raise ProviderUnavailable

    async def close(self) -> None:
        """Wait for refreshes under way: a cancelled one could lose the grant."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=LEASE.total_seconds())

    def _renewal(self, principal: Principal, scopes: frozenset[str], audience: str, fresh_for: float) -> _Renewal:
        key = principal.slack.key
        task = asyncio.create_task(self._refresher.refresh(principal, scopes, audience, fresh_for))
        self._under_way[key] = task

        def over(done: _Renewal) -> None:
            del self._under_way[key]
            if not done.cancelled():
                done.exception()  # looked at, even where the caller has gone away

        task.add_done_callback(over)
        return task


def _share_outage(ahead: _Renewal) -> None:
    """What kept the one ahead from the provider keeps those behind it too; each trying in turn would take ages."""
    error = None if ahead.cancelled() else ahead.exception()
    if isinstance(error, ProviderUnavailable):
        raise ProviderUnavailable(error.retry_after)
