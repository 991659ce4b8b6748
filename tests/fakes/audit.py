"""Entries in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import dataclass, field

from bot.audit.chain import Entry
from bot.audit.ports import Stands, Unsure
from bot.errors import AuditUnavailable


@dataclass
class MemoryAuditStore:
    """As `MongoAuditStore`: each place of a chain is taken once. While `away` holds, nothing can be reached.

    Types in `refusing` cannot be written. With `cut`, the line goes dead after so many entries of the next group: they
    stand, and the others are under way until `arrive`. While `silent` holds, what was written cannot be seen to stand.
    `groups` has the sizes of the groups that were tried.
    """

    away: bool = False
    refusing: set[str] = field(default_factory=set)
    cut: int | None = None
    silent: bool = False
    groups: list[int] = field(default_factory=list)
    _entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    _under_way: list[Entry] = field(default_factory=list)

    async def head(self, chain: str, *, from_seq: int = 0) -> tuple[int, str] | None:
        """The last entry's place and hash."""
        await self._reach()
        last = max((seq for name, seq in self._entries if name == chain and seq >= from_seq), default=None)
        return None if last is None else (last, self._entries[chain, last]["hash"])

    async def append(self, entries: list[Entry]) -> Stands | Unsure:
        """One round trip for all of them; in order, and none after the first that is not written."""
        self.groups.append(len(entries))
        await self._reach()
        allowed = next((n for n, entry in enumerate(entries) if entry["type"] in self.refusing), len(entries))
        cut, self.cut = self.cut, None
        reached = allowed if cut is None else min(allowed, cut)
        count = self._written(entries[:reached])
        if count == reached:
            self._under_way = entries[reached:allowed]
        if self.silent:
            raise AuditUnavailable
        return Stands(count) if count < reached or reached == len(entries) else Unsure(count)

    def arrive(self) -> int:
        """What was under way is written, up to the first place that is taken; how many were."""
        late, self._under_way = self._under_way, []
        return self._written(late)

    def _written(self, entries: list[Entry]) -> int:
        for count, entry in enumerate(entries):
            place = (entry["chain"], entry["seq"])
            if place in self._entries:
                return count
            self._entries[place] = deepcopy(entry)
        return len(entries)

    async def entries(
        self, *, chain: str | None = None, since: str | None = None, sub: str | None = None, from_seq: int = 0
    ) -> AsyncIterator[Entry]:
        """By chain and place."""
        await self._reach()
        for _, entry in sorted(self._entries.items()):
            if chain is not None and entry["chain"] != chain:
                continue
            if entry["seq"] < from_seq or (since is not None and entry["at"] < since):
                continue
            if sub is None or entry.get("sub") == sub:
                yield deepcopy(entry)

    async def of_person(self, chain: str, user: str, most: int) -> list[Entry]:
        """Newest first."""
        mine = [entry async for entry in self.entries(chain=chain) if entry.get("user") == user]
        return mine[::-1][:most]

    async def recorded(self, chain: str, user: str, type_: str, approval: str, approver: str | None = None) -> bool:
        """Whether there is such an entry."""
        wanted = (user, type_, approval)
        return any(
            (entry.get("user"), entry["type"], entry.get("approval")) == wanted
            and approver in {None, entry.get("approver", {}).get("user")}
            for entry in await self.of_person(chain, user, len(self._entries))
        )

    async def chains(self) -> list[str]:
        """Their names."""
        await self._reach()
        return sorted({chain for chain, _ in self._entries})

    def types(self) -> list[str]:
        """What was written, in order of the chains."""
        return [entry["type"] for _, entry in sorted(self._entries.items())]

    def of(self, type_: str) -> list[Entry]:
        """The entries of a type."""
        return [entry for _, entry in sorted(self._entries.items()) if entry["type"] == type_]

    async def _reach(self) -> None:
        await asyncio.sleep(0)  # others come in between, as they do on a network
        if self.away:
            raise AuditUnavailable
