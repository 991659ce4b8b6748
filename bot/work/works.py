"""Every call of this replica while it goes on. One heart beats for all that last: it keeps them alive for the other
replicas, hears who wants one stopped, and ends those whose person's link has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog

from bot.actions.model import ActionResult
from bot.approvals.model import Approval
from bot.audit.writer import AuditWriter
from bot.work.board import LEASE, Board, Clock, Pause
from bot.work.left import LeftRuns
from bot.work.live import LiveWork, Renew
from bot.work.model import BLIND, INTERRUPTED, UNLINKED, Outcome, Running, Stop, View
from bot.work.ports import RunStore, Screen, Versions
from oauth import Principal

log = structlog.get_logger(__name__)

_QUIET = 1.0  # what is over sooner is not shown
_BEAT = 1.0
_SAYS_SO = 3  # beats between two writes that it lives
_BLIND = timedelta(seconds=15)  # without a look at links: what cannot be checked may not go on
_TIDYING = 5.0
_TIDYING_UNLINKED = 2.0  # within five seconds nobody acts for a person whose link has ended


class Stopped(Exception):
    """It was ended before its time, and the action has not said what came of it."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        super().__init__(stop.reason)


class Works:
    """What goes on here, by name."""

    def __init__(
        self,
        store: RunStore,
        screen: Screen,
        people: Versions,
        audit: AuditWriter,
        clock: Clock,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """`pause` is how this waits, in seconds."""
        self._store = store
        self._screen = screen
        self._people = people
        self._left = LeftRuns(store, screen, audit, clock)
        self._clock = clock
        self._pause = pause
        self._live: dict[str, LiveWork] = {}
        self._boards: set[asyncio.Task[None]] = set()
        self._heart: asyncio.Task[None] | None = None

    async def carry_out(
        self,
        running: Running,
        act: Callable[[LiveWork], Awaitable[ActionResult]],
        *,
        longest: float,
        renew: Renew,
        secret: str,
        repeatable: bool = False,
    ) -> tuple[ActionResult, LiveWork]:
        """What the action gives back, and the work that it was. `longest` in seconds; `secret` is its first token.
        What was approved and is `repeatable` another replica takes up, should this one end.

        Raises Stopped, TimeoutError, or what the action raises.
        """
        board = Board(running, self._store, self._screen, self._clock, self._pause)
        work = LiveWork(running, board, renew, [secret], repeatable=repeatable and running.approval is not None)
        self._live[running.run] = work
        if self._heart is None or self._heart.done():
            self._heart = asyncio.create_task(self._beat())
        minder = asyncio.create_task(self._mind(work))
        outcome: Outcome = Outcome.UNKNOWN
        reason: str | None = "no_answer"
        try:
            result = await self._ended(work, asyncio.ensure_future(act(work)), longest)
            outcome = Outcome.UNKNOWN if result.unknown else Outcome.OK if result.ok else Outcome.FAILED
            reason = _why(result, work.stop)
            return result, work
        except Stopped as stopped:
            reason = stopped.stop.reason
            raise
        finally:
            minder.cancel()
            self._live.pop(running.run, None)
            await self._over(work, outcome, reason)

    def running(self, principal: Principal, action: str, run: str, approval: Approval | None) -> Running:
        """A call that begins now."""
        return Running.of(principal, action, run, approval, self._clock())

    def going_on(self, workspace: str, run: str) -> Running | None:
        """What goes on here by this name, also if it has only just begun."""
        work = self._live.get(run)
        return work.running if work is not None and work.running.requester.workspace == workspace else None

    def heed(self, run: str, stop: Stop) -> None:
        """If it goes on here, it has to end."""
        if work := self._live.get(run):
            work.heed(stop)

    def break_off(self) -> None:
        """This process ends: what nobody takes up has to end in order."""
        for work in self._live.values():
            if not work.repeatable:
                work.heed(Stop(INTERRUPTED))

    async def sweep(self) -> None:
        """For the periodic round of every replica: what a dead one has left is said to be unknown."""
        await self._left(self._live)

    async def close(self, seconds: float) -> None:
        """Wait for what is being shown."""
        if self._boards:
            await asyncio.wait(self._boards, timeout=seconds)

    async def _mind(self, work: LiveWork) -> None:
        """It is shown as soon as it says something, and otherwise after a while."""
        quiet = asyncio.create_task(self._after(_QUIET))
        wanted = asyncio.create_task(work.wanted.wait())
        either: set[asyncio.Task[Any]] = {quiet, wanted}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            quiet.cancel()
            wanted.cancel()
        board = asyncio.create_task(work.board.run(work.heed))
        self._boards.add(board)
        board.add_done_callback(self._boards.discard)
        work.appear()

    async def _ended(self, work: LiveWork, task: asyncio.Future[ActionResult], longest: float) -> ActionResult:
        stopped = asyncio.create_task(work.stopped.wait())
        limit = asyncio.create_task(self._after(longest))
        any_of: set[asyncio.Future[Any]] = {task, stopped, limit}
        try:
            await asyncio.wait(any_of, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await self._tidied(work, task)
        finally:
            stopped.cancel()
            limit.cancel()
            task.cancel()  # whoever waited for it is being cancelled, and so is it
        if task.done() and not task.cancelled():
            return task.result()
        if work.stop is not None:
            raise Stopped(work.stop)
        raise TimeoutError

    async def _tidied(self, work: LiveWork, task: asyncio.Future[ActionResult]) -> None:
        """End it, and give it a moment to leave things tidy. What does not end then is left to itself, without us."""
        task.cancel()
        unlinked = work.stop is not None and work.stop.reason == UNLINKED
        moment = asyncio.create_task(self._after(_TIDYING_UNLINKED if unlinked else _TIDYING))
        either: set[asyncio.Future[Any]] = {task, moment}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        moment.cancel()
        if not task.done():
            log.error("action_does_not_stop", action=work.running.action, run=work.running.run)

    async def _after(self, seconds: float) -> None:
        await self._pause(seconds)

    async def _over(self, work: LiveWork, outcome: Outcome, reason: str | None) -> None:
        if not work.lasting:
            return
        work.board.put(View(work.progress.ended(ok=outcome is Outcome.OK), work.stop, outcome, reason))
        if work.board.kept:
            try:
                await self._store.end(work.running, outcome, reason, self._clock() + LEASE * 4)
            except Exception as error:  # the board does it again
                log.warning("run_not_kept", run=work.running.run, kind=type(error).__name__)

    async def _beat(self) -> None:
        count, seen_at = 0, self._clock()
        while self._live:
            await self._pause(_BEAT)
            lasting = [work for work in self._live.values() if work.lasting]
            if not lasting:
                seen_at = self._clock()
                continue
            count += 1
            try:
                async with asyncio.timeout(5.0):
                    await self._look(lasting, says_so=count % _SAYS_SO == 0)
                seen_at = self._clock()
            except Exception as error:
                log.warning("beat_missed", runs=len(lasting), kind=type(error).__name__)
                if self._clock() - seen_at > _BLIND:
                    for work in lasting:
                        work.heed(Stop(BLIND))

    async def _look(self, lasting: list[LiveWork], *, says_so: bool) -> None:
        live = await self._people.versions({work.running.requester for work in lasting})
        for work in lasting:
            if live.get(work.running.requester.key) != work.running.link_version:
                work.heed(Stop(UNLINKED))
        kept = {work.running.run: work for work in lasting if work.board.kept}
        if not kept:
            return
        for run, stop in (await self._store.stops([work.running for work in kept.values()])).items():
            kept[run].heed(stop)
        if says_so:
            await self._store.alive([work.running for work in kept.values()], self._clock() + LEASE)


def _why(result: ActionResult, stop: Stop | None) -> str | None:
    if result.ok:
        return None
    return stop.reason if stop is not None else f"http_{result.status}" if result.status else "no_answer"
