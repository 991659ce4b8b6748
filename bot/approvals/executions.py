"""The life of one execution: begun once, kept alive by a lease, its outcome kept whatever the store does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from bot.approvals.model import Approval, State
from bot.approvals.ports import ApprovalStore
from oauth import Clock

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=10)
_BEAT = 2.5
_KEEPING = (0.2, 1.0, 3.0, 9.0)


@dataclass(frozen=True, slots=True)
class End:
    """How an execution ended; `reason` is a stable word, `text` is for people."""

    state: State
    text: str
    reason: str | None = None


class Executions:
    """Who executes which request, among all replicas."""

    def __init__(self, store: ApprovalStore, clock: Clock, pause: Callable[[float], Awaitable[None]]) -> None:
        """`pause` is how this waits, in seconds."""
        self._store = store
        self._clock = clock
        self._pause = pause

    async def begin(self, approval: Approval) -> Approval | None:
        """The right to execute an approved request whose entries stand, once its hold is over; None for all but one."""
        now = self._clock()
        if approval.not_before is not None and now < approval.not_before:
            return None
        return await self._store.move(
            approval, State.APPROVED, State.EXECUTING, now=now, lease_until=now + LEASE, audited_only=True
        )

    async def take_over(self, approval: Approval) -> Approval | None:
        """The right to execute once more what nobody keeps alive; None for all but one."""
        now = self._clock()
        return await self._store.move(
            approval, State.EXECUTING, State.EXECUTING, now=now, lease_until=now + LEASE, lease_over=True
        )

    @asynccontextmanager
    async def alive(self, approval: Approval) -> AsyncIterator[None]:
        """While this lasts, other replicas see that the execution goes on."""
        heart = asyncio.create_task(self._beat(approval))
        try:
            yield
        finally:
            heart.cancel()

    async def end(self, approval: Approval, end: End) -> Approval | None:
        """The request with its outcome at rest, which is known here alone: a store that is away is asked again."""
        for wait in (*_KEEPING, None):
            try:
                kept = await self._store.move(
                    approval, State.EXECUTING, end.state, now=self._clock(), result=end.text, reason=end.reason
                )
            except Exception as error:
                log.error("outcome_not_kept", approval=approval.id, run=approval.run, kind=type(error).__name__)
                if wait is not None:
                    await self._pause(wait)
                continue
            if kept is None:  # another replica took this one for dead; the trail has what really came of it
                log.error("outcome_late", approval=approval.id, run=approval.run, state=str(end.state))
            return kept
        return None

    async def _beat(self, approval: Approval) -> None:
        while True:
            await self._pause(_BEAT)
            try:
                async with asyncio.timeout(_BEAT):
                    await self._store.beat(approval, self._clock() + LEASE)
            except Exception as error:  # a heart that stops at the first missed beat would be taken for death
                log.warning("beat_missed", approval=approval.id, kind=type(error).__name__)
