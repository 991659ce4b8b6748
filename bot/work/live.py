"""One call while it goes on in this process: what it says, how it is ended, and which tokens it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.actions.progress import Progress
from bot.work.board import Board
from bot.work.model import Running, Stop, View
from oauth import AccessToken

Renew = Callable[[], Awaitable[AccessToken]]


@dataclass
class LiveWork:
    """As `bot.actions.progress.Work`. `renew` gets another token through the same door."""

    running: Running
    board: Board
    renew: Renew
    secrets: list[str] = field(default_factory=list, repr=False)
    progress: Progress = field(default_factory=Progress)
    repeatable: bool = False
    stop: Stop | None = None
    lasting: bool = False
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: asyncio.Event = field(default_factory=asyncio.Event)

    def show(self, progress: Progress) -> None:
        """People see this soon."""
        self.progress = progress.without(self.secrets)
        self.wanted.set()
        if self.lasting:
            self.board.put(self.view)

    async def fresh_token(self) -> AccessToken:
        """A token that is good now."""
        token = await self.renew()
        self.secrets.append(token.value)
        return token

    def appear(self) -> None:
        """From now on people see it."""
        self.lasting = True
        self.board.put(self.view)

    def heed(self, stop: Stop) -> None:
        """It has to end; the first reason counts."""
        if self.stop is None:
            self.stop = stop
            self.stopped.set()
            if self.lasting:
                self.board.put(self.view)

    @property
    def view(self) -> View:
        """What there is to see now."""
        return View(self.progress, self.stop)
