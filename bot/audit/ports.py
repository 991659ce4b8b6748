"""What keeps the entries, and what it promises: an append-only chain per workspace, each place taken once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from bot.audit.chain import Entry


@dataclass(frozen=True, slots=True)
class Stands:
    """The first `count` entries stand. Of the others none does or will: somebody else took the place of the next."""

    count: int


@dataclass(frozen=True, slots=True)
class Unsure:
    """The first `count` entries stand. Of the others nobody knows; they may yet arrive."""

    count: int


class AuditStore(Protocol):
    """Every method raises AuditUnavailable where the store cannot be reached."""

    async def head(self, chain: str, *, from_seq: int = 0) -> tuple[int, str] | None:
        """`seq` and `hash` of the last entry; None if there is none from that place on."""

    async def append(self, entries: list[Entry]) -> Stands | Unsure:
        """Write entries of one chain in order, in one round trip, and say how many stand.

        Raises AuditUnavailable where that cannot be told of any.
        """

    def entries(
        self, *, chain: str | None = None, since: str | None = None, sub: str | None = None, from_seq: int = 0
    ) -> AsyncIterator[Entry]:
        """Entries by chain and place, from that place on. `since` is an RFC 3339 time in UTC, as `at` is."""

    async def of_person(self, chain: str, user: str, most: int) -> list[Entry]:
        """A person's latest entries, newest first."""

    async def recorded(self, chain: str, user: str, type_: str, approval: str, approver: str | None = None) -> bool:
        """Whether there is an entry of this type about this approval of a person, by this approver if one is named."""

    async def chains(self) -> list[str]:
        """The names of all chains, sorted."""
