"""Entries in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import dataclass, field

from bot.audit.chain import Entry
from bot.errors import AuditUnavailable


@dataclass
class MemoryAuditStore:
    """As `MongoAuditStore`: each place of a chain is taken once. While `away` holds, nothing can be reached."""

    away: bool = False
    refusing: set[str] = field(default_factory=set)
    _entries: dict[tuple[str, int], Entry] = field(default_factory=dict)

    async def head(self, chain: str) -> tuple[int, str] | None:
        """The last entry's place and hash."""
        await self._reach()
        last = max((seq for name, seq in self._entries if name == chain), default=None)
        return None if last is None else (last, self._entries[chain, last]["hash"])

    async def append(self, entries: list[Entry]) -> int:
        """How many stand before a place is taken. Types in `refusing` cannot be written."""
        for done, entry in enumerate(entries):
            await self._reach()
            if entry["type"] in self.refusing:
                raise AuditUnavailable
            place = (entry["chain"], entry["seq"])
            if place in self._entries:
                return done
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

    async def recorded(self, chain: str, user: str, type_: str, approval: str) -> bool:
        """Whether there is such an entry."""
        wanted = (user, type_, approval)
        return any(
            (entry.get("user"), entry["type"], entry.get("approval")) == wanted
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
