"""Runs whose process is gone: nobody knows what came of them, and people and the trail are told so."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime

import structlog

from bot.audit.writer import AuditWriter
from bot.work.board import LEASE, Clock
from bot.work.model import INTERRUPTED, Outcome, Run, Running, View
from bot.work.ports import Gone, RunStore, Screen

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LeftRuns:
    """One round over what is due."""

    store: RunStore
    screen: Screen
    audit: AuditWriter
    clock: Clock

    async def __call__(self, mine: Container[str]) -> None:
        """See to each but those of this process. What fails for one is logged, and comes back later."""
        now = self.clock()
        async for run in self.store.due(now):
            if run.running.run in mine or not await self.store.take(run, now + LEASE * 2):
                continue
            try:
                await self._close(run, now)
            except Exception as error:
                log.warning("run_not_closed", run=run.running.run, kind=type(error).__name__)

    async def _close(self, run: Run, now: datetime) -> None:
        """Say how it ended, which nobody knows where it was cut off."""
        outcome, reason = run.outcome, run.reason
        if outcome is None:
            outcome, reason = Outcome.UNKNOWN, INTERRUPTED
            if not await self.store.end(run.running, outcome, reason, now + LEASE * 2):
                return
            if run.running.approval is None:  # of the others the request itself keeps how it ended
                await self._record(run.running)
        if run.place is not None:
            try:
                surface = self.screen.surface(run.running, run.place)
                await surface.show(View(stop=run.stop, outcome=outcome, reason=reason))
            except Gone:
                log.warning("nobody_to_tell", run=run.running.run)
        await self.store.told(run.running)

    async def _record(self, running: Running) -> None:
        try:
            await self.audit.append(
                "action.finished",
                "unknown",
                slack=running.requester,
                sub=running.sub,
                org=running.org,
                action=running.action,
                reason=INTERRUPTED,
                run=running.run,
            )
        except Exception as error:
            kind = type(error).__name__
            log.error("audit_lost", action=running.action, run=running.run, outcome="unknown", kind=kind)
