"""Calls that have begun: they go to their end, whoever waited for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class Begun:
    """Those of this process. `pause` is how this waits, in seconds."""

    def __init__(self, pause: Callable[[float], Awaitable[None]]) -> None:
        self._pause = pause
        self._running: set[asyncio.Task[Any]] = set()

    async def to_its_end(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """What comes of it. Broken off because whoever waited went away, its outcome would be lost."""
        return await asyncio.shield(self.start(work))

    async def for_a_while(self, work: asyncio.Task[Any], seconds: float) -> bool:
        """Wait for it no longer than that; whether it has come to its end. If not, it goes on."""
        patience = asyncio.ensure_future(self._pause(seconds))
        either: set[asyncio.Future[Any]] = {work, patience}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        patience.cancel()
        return work.done()

    async def close(self, seconds: float) -> None:
        """Wait for all of them, as long as that."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    def start(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        """It goes on from now."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits gets it; if nobody does, asyncio must not print it
