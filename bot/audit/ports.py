"""What keeps the entries, and what it promises: an append-only chain per workspace, each place taken once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from bot.audit.chain import Entry


class AuditStore(Protocol):
    """Every method raises AuditUnavailable where the store cannot be reached."""

    async def head(self, chain: str) -> tuple[int, str] | None:
        """`seq` and `hash` of the last entry."""

    async def append(self, entries: list[Entry]) -> int:
        """Write entries of one chain in order; how many stand before somebody else took a place."""

    def entries(
        self, *, chain: str | None = None, since: str | None = None, sub: str | None = None, from_seq: int = 0
    ) -> AsyncIterator[Entry]:
        """Entries by chain and place, from that place on. `since` is an RFC 3339 time in UTC, as `at` is."""

    async def of_person(self, chain: str, user: str, most: int) -> list[Entry]:
        """A person's latest entries, newest first."""

    async def recorded(self, chain: str, user: str, type_: str, approval: str) -> bool:
        """Whether there is an entry of this type about this approval of a person."""

    async def chains(self) -> list[str]:
        """The names of all chains, sorted."""
