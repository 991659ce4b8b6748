"""Every suspension of every task, counted; and the end of the process at one of them.

A coroutine runs without a break from one suspension to the next, so a process that dies at each of them, once before
and once after what it waits for, has died everywhere that another can tell apart.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from types import TracebackType
from typing import Any, Literal

Side = Literal["leaving", "returning"]


class Suspensions:
    """Counts from 1, in the order in which tasks give way, and tells `note` how far it has come.

    `at` is the one at which to die: when the task has asked for something and gives way (`leaving`), or when it has
    come and the task would go on (`returning`).
    """

    def __init__(self, note: Callable[[int], None], at: int | None, side: Side) -> None:
        self._note = note
        self._at = at
        self._side = side
        self._count = 0

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count all tasks that are made from now on."""
        loop.set_task_factory(self._task)

    def left(self) -> int:
        """A task gives way; the number of it."""
        self._count += 1
        self._note(self._count)
        self._die(self._count, "leaving")
        return self._count

    def back(self, number: int) -> None:
        """What the task waited for is there."""
        self._die(number, "returning")

    def _die(self, number: int, side: Side) -> None:
        if number == self._at and side == self._side:
            os.kill(os.getpid(), signal.SIGKILL)

    def _task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        context: Context | None = None,
        **more: Any,
    ) -> asyncio.Task[Any]:
        assert isinstance(work, Coroutine)
        return asyncio.Task(_Watched(work, self), loop=loop, context=context, **more)


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine whose suspensions are seen."""

    def __init__(self, work: Coroutine[Any, Any, Any], seen: Suspensions) -> None:
        self._work = work
        self._seen = seen
        self._last = 0

    def send(self, value: Any) -> Any:
        self._seen.back(self._last)
        wanted = self._work.send(value)
        self._last = self._seen.left()
        return wanted

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
    ) -> Any:
        self._seen.back(self._last)
        error = value if isinstance(value, BaseException) else kind
        wanted = self._work.throw(error.with_traceback(trace) if isinstance(error, BaseException) else error())
        self._last = self._seen.left()
        return wanted

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()
