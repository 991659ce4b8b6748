"""The newest state of one run, shown as often as Slack likes and no more; how it ended is always shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from bot.work.model import Running, Stop, View
from bot.work.ports import Gone, RunStore, Screen, Surface, TooFast

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
Pause = Callable[[float], Awaitable[None]]

# Edits at no more than one a second, and below the fifty a minute that Slack grants (docs.slack.dev, "Rate limits").
INTERVAL = 1.25
LEASE = timedelta(seconds=15)
_LONGEST_PAUSE = 30.0
_TRIES = 12


class Board:
    """States come in at any rate. The first is shown at once, then the newest after each pause."""

    def __init__(self, running: Running, store: RunStore, screen: Screen, clock: Clock, pause: Pause) -> None:
        """`pause` is how this waits, in seconds."""
        self._running = running
        self._store = store
        self._screen = screen
        self._clock = clock
        self._pause = pause
        self._view = View()
        self._changed = asyncio.Event()
        self._surface: Surface | None = None
        self._kept = False
        self._gone = False

    def put(self, view: View) -> None:
        """There is something new to see."""
        if view != self._view or not self._kept:
            self._view = view
            self._changed.set()

    @property
    def kept(self) -> bool:
        """Whether all replicas know of the run."""
        return self._kept

    async def run(self, heed: Callable[[Stop], None]) -> None:
        """Until how it ended is shown, or cannot be. `heed` is told if it has to stop already."""
        failed = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            view = self._view
            pause = INTERVAL
            try:
                await self._said(view, heed, again=failed > 0)
                failed = 0
                if view.outcome is not None:
                    return
            except Gone:
                self._gone = True
                self._changed.set()
            except TooFast as told:
                self._changed.set()
                pause = max(INTERVAL, told.seconds)
            except Exception as error:  # Slack's refusals are many, and so are the network's; none may end the run
                failed += 1
                self._changed.set()
                pause = min(_LONGEST_PAUSE, INTERVAL * 2**failed)
                log.warning("progress_not_shown", run=self._running.run, tries=failed, kind=type(error).__name__)
                if self._view.outcome is not None and failed >= _TRIES:
                    return  # the round of some replica comes back to it
            await self._pause(pause)

    async def _said(self, view: View, heed: Callable[[Stop], None], *, again: bool) -> None:
        if self._surface is None:
            if view.outcome is not None:
                return  # it was over before anybody saw anything of it
            run = await self._store.begin(self._running, self._clock() + LEASE)
            self._surface = self._screen.surface(self._running, run.place)
            self._kept = True
            if run.stop is not None:
                heed(run.stop)
        if view.outcome is not None:
            due_at = self._clock() + timedelta(seconds=_LONGEST_PAUSE * 2)
            await self._store.end(self._running, view.outcome, view.reason, due_at)
        before = self._surface.place
        if not self._gone and (view.outcome is None or before is not None or again):
            await self._surface.show(view, again=again)
        if self._surface.place is not None and self._surface.place != before:
            await self._store.placed(self._running, self._surface.place)
        if view.outcome is not None:
            await self._store.told(self._running)
