"""Waiting that ends when a test says so: nobody sleeps, and whoever waits wakes in order."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import datetime, timedelta

from tests.conftest import HandClock


class HandTime:
    """A `pause` on a clock that is moved by hand."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self._waiting: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    async def __call__(self, seconds: float) -> None:
        """Until the clock has gone on for so long."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.clock.now + timedelta(seconds=seconds), next(self._count), done))
        await done

    async def forward(self, seconds: float) -> None:
        """Let so much time go by; everybody does what there is to do in it."""
        end = self.clock.now + timedelta(seconds=seconds)
        await settled()
        while self._waiting and self._waiting[0][0] <= end:
            at, _, done = heapq.heappop(self._waiting)
            if done.done():
                continue
            self.clock.now = max(self.clock.now, at)
            done.set_result(None)
            await settled()
        self.clock.now = end
        await settled()


async def settled() -> None:
    """Everybody has done what needs no time."""
    for _ in range(60):
        await asyncio.sleep(0)
