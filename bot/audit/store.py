"""The collection `audit`: append only, one entry per place in its chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from bson import ObjectId
from bson.errors import BSONError
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DESCENDING
from pymongo.errors import PyMongoError

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
        """`seq` and `hash` of the last entry."""
        with _reached():
            found = await self._entries.find_one({"chain": chain}, sort=[("seq", DESCENDING)])
        if found is None:
            return None
        seq, hash_ = found.get("seq"), found.get("hash")
        if not isinstance(seq, int) or isinstance(seq, bool) or not isinstance(hash_, str):
            raise AuditUnavailable  # somebody has been at it; nothing can follow from this
        return seq, hash_

    async def append(self, entries: list[Entry]) -> int:
        """Write entries of one chain in order; how many stand before somebody else took a place."""
        for done, entry in enumerate(entries):
            name = ObjectId()
            try:
                await self._entries.insert_one({**entry, "_id": name})
            except PyMongoError:
                # Taken, or the answer was lost: the write itself may have arrived, so who stands there decides.
                if not await self._stands(entry, name):
                    return done
        return len(entries)

    async def entries(
        self, *, chain: str | None = None, since: str | None = None, sub: str | None = None, from_seq: int = 0
    ) -> AsyncIterator[Entry]:
        """Entries by chain and place, from that place on. `since` is an RFC 3339 time in UTC, as `at` is."""
        query: dict[str, Any] = {}
        if chain is not None:
            query["chain"] = chain
        if from_seq:
            query["seq"] = {"$gte": from_seq}
        if since is not None:
            query["at"] = {"$gte": since}
        if sub is not None:
            query["sub"] = sub
        with _reached():
            async for found in self._entries.find(query, {"_id": 0}).sort([("chain", 1), ("seq", 1)]):
                yield found

    async def of_person(self, chain: str, user: str, most: int) -> list[Entry]:
        """A person's latest entries, newest first."""
        with _reached():
            found = self._entries.find({"chain": chain, "user": user}, {"_id": 0}).sort("seq", DESCENDING)
            return [entry async for entry in found.limit(most)]

    async def recorded(self, chain: str, user: str, type_: str, approval: str) -> bool:
        """Whether there is an entry of this type about this approval of a person."""
        query = {"chain": chain, "user": user, "type": type_, "approval": approval}
        with _reached():
            return await self._entries.find_one(query, {"_id": 1}) is not None

    async def chains(self) -> list[str]:
        """The names of all chains, sorted. What is no name was not written by us, and is left to the verifier."""
        with _reached():
            return sorted(name for name in await self._entries.distinct("chain") if isinstance(name, str))

    async def _stands(self, entry: Entry, name: ObjectId) -> bool:
        """Whether ours is in its place; False if another is. Raises AuditUnavailable if none is, or none is seen."""
        with _reached():
            found = await self._entries.find_one({"chain": entry["chain"], "seq": entry["seq"]}, {"_id": 1})
        if found is None:
            raise AuditUnavailable
        return bool(found["_id"] == name)


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except (PyMongoError, BSONError):  # away, or it holds what no entry can
        raise AuditUnavailable from None
