"""A valid token for this principal, these scopes and this audience, or an error. Nothing else hands out tokens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from oauth.errors import NotLinked, ProviderUnavailable, ScopeRefused, SealBroken
from oauth.models import AccessToken, Link, LinkEvent, LinkObserver, LinkVersion, Pause, Principal, TokenRequest
from oauth.ports import LinkStore
from oauth.refreshing import Refresher
from oauth.shelf import Shelf

_AT_THE_END = 25.0
_PATIENCE = 45.0  # as long as another process may take, its death, and our own attempt after that
_TRY_EVERY = 1.0
_A_FEW = 10
_STEP, _LATER_STEP = 0.05, 0.25
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A refresh in this process, of one version of a link; without a request it takes up what was left."""

    version: LinkVersion
    request: TokenRequest | None
    task: asyncio.Task[Any]


class Broker:
    """Hands out access tokens narrowed to what one call needs."""

    def __init__(
        self,
        *,
        store: LinkStore,
        shelf: Shelf,
        refresher: Refresher,
        observer: LinkObserver,
        audience: str,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """`audience` is the API that the login was for, whose scopes a link holds."""
        self._audience = audience
        self._store = store
        self._shelf = shelf
        self._refresher = refresher
        self._observer = observer
        self._pause = pause
        self._ahead = random.uniform(0, _LATER_STEP)  # noqa: S311 - not a secret
        self._under_way: dict[str, _UnderWay] = {}

    async def token(
        self, principal: Principal, scopes: frozenset[str], audience: str, fresh_for: float = 0.0
    ) -> AccessToken:
        """A token that is good for `fresh_for` seconds and the margin more; one read where one is at hand.

        Raises NotLinked if the link is not the principal's any more, ScopeRefused, GrantDead, TokenInvalid,
        ProviderUnavailable, StoreUnavailable or SealBroken.
        """
        return await self._given(principal, TokenRequest(audience, scopes, fresh_for))

    async def connected(
        self, principal: Principal, connection: str, scopes: frozenset[str], fresh_for: float = 0.0
    ) -> AccessToken:
        """A third party's token that the provider keeps for the person, with at least these scopes of theirs.

        Raises AccountNotConnected, and otherwise as `token` does.
        """
        return await self._given(principal, TokenRequest.of_connection(connection, scopes, fresh_for))

    async def _given(self, principal: Principal, request: TokenRequest) -> AccessToken:
        """Look, wait or refresh, until there is one. Whoever waits for another process gets its token, and no error."""
        turn = _Turn(self._pause, self._ahead)
        while not turn.over:
            link = await self._live(principal)
            if request.audience == self._audience and request.scopes - link.principal.scopes:
                raise ScopeRefused(request.scopes - link.principal.scopes)
            kept = await self._at_hand(link, request)
            if kept is not None:
                return kept
            ahead = self._under_way.get(principal.slack.key)
            if ahead is not None:
                await asyncio.wait({ahead.task})
                given = await self._shared(ahead, link, request)
                if given is not None:
                    await self._live(principal)
                    return given
                continue
            if link.lease is None or link.lease.left or turn.worth_a_try():
                # The caller may go away, but between the provider's answer and our save nothing may be cancelled: the
                # old token is spent by then, and the new one is in this process alone.
                refresh = self._refresher.refresh(principal, request, take_over=link.lease is not None)
                given = await asyncio.shield(self._begun(principal, request, refresh))
                if given is not None:
                    await self._live(principal)  # it may have ended while the refresh went on record
                    return given
            await turn.wait()
        raise ProviderUnavailable

    async def forget(self, principal: Principal, connection: str) -> None:
        """Let go of the third party's token that is kept: the person has connected an account anew.

        Whoever has the lease has read the link before that, and may save the token back, so it is looked for again
        after them. Raises StoreUnavailable.
        """
        audience = TokenRequest.of_connection(connection, frozenset()).audience
        turn = _Turn(self._pause, self._ahead)
        while not turn.over:
            await self._store.forget_access(principal, audience)
            link = await self._store.link(principal.slack)
            if link is None or (link.lease is None and all(kept.audience != audience for kept in link.access)):
                return
            await turn.wait()

    async def recover(self) -> None:
        """Take up what processes left that died over a refresh. For the periodic round of every replica.

        Raises StoreUnavailable.
        """
        left = await self._refresher.left()
        while left:
            some, left = left[:_A_FEW], left[_A_FEW:]
            free = [who for who in some if who.slack.key not in self._under_way]
            if not free:
                continue
            done, _ = await asyncio.wait([self._begun(who, None, self._refresher.recover(who)) for who in free])
            # What goes wrong with one leaves the others alone, unless it is the provider itself.
            if any(isinstance(one.exception(), ProviderUnavailable) for one in done if not one.cancelled()):
                return

    async def close(self) -> None:
        """Wait for refreshes under way: a cancelled one could lose the grant."""
        if self._under_way:
            await asyncio.wait([one.task for one in self._under_way.values()], timeout=_AT_THE_END)

    async def _live(self, principal: Principal) -> Link:
        link = await self._store.link(principal.slack)
        if link is None or link.principal.version != principal.version:
            raise NotLinked
        return link

    async def _at_hand(self, link: Link, request: TokenRequest, *, margin: bool = True) -> AccessToken | None:
        try:
            return self._shelf.find(link, request, margin=margin)
        except SealBroken as broken:
            who = link.principal
            refused = LinkEvent("token.refused", "denied", who.slack, who.identity, broken.code, principal=who)
            await self._observer.record(refused)
            raise

    async def _shared(self, ahead: _UnderWay, link: Link, request: TokenRequest) -> AccessToken | None:
        """What the one ahead got, where it asked for the same for the same link; and what kept it from the provider
        keeps us too.

        Each trying in turn would take ages. Raises ProviderUnavailable, unless there is a token to go on with.
        """
        error = None if ahead.task.cancelled() else ahead.task.exception()
        if isinstance(error, ProviderUnavailable):
            still_good = await self._at_hand(link, request, margin=False)
            if still_good is None:
                raise ProviderUnavailable(error.retry_after)
            return still_good
        same = (ahead.version, ahead.request) == (link.principal.version, request)
        given: AccessToken | None = ahead.task.result() if error is None and same else None
        return given

    def _begun(
        self, principal: Principal, request: TokenRequest | None, work: Coroutine[Any, Any, _T]
    ) -> asyncio.Task[_T]:
        key = principal.slack.key
        task = asyncio.create_task(work)
        self._under_way[key] = _UnderWay(principal.version, request, task)

        def over(done: asyncio.Task[_T]) -> None:
            del self._under_way[key]
            if not done.cancelled():
                done.exception()  # looked at, even where the caller has gone away

        task.add_done_callback(over)
        return task


class _Turn:
    """Waits while another process refreshes. It may be dead, so once a second it is worth a try.

    All who wait in this process look at the same moments, so that their reads go out as one; those of another process
    at others, so that they do not all go for the next lease together.
    """

    def __init__(self, pause: Pause, ahead: float) -> None:
        """`ahead` in seconds is by how much this process looks before the full step."""
        self._pause = pause
        self._ahead = ahead
        self._waited = 0.0
        self._tried = 0.0

    @property
    def over(self) -> bool:
        return self._waited >= _PATIENCE

    def worth_a_try(self) -> bool:
        worth = self._waited - self._tried >= _TRY_EVERY
        if worth:
            self._tried = self._waited
        return worth

    async def wait(self) -> None:
        step = _STEP if self._waited < _TRY_EVERY else _LATER_STEP
        seconds = step - (asyncio.get_running_loop().time() + self._ahead) % step
        self._waited += seconds
        await self._pause(seconds)
