"""Histories in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bot.habits import History


@dataclass
class MemoryHistoryStore:
    """As `MongoHistoryStore`; while `away`, nothing is to be had."""

    away: bool = False
    kept: dict[tuple[str, str, str], History] = field(default_factory=dict)

    async def get(self, workspace: str, sub: str, action: str) -> History:
        """What is known."""
        await self._reach()
        return self.kept.get((workspace, sub, action), History())

    async def put(self, workspace: str, sub: str, action: str, history: History) -> None:
        """What is known now."""
        await self._reach()
        self.kept[workspace, sub, action] = history

    async def _reach(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise ConnectionError
