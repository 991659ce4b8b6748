"""The bot, put together: how it starts, what it does from time to time, and how it ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import structlog
from aiohttp import web

from bot.approvals.service import ApprovalService
from bot.audit.checkpoints import Checkpoints
from bot.errors import ConfigurationError
from bot.runner import Runner
from bot.tasks import Tasks
from handlers.connections import Reports
from handlers.installs import Installs
from handlers.socket_mode import Socket
from handlers.workspace import Workspaces
from oauth import IdentityError, IdentityRooms

log = structlog.get_logger(__name__)

_SWEEP, _REVOKE, _CHECKPOINT, _LEARN = 2.0, 30.0, 30.0, 5.0


class Indexed(Protocol):
    """A store."""

    async def ensure_indexes(self) -> None:
        """Create what is missing."""


@dataclass(frozen=True, slots=True)
class Bot:
    """The bot, put together. `web` has every route; who serves it decides on address and port."""

    web: web.Application
    tasks: Tasks
    workspaces: Workspaces
    identity: IdentityRooms
    runner: Runner
    approvals: ApprovalService
    checkpoints: Checkpoints
    stores: tuple[Indexed, ...]
    sessions: tuple[aiohttp.ClientSession, ...]
    socket: Socket | None
    installs: Installs | None
    reports: Reports | None

    async def start(self) -> None:
        """Create indexes, learn who we are, begin the periodic rounds. Raises ConfigurationError."""
        await self.identity.start()
        for store in self.stores:
            await store.ensure_indexes()
        await self.workspaces.see_to()
        if self.socket is not None:
            try:
                await self.socket.start()
            except Exception as error:  # Slack's refusals and the network's are many
                raise ConfigurationError(
                    [f"SLACK_APP_TOKEN: Slack does not open a connection with it ({type(error).__name__})."]
                ) from None
        self.tasks.every(_LEARN, self.workspaces.see_to, "workspaces")
        self.tasks.every(_LEARN, self._discover, "provider")
        if self.installs is not None:
            self.tasks.every(_SWEEP, self.installs.departures.see_to, "departures")
        if self.reports is not None:
            self.tasks.every(_LEARN, self.reports.see_to, "connections")
        self.tasks.every(_SWEEP, self.runner.sweep, "approvals")
        self.tasks.every(_SWEEP, self.runner.end_with_links, "ended links")
        self.tasks.every(_SWEEP, self.runner.end_left_runs, "left runs")
        self.tasks.every(_SWEEP, self.identity.recover, "left leases")
        self.tasks.every(_REVOKE, self.identity.sweep, "revocations")
        self.tasks.every(_CHECKPOINT, self.checkpoints.sign, "checkpoints")

    async def _discover(self) -> None:
        """Keep the provider's addresses at hand; while it is away, `/readyz` or whoever signs in says so."""
        with suppress(IdentityError):
            await self.identity.provider.metadata()

    async def stop(self) -> None:
        """Finish what was acknowledged, sign what is on record, then let go of everything."""
        if self.socket is not None:
            await self.socket.stop()
        await self.finish(25.0)
        try:
            await self.checkpoints.sign()
        except Exception as error:  # the next start signs what this one could not
            log.error("checkpoint_failed", kind=type(error).__name__)
        await self.close()

    async def finish(self, seconds: float) -> None:
        """Wait for what goes on in the background, as long as that."""
        cancelled = await self.tasks.drain(seconds)
        await self.runner.close()
        if cancelled:
            log.warning("work_cut_off", tasks=cancelled)

    async def close(self) -> None:
        """Let go of every connection."""
        await self.identity.close()
        for session in self.sessions:
            await session.close()
