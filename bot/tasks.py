"""Work that goes on after Slack has had its ack, and is finished before the process ends.

Slack wants an answer within three seconds (docs.slack.dev, "Acknowledging requests"); whatever takes longer
lives here, where a strong reference keeps it from being collected and shutdown waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

_DOORS, _FEW = 4, 1
_AN_ACK, _COURTESY, _BEGINNING = 0.1, 1.0, 0.1  # seconds

Work = Coroutine[Any, Any, object]
Result = TypeVar("Result")


class Tasks:
    """A set of running tasks that can be drained. A failure is logged by its type, never lost silently."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._waiting = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._doors = asyncio.Semaphore(_DOORS)

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, Result], name: str) -> asyncio.Task[Result]:
        """Start `work` now; it is awaited at shutdown."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return task

    @contextmanager
    def acking(self) -> Iterator[None]:
        """Somebody waits for an ack while this lasts.

        One that takes its time, as where Slack is asked something, does not count for long.
        """
        counts = True

        def over() -> None:
            nonlocal counts
            self._waiting -= counts
            counts = False
            if self._waiting <= _FEW:
                self._quiet.set()

        self._waiting += 1
        if self._waiting > _FEW:
            self._quiet.clear()
        timer = asyncio.get_running_loop().call_later(_AN_ACK, over)
        try:
            yield
        finally:
            timer.cancel()
            over()

    async def after_acks(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do what follows an ack once hardly anybody waits for one, and begin a few of those at a time.

        Where more comes than can be done at once, what is decided is stored and acknowledged first. Nothing waits long
        for a click that takes its time, nor for work that does.
        """
        async with self._doors:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), _COURTESY)
            task = asyncio.get_running_loop().create_task(work)
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            await asyncio.wait({task}, timeout=_BEGINNING)
        return await task

    def every(self, seconds: float, job: Callable[[], Work], name: str) -> None:
        """Run `job` every `seconds` until shutdown; one failed round does not end the next."""

        async def rounds() -> None:
            while not self._closed:
                try:
                    await job()
                except asyncio.CancelledError:
                    raise
                except Exception as error:
                    log.error("round_failed", job=name, kind=type(error).__name__)
                await asyncio.sleep(seconds)

        self.spawn(rounds(), name=f"every:{name}")

    async def drain(self, seconds: float = 25.0) -> int:
        """Wait up to `seconds` for what runs, then cancel the rest; returns how many were cancelled.

        Periodic jobs are cancelled at once: the next replica, or the next start, takes their next round.
        """
        self._closed = True
        for task in self._running:
            if task.get_name().startswith("every:"):
                task.cancel()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        # What runs may start more, such as the answer to a command, and that is awaited too.
        while (waiting := self._others()) and (left := deadline - loop.time()) > 0:
            await asyncio.wait(waiting, timeout=left)
            await asyncio.sleep(0)  # those that are done take themselves out
        late = self._others()
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)
        return len(late)

    def _others(self) -> set[asyncio.Task[Any]]:
        return {task for task in self._running if task is not asyncio.current_task()}

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            # The text of an exception can carry a payload or a token; its type and place are enough.
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            log.error(
                "task_failed",
                task=task.get_name(),
                kind=type(error).__name__,
                file=place.tb_frame.f_code.co_filename if place else None,
                line=place.tb_lineno if place else None,
            )
