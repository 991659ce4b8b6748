"""Somebody wants a run to end. That is kept in the database, so any replica may take the click."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.audit.writer import AuditWriter
from bot.errors import AlreadyStopping, NotYourRun, RunOver, RunUnknown
from bot.work.model import STOPPED, Person, Running, Stop
from bot.work.ports import RunStore
from bot.work.works import Works
from oauth import Principal

_RUN = re.compile(r"[0-9a-f]{1,64}")


@dataclass(frozen=True, slots=True)
class Stopping:
    """Who wants it was resolved to a live link by whoever calls."""

    store: RunStore
    works: Works
    audit: AuditWriter

    async def stop(self, who: Principal, run: str) -> Running:
        """The replica that does it ends it within a beat. Raises RunUnknown, NotYourRun, RunOver or AlreadyStopping."""
        found = await self.store.get(who.slack.workspace, run) if _RUN.fullmatch(run) else None
        running = found.running if found else self.works.going_on(who.slack.workspace, run)
        if running is None:
            raise RunUnknown
        if not running.may_stop(who):
            await self._refused(who, running)
            raise NotYourRun
        stop = Stop(STOPPED, Person(who.slack, who.sub))
        if found is not None and not await self.store.stop(running, stop):
            latest = await self.store.get(who.slack.workspace, run)
            if latest is not None and latest.outcome is not None:
                raise RunOver(str(latest.outcome))
            raise AlreadyStopping
        self.works.heed(running.run, stop)
        return running

    async def _refused(self, who: Principal, running: Running) -> None:
        await self.audit.append(
            "action.refused",
            "denied",
            slack=who.slack,
            identity=who.identity,
            reason=NotYourRun.code,
            action=running.action,
            approval=running.approval,
            run=running.run,
        )
