"""Reads that are asked for in the same moment go out as one: a read costs more on its way than in the database.

The idea is that of data loaders. Nothing is kept: whoever asks gets what the database says after they asked, which
is what makes a revoked link end everywhere at once. Libraries for it keep what they have read, or need a loader for
each request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

_V = TypeVar("_V")

_AT_ONCE = 2


class Gathered(Generic[_V]):
    """Asks for many at once; a few such reads may be on their way, and what is asked meanwhile goes with the next."""

    def __init__(self, read: Callable[[list[str]], Awaitable[dict[str, _V]]], *, at_once: int = _AT_ONCE) -> None:
        self._read = read
        self._at_once = at_once
        self._asked: dict[str, list[asyncio.Future[_V | None]]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> _V | None:
        """What is found under `key`, or None. Raises what the read raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_V | None] = loop.create_future()
        if not self._asked and len(self._under_way) < self._at_once:
            loop.call_soon(self._begin)
        self._asked.setdefault(key, []).append(answer)
        return await answer

    def _begin(self) -> None:
        if self._asked:
            asked, self._asked = self._asked, {}
            task = asyncio.create_task(self._one(asked))
            self._under_way.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._begin()

    async def _one(self, asked: dict[str, list[asyncio.Future[_V | None]]]) -> None:
        """Whoever has gone away is passed over; the others must not notice."""
        try:
            found = await self._read(list(asked))
        except Exception as error:
            for answer in _waiting(asked.values()):
                answer.set_exception(error)
        else:
            for key, answers in asked.items():
                for answer in _waiting([answers]):
                    answer.set_result(found.get(key))


def _waiting(asked: Iterable[list[asyncio.Future[_V | None]]]) -> list[asyncio.Future[_V | None]]:
    return [answer for answers in asked for answer in answers if not answer.done()]
