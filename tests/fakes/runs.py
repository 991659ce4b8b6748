"""Runs in memory, and a screen that notes what it shows."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.work import Outcome, Place, Running, Stop, View
from bot.work.model import Run
from tests.conftest import HandClock


@dataclass
class MemoryRunStore:
    """As `MongoRunStore`. While `away` holds, nothing can be reached."""

    away: bool = False
    _rows: dict[str, Run] = field(default_factory=dict)

    async def begin(self, running: Running, due_at: datetime) -> Run:
        """It goes on; that it has to stop stays said."""
        former = self._row(running)
        begun = replace(former or Run(running), running=running, outcome=None, reason=None, told=False, due_at=due_at)
        return self._put(begun)

    async def get(self, workspace: str, run: str) -> Run | None:
        """A run of this workspace."""
        self._reach()
        return self._rows.get(f"{workspace}:{run}")

    async def placed(self, running: Running, place: Place) -> None:
        """Where people see it."""
        if row := self._row(running):
            self._put(replace(row, place=place))

    async def stop(self, running: Running, stop: Stop) -> bool:
        """It has to end."""
        row = self._row(running)
        if row is None or row.outcome is not None or row.stop is not None:
            return False
        self._put(replace(row, stop=stop))
        return True

    async def stops(self, runs: Iterable[Running]) -> dict[str, Stop]:
        """Which of these have to end."""
        rows = [self._row(one) for one in runs]
        return {row.running.run: row.stop for row in rows if row is not None and row.stop is not None}

    async def alive(self, runs: Iterable[Running], due_at: datetime) -> None:
        """The process that does them lives."""
        for one in runs:
            row = self._row(one)
            if row is not None and row.outcome is None:
                self._put(replace(row, due_at=due_at))

    async def end(self, running: Running, outcome: Outcome, reason: str | None, due_at: datetime) -> bool:
        """It has ended so."""
        row = self._row(running)
        if row is None or row.outcome is not None:
            return False
        self._put(replace(row, outcome=outcome, reason=reason, due_at=due_at))
        return True

    async def told(self, running: Running) -> None:
        """People see how it ended."""
        row = self._row(running)
        if row is not None and row.outcome is not None:
            self._put(replace(row, told=True, due_at=None))

    async def take(self, run: Run, due_at: datetime) -> bool:
        """The right to see to what is due."""
        row = self._row(run.running)
        if row is None or row.due_at != run.due_at:
            return False
        self._put(replace(row, due_at=due_at))
        return True

    async def due(self, now: datetime) -> AsyncIterator[Run]:
        """Whatever nobody keeps alive, or has told."""
        self._reach()
        for row in list(self._rows.values()):
            if row.due_at is not None and row.due_at <= now:
                yield row

    def _row(self, running: Running) -> Run | None:
        self._reach()
        return self._rows.get(f"{running.requester.workspace}:{running.run}")

    def _put(self, row: Run) -> Run:
        self._rows[f"{row.running.requester.workspace}:{row.running.run}"] = row
        return row

    def _reach(self) -> None:
        if self.away:
            raise ConnectionError


@dataclass
class FakeScreen:
    """Notes when it showed what. Each error in `failing` is raised once, in order, instead of showing anything."""

    clock: HandClock
    failing: list[Exception] = field(default_factory=list)
    shown: list[tuple[datetime, str, View]] = field(default_factory=list)

    def surface(self, running: Running, place: Place | None = None) -> FakeSurface:
        """One for this run."""
        return FakeSurface(self, running, place)

    @property
    def views(self) -> list[View]:
        """What was shown, in order."""
        return [view for _, _, view in self.shown]

    @property
    def gaps(self) -> list[float]:
        """The seconds between two."""
        at = [when for when, _, _ in self.shown]
        return [(later - sooner).total_seconds() for sooner, later in itertools.pairwise(at)]


@dataclass
class FakeSurface:
    """One run on it."""

    screen: FakeScreen
    running: Running
    place: Place | None

    async def show(self, view: View, *, again: bool = False) -> None:
        """Note it."""
        if self.screen.failing:
            raise self.screen.failing.pop(0)
        if self.place is None and view.outcome is not None:
            return
        self.place = self.place or Place("D1", f"1700000000.{len(self.screen.shown):06}")
        self.screen.shown.append((self.screen.clock(), self.running.run, view))
