"""What keeps the runs that last, and what shows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Protocol

from bot.work.model import Outcome, Place, Run, Running, Stop, View
from oauth import LinkVersion, SlackUser


class TooFast(Exception):
    """Slack wants a pause of `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(seconds)


class Gone(Exception):
    """Nobody is there any more whom anything could be shown to: the bot was removed from the workspace."""


class Surface(Protocol):
    """What people see of one run."""

    @property
    def place(self) -> Place | None:
        """Where it is, once it was shown."""

    async def show(self, view: View, *, again: bool = False) -> None:
        """Show this instead of what was there. With `again` the last attempt may have arrived although it failed.

        Raises TooFast, Gone, or whatever Slack and the network raise.
        """


class Screen(Protocol):
    """Makes surfaces."""

    def surface(self, running: Running, place: Place | None = None) -> Surface:
        """One for this run; at `place` where it is shown already."""


class RunStore(Protocol):
    """Runs that last. Each change is one atomic step."""

    async def begin(self, running: Running, due_at: datetime) -> Run:
        """It goes on, and whoever keeps it alive says so before `due_at`; the run as it is then.

        What has begun before under this name, and ended with the process that did it, begins anew in its place; if
        that had to stop, so has this.
        """

    async def get(self, workspace: str, run: str) -> Run | None:
        """A run of this workspace that lasts, or did so in the last day."""

    async def placed(self, running: Running, place: Place) -> None:
        """Where people see it."""

    async def stop(self, running: Running, stop: Stop) -> bool:
        """It has to end; True for the first one who says so while it goes on."""

    async def stops(self, runs: Iterable[Running]) -> dict[str, Stop]:
        """Which of these have to end, by name."""

    async def alive(self, runs: Iterable[Running], due_at: datetime) -> None:
        """The process that does them lives until then."""

    async def end(self, running: Running, outcome: Outcome, reason: str | None, due_at: datetime) -> bool:
        """It has ended so; False if it was said to have ended before. Whoever tells people does so before `due_at`."""

    async def told(self, running: Running) -> None:
        """People see how it ended."""

    async def take(self, run: Run, due_at: datetime) -> bool:
        """The right to see to what is due; True for one caller alone."""

    def due(self, now: datetime) -> AsyncIterator[Run]:
        """Whatever nobody keeps alive, or has told."""


class Versions(Protocol):
    """Whose link is which."""

    async def versions(self, people: Iterable[SlackUser]) -> dict[str, LinkVersion]:
        """The versions of the links that live, by `SlackUser.key`."""
