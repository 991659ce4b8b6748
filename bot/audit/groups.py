"""Group commit: what waits for a place in one chain is linked and written together, in one round trip.

While a group is under way the next one gathers. So neither the many callers of one process nor a replica that others
overtake wait for a round trip each.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from bot.audit.chain import GENESIS, Entry, Head, linked
from bot.audit.ports import AuditStore, Stands, Unsure
from bot.errors import AuditUnavailable

log = structlog.get_logger(__name__)

LARGEST = 500
HOLD = 0.25
GAP = 0.05
_JITTER = 0.02  # less than the gap


@dataclass(slots=True, eq=False)
class _Waiting:
    """A caller; `until` is the time up to which it may be overtaken, counted from its first try."""

    fields: Mapping[str, Any]
    entry: asyncio.Future[Entry]
    until: float = math.inf

    def stands(self, entry: Entry) -> None:
        if not self.entry.done():  # it may have been cancelled meanwhile
            self.entry.set_result(entry)

    def fail(self, error: Exception) -> None:
        if not self.entry.done():
            self.entry.set_exception(error)


_Pair = tuple[_Waiting, Entry]


class GroupCommit:
    """One chain, as this process writes it.

    The last entry of ours that stood is gone on from, even where the database has lost it meanwhile: an entry that was
    removed under a running process, or a database that was restored, then shows as a gap instead of being paved over.

    Where somebody else was first of late the head is looked up before a group is tried: that costs less than to be
    refused, and keeps nobody from writing meanwhile.

    Whoever was first goes on from its own head and is first again, so it lets go from time to time: after each `HOLD`
    of writing without a rest it rests for `GAP`, which is longer than somebody else needs to find the new head.
    """

    def __init__(
        self,
        chain: str,
        store: AuditStore,
        *,
        patience: float,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`patience` in seconds is how long other replicas may be first, from an entry's first try on."""
        self._chain = chain
        self._store = store
        self._patience = patience
        self._now = now
        self._pause = pause
        self._queue: deque[_Waiting] = deque()
        self._flusher: asyncio.Task[None] | None = None
        self._ours: Head | None = None
        self._taken: int | None = None  # a place after `_ours` where somebody else was first
        self._contested = False  # others were there when we last looked
        self._began, self._ended = -math.inf, -math.inf  # of writing without a rest

    async def write(self, fields: Mapping[str, Any]) -> Entry:
        """The entry of these fields, once it stands; entries stand in the order of the calls.

        Raises AuditUnavailable, and ValueError for what has no digest. A caller that is cancelled leaves the others
        of its group alone; its own entry may stand or not.
        """
        waiting = _Waiting(fields, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._flusher is None or self._flusher.done():
            # A task of its own: what the database was given is followed up, whoever has stopped waiting for it.
            self._flusher = asyncio.create_task(self._flush(), name=f"trail:{self._chain}")
        return await waiting.entry

    async def _flush(self) -> None:
        """Until nobody waits."""
        group: list[_Waiting] = []
        try:
            while group or self._queue:
                await self._let_go()
                group = self._filled(group)
                group = await self._tried(group)
                self._ended = self._now()
                if group:
                    await self._pause(random.uniform(0, _JITTER))  # noqa: S311 - not a secret
                    self._began = self._now()
        except Exception as error:
            log.error("trail_failed", chain=self._chain, kind=type(error).__name__)
        finally:
            for waiting in (*group, *self._queue):  # nobody, unless something of ours is broken, or the loop ends
                waiting.fail(AuditUnavailable())

    async def _let_go(self) -> None:
        """Rest, if we have kept others out for long enough."""
        if self._now() - self._ended > GAP:
            self._began = self._now()
        elif self._now() - self._began > HOLD:
            await self._pause(GAP)
            self._began = self._now()

    def _filled(self, overtaken: list[_Waiting]) -> list[_Waiting]:
        """Those who were overtaken, then those who came since, as far as they still wait."""
        group = [waiting for waiting in overtaken if not waiting.entry.done()]
        while self._queue and len(group) < LARGEST:
            waiting = self._queue.popleft()
            if not waiting.entry.done():
                waiting.until = self._now() + self._patience
                group.append(waiting)
        return group

    async def _tried(self, group: list[_Waiting]) -> list[_Waiting]:
        """Write the group once; those who were overtaken and have patience left, of whom nothing is written."""
        try:
            pairs = self._linked(group, await self._head())
            fate = await self._store.append([entry for _, entry in pairs]) if pairs else Stands(0)
        except AuditUnavailable:
            for waiting in group:
                waiting.fail(AuditUnavailable())
            return []
        for waiting, entry in pairs[: fate.count]:
            self._ours, self._taken = (entry["seq"], entry["hash"]), None
            waiting.stands(entry)
        return self._patient(pairs[fate.count :], fate)

    def _patient(self, rest: list[_Pair], fate: Stands | Unsure) -> list[_Waiting]:
        """Who of those whose entries do not stand may try again. What may yet arrive is not written twice."""
        if rest and isinstance(fate, Stands):
            self._taken, self._contested = rest[0][1]["seq"], True
        patient = []
        for waiting, _ in rest:
            if isinstance(fate, Stands) and waiting.until > self._now():
                patient.append(waiting)
            else:
                waiting.fail(AuditUnavailable())
        return patient

    async def _head(self) -> Head:
        """What the group follows. Others' entries are looked up each time, since a failover may take them back."""
        if self._ours is not None and self._taken is None:
            if not self._contested:
                return self._ours
            later = await self._store.head(self._chain, from_seq=self._ours[0] + 1)
            self._contested = later is not None
            return later or self._ours
        return await self._store.head(self._chain, from_seq=self._taken or 0) or self._ours or (0, GENESIS)

    def _linked(self, group: list[_Waiting], head: Head) -> list[_Pair]:
        """Their entries in order, each onto the one before. What has no digest is told so, and keeps nobody."""
        seq, prev = head
        pairs: list[_Pair] = []
        for waiting in group:
            try:
                entry = linked(waiting.fields, seq=seq + 1, prev=prev)
            except ValueError as error:
                waiting.fail(error)
                continue
            seq, prev = entry["seq"], entry["hash"]
            pairs.append((waiting, entry))
        return pairs
