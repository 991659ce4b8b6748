"""The collection `audit`: append only, one entry per place in its chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DESCENDING
from pymongo.errors import DuplicateKeyError, PyMongoError

from bot.audit.chain import Entry
from bot.errors import AuditUnavailable


class MongoAuditStore:
    """Entries at rest, their fields at the top level."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._entries = database["audit"]

    async def ensure_indexes(self) -> None:
        """The unique place in a chain is what keeps three replicas from forking it."""
        await self._entries.create_index([("chain", 1), ("seq", 1)], unique=True, name="place")
        await self._entries.create_index([("chain", 1), ("user", 1), ("seq", -1)], name="person")

    async def head(self, chain: str) -> tuple[int, str] | None:
        """`seq` and `hash` of the last entry. Raises AuditUnavailable."""
        try:
            found = await self._entries.find_one({"chain": chain}, sort=[("seq", DESCENDING)])
        except PyMongoError:
            raise AuditUnavailable from None
        return (found["seq"], found["hash"]) if found else None

    async def append(self, entries: list[Entry]) -> int:
        """Write entries of one chain in order; how many were written before somebody else took a place.

        Raises AuditUnavailable.
        """
        for done, entry in enumerate(entries):
            try:
                await self._entries.insert_one(dict(entry))
            except DuplicateKeyError:
                return done
            except PyMongoError:
                raise AuditUnavailable from None
        return len(entries)

    async def entries(
        self, *, chain: str | None = None, since: str | None = None, sub: str | None = None
    ) -> AsyncIterator[Entry]:
        """Entries by chain and place. `since` is an RFC 3339 time in UTC, as `at` is."""
        query: dict[str, Any] = {}
        if chain is not None:
            query["chain"] = chain
        if since is not None:
            query["at"] = {"$gte": since}
        if sub is not None:
            query["sub"] = sub
        async for found in self._entries.find(query, {"_id": 0}).sort([("chain", 1), ("seq", 1)]):
            yield found

    async def of_person(self, chain: str, user: str, most: int) -> list[Entry]:
        """A person's latest entries, newest first."""
        found = self._entries.find({"chain": chain, "user": user}, {"_id": 0}).sort("seq", DESCENDING)
        return [entry async for entry in found.limit(most)]

    async def chains(self) -> list[str]:
        """The names of all chains."""
        return sorted(await self._entries.distinct("chain"))
