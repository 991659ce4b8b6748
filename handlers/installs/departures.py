"""The end of an installation: from one atomic mark on it is none, and its people's links end, whoever gets to it."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import structlog

from bot.audit.writer import AuditWriter
from bot.tasks import Tasks
from handlers.installs.records import Installed
from handlers.installs.store import MongoInstallationStore
from handlers.workspace import Installation
from oauth import Clock, Links, SlackUser

log = structlog.get_logger(__name__)

_TURN = timedelta(seconds=30)


class Departures:
    """For installations by OAuth. The mark survives a crash; the round of any replica sees to what is marked."""

    def __init__(
        self, store: MongoInstallationStore, links: Links, audit: AuditWriter, tasks: Tasks, clock: Clock
    ) -> None:
        self._store = store
        self._links = links
        self._audit = audit
        self._tasks = tasks
        self._clock = clock

    async def left(self, installed: Installation, since: datetime) -> None:
        """The bot was removed at `since`. What follows is begun at once and goes on after the ack."""
        keys = [key for key in (installed.team, installed.enterprise) if key]
        found = await self._store.find(keys)
        if found is not None and await self._store.leave(found.key, self._clock(), since):
            self._tasks.spawn(self.see_to(), "departure")

    async def see_to(self) -> None:
        """The periodic round."""
        async for left in self._store.left():
            try:
                await self._end(left)
            except Exception as error:  # the next round comes back to it
                log.warning("departure_unfinished", install=left.key, kind=type(error).__name__)

    async def _end(self, left: Installed) -> None:
        owner, now = secrets.token_hex(8), self._clock()
        if await self._store.lease(left.key, owner, now, now + _TURN) is None:
            return
        try:
            await gone(self._links, self._audit, left.here(None), team=None if left.org_wide else left.team)
            await self._store.forget(left)
        finally:  # where it failed, the next round need not wait
            await self._store.release(left.key, owner)


class OneDeparture:
    """For the one workspace of the settings: nothing is kept of it but its people."""

    def __init__(self, links: Links, audit: AuditWriter) -> None:
        self._links = links
        self._audit = audit

    async def left(self, installed: Installation, since: datetime) -> None:
        """The bot was removed."""
        await gone(self._links, self._audit, installed, team=installed.team)


async def gone(links: Links, audit: AuditWriter, installed: Installation, *, team: str | None) -> None:
    """End the links of everybody there, and the logins under way. Within an organization, those of one `team`."""
    home = installed.person("")
    await audit.append("install.removed", "ok", slack=SlackUser(home.team, "", home.enterprise))
    await links.unlink_workspace(home.workspace, "uninstalled", team=team)
