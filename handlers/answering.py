"""Acknowledge in time, answer when ready.

Slack wants its ack within three seconds. What is decided by the database alone is mostly done long before, and then
the ack carries the answer and nothing decided can be lost behind an ack. What takes longer goes on in the task set,
and its answer goes to the `response_url`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from bot.tasks import Tasks
from handlers import cards
from handlers.errors import words
from handlers.message import Message
from handlers.post import Post
from handlers.speaker import Speaker

Ack = Callable[..., Awaitable[Any]]
Work = Coroutine[Any, Any, Message | None]

_PATIENCE = 1.5


@dataclass(frozen=True, slots=True)
class Answering:
    """Runs a listener's work. `patience` in seconds: how long an ack may wait for it."""

    tasks: Tasks
    post: Post
    patience: float = _PATIENCE

    async def command(self, ack: Ack, who: Speaker, work: Work) -> None:
        """Answer a slash command, in the ack where there is time."""
        task = self._start(work, "command")
        await self._wait(task)
        if task.done():
            message = await task
            await (ack(response_type="ephemeral", **message.as_slack()) if message else ack())
            return
        await ack()
        self.tasks.spawn(self._later(task, who), "answer")

    async def click(self, ack: Ack, who: Speaker, work: Work) -> None:
        """Do what a click decides, then ack; anything to say goes to the person alone."""
        with self.tasks.acking():
            task = self._start(work, "click")
            await self._wait(task)
            await ack()
        self.tasks.spawn(self._later(task, who), "answer")

    async def form(self, ack: Ack, who: Speaker, work: Work, block: str) -> None:
        """Take a form: what the work has to say is shown under `block`, and nothing to say closes it."""
        with self.tasks.acking():
            task = self._start(work, "form")
            await self._wait(task)
        said = await task if task.done() else None
        if said is not None:
            await ack(response_action="errors", errors={block: said.text.replace("`", "")})
            return
        await ack()
        if not task.done():
            self.tasks.spawn(self._later(task, who), "answer")

    async def after_ack(self, ack: Ack, who: Speaker, work: Work) -> None:
        """Ack at once: the work calls out, and may take long."""
        task = self._start(work, "work")
        await ack()
        self.tasks.spawn(self._later(task, who), "answer")

    async def tell(self, who: Speaker, message: Message) -> None:
        """Tell the person, where they asked or else in their direct messages."""
        if who.response_url and await self.post.answer(who.response_url, message):
            return
        await self.post.dm(who.slack, message)

    def _start(self, work: Work, name: str) -> asyncio.Task[Message | None]:
        async def guarded() -> Message | None:
            try:
                return await work
            except Exception as error:
                return cards.note(words(error))

        return self.tasks.spawn(guarded(), name)

    async def _wait(self, task: asyncio.Task[Message | None]) -> None:
        await asyncio.wait({task}, timeout=self.patience)

    async def _later(self, task: asyncio.Task[Message | None], who: Speaker) -> None:
        message = await task
        if message is not None:
            await self.tell(who, message)
