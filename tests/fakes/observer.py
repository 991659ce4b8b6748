"""Who is told of link events, in a list."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from oauth import LinkEvent


class TrailAway(Exception):
    """The audit trail cannot be written."""


@dataclass
class ListObserver:
    """Keeps what was recorded and what was told, in order. While `away`, nothing can be recorded."""

    recorded: list[LinkEvent] = field(default_factory=list)
    told: list[LinkEvent] = field(default_factory=list)
    away: bool = False

    async def record(self, event: LinkEvent) -> None:
        """Write it down, or fail."""
        await asyncio.sleep(0)
        if self.away:
            raise TrailAway
        self.recorded.append(event)

    async def notify(self, event: LinkEvent) -> None:
        """Tell people."""
        self.told.append(event)

    def entries(self) -> list[tuple[str, str, str | None]]:
        """(type, outcome, reason) of all that was recorded."""
        return [(event.type, event.outcome, event.reason) for event in self.recorded]
