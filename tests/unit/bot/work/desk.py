"""A table with everything on it that work that lasts needs; time goes by when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from bot.actions import ActionResult, Call
from bot.audit.writer import AuditWriter
from bot.work import Running, Stop, Works
from bot.work.live import LiveWork
from oauth import AccessToken, Principal
from tests.conftest import HandClock
from tests.fakes.audit import MemoryAuditStore
from tests.fakes.hand_time import HandTime
from tests.fakes.runner import AUDIT_KEY, FakeLinks, FakeTokens, person
from tests.fakes.runs import FakeScreen, MemoryRunStore

Act = Callable[[Call], Awaitable[Any]]


@dataclass
class Desk:
    """One database and one Slack, and as many replicas as are asked for. Ada, Bob and Mallory are linked."""

    clock: HandClock
    store: MemoryRunStore = field(default_factory=MemoryRunStore)
    links: FakeLinks = field(default_factory=FakeLinks)
    audit: MemoryAuditStore = field(default_factory=MemoryAuditStore)

    def __post_init__(self) -> None:
        self.time = HandTime(self.clock)
        self.screen = FakeScreen(self.clock)
        self.tokens = FakeTokens(self.links)
        self.writer = AuditWriter(self.audit, AUDIT_KEY, self.clock)
        self.ada, self.bob, self.mallory = person("ada"), person("bob"), person("mallory")
        self.links.link(self.ada, self.bob, self.mallory)
        self.works = self.replica()

    def replica(self) -> Works:
        """One more process."""
        return Works(self.store, self.screen, self.links, self.writer, self.clock, self.time)

    def running(self, run: str = "aa", who: Principal | None = None) -> Running:
        """A call of Ada's that begins now."""
        return self.works.running(who or self.ada, "copy_orders", run, None)

    def begin(
        self, act: Act, *, longest: float = 120.0, works: Works | None = None, running: Running | None = None
    ) -> asyncio.Task[tuple[ActionResult, LiveWork]]:
        """An action that does this, going on."""
        token = AccessToken("first-secret", "aud", frozenset(), self.clock(), self.clock(), "jti-1")
        mine = running or self.running()

        async def acting(work: LiveWork) -> ActionResult:
            given = await act(Call(self.ada, {}, token, mine.run, work=work))
            return given if isinstance(given, ActionResult) else ActionResult(ok=True, text=str(given))

        async def renew() -> AccessToken:
            return await self.tokens.token(self.ada, frozenset(), "aud")

        work = (works or self.works).carry_out(mine, acting, longest=longest, renew=renew, secret="first-secret")
        return asyncio.create_task(work)

    async def waits(self, seconds: float, call: Call | None = None) -> str:
        """An action that takes that long."""
        await self.time(seconds)
        return "done"


STOP = Stop("stopped")
