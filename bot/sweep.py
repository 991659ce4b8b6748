"""The round that every replica makes every few seconds: it picks up what a dead one left, and says what is unsaid."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from bot.approvals.model import Approval, State
from bot.approvals.ports import ApprovalStore
from bot.approvals.service import ApprovalService
from bot.approvals.states import Step, due, due_at
from oauth import Clock

log = structlog.get_logger(__name__)

_AT_ONCE = 8
_Work = Callable[[Approval], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Sweep:
    """One round over all that is unsettled. `resume`, `left_behind` and `poll` are the runner's:
    only it executes."""

    store: ApprovalStore
    approvals: ApprovalService
    clock: Clock
    ended: Callable[[], Awaitable[None]]
    resume: _Work
    left_behind: _Work
    poll: _Work

    async def __call__(self) -> None:
        """See to each request, a few side by side. What fails for one is logged and keeps no other waiting."""
        await self.ended()
        gate = asyncio.Semaphore(_AT_ONCE)
        steps: set[asyncio.Task[None]] = set()
        try:
            async for approval, lease_until in self.store.unsettled(self.clock()):
                await gate.acquire()
                step = asyncio.create_task(self._step(approval, lease_until, gate))
                steps.add(step)
                step.add_done_callback(steps.discard)
        finally:
            if steps:
                await asyncio.wait(steps)

    async def _step(self, approval: Approval, lease_until: datetime | None, gate: asyncio.Semaphore) -> None:
        try:
            await self._see_to(approval, lease_until)
        except Exception as error:
            log.error("step_failed", approval=approval.id, kind=type(error).__name__)
        finally:
            gate.release()

    async def _see_to(self, approval: Approval, lease_until: datetime | None) -> None:
        match due(approval, lease_until, self.clock()):
            case Step.DISCARD:
                await self.approvals.cancel(approval, approval.state, "seal_broken")
            case Step.EXPIRE:
                await self.approvals.expire(approval)
            case Step.TOO_LATE:
                await self.approvals.cancel(approval, State.APPROVED, "too_late")
            case Step.RECORD:
                completed = await self.approvals.complete(approval)
                if completed.audited:
                    await self._see_to(completed, lease_until)
                else:
                    await self.approvals.speak(approval)
            case Step.POLL:
                await self.poll(approval)
            case Step.REMIND:
                await self.approvals.remind(approval)
            case Step.RESUME:
                await self.resume(approval)
            case Step.LEFT_BEHIND:
                await self.left_behind(approval)
            case Step.SPEAK:
                await self.approvals.speak(approval)
            case Step.REST:
                await self.store.put_off(approval, due_at(approval, self.clock()))
