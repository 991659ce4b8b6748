"""The collection `audit`: append only, one entry per place in its chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from bson import ObjectId
from bson.errors import BSONError
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DESCENDING
from pymongo.errors import BulkWriteError, PyMongoError

from bot.audit.chain import Entry
from bot.audit.ports import Stands, Unsure
from bot.errors import AuditUnavailable

_NEAR = 64


class MongoAuditStore:
    """Entries at rest, their fields at the top level."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._entries = database["audit"]

    async def ensure_indexes(self) -> None:
        """The unique place in a chain is what keeps three replicas from forking it."""
        await self._entries.create_index([("chain", 1), ("seq", 1)], unique=True, name="place")
        await self._entries.create_index([("chain", 1), ("user", 1), ("seq", -1)], name="person")

    async def head(self, chain: str, *, from_seq: int = 0) -> tuple[int, str] | None:
        """`seq` and `hash` of the last entry; None if there is none from that place on."""
        start = from_seq or await self._landmark(chain)
        query = {"chain": chain, "seq": {"$gte": start}} if start else {"chain": chain}
        with _reached():
            found = await self._entries.find_one(query, {"seq": 1, "hash": 1}, sort=[("seq", DESCENDING)])
        if found is None:
            return None
        seq, hash_ = _place(found), found.get("hash")
        if not isinstance(hash_, str):
            raise AuditUnavailable  # somebody has been at it; nothing can follow from this
        return seq, hash_

    async def append(self, entries: list[Entry]) -> Stands | Unsure:
        """Write entries of one chain in order, in one round trip, and say how many stand.

        Raises AuditUnavailable where that cannot be told of any.
        """
        if not entries:
            return Stands(0)
        documents = [{**entry, "_id": ObjectId()} for entry in entries]
        try:
            await self._entries.insert_many(documents)
        except BulkWriteError as error:
            refused = error.details["writeErrors"]
            at = refused[0]["index"] if refused else 0
            fate = await self._fate(documents[: at + 1], at)
            return fate if fate.count == at else await self._fate(documents)
        except (PyMongoError, BSONError):
            return await self._fate(documents)
        return Stands(len(documents))

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

    async def recorded(self, chain: str, user: str, type_: str, approval: str, approver: str | None = None) -> bool:
        """Whether there is an entry of this type about this approval of a person, by this approver if one is named."""
        query = {"chain": chain, "user": user, "type": type_, "approval": approval}
        query |= {"approver.user": approver} if approver is not None else {}
        with _reached():
            return await self._entries.find_one(query, {"_id": 1}) is not None

    async def chains(self) -> list[str]:
        """The names of all chains, sorted. What is no name was not written by us, and is left to the verifier."""
        with _reached():
            return sorted(name for name in await self._entries.distinct("chain") if isinstance(name, str))

    async def _fate(self, documents: list[dict[str, Any]], sure: int = 0) -> Stands | Unsure:
        """How many are in their places, the first `sure` by the server's word; who stands in the next decides.

        Somebody else does, and then the others can never arrive; or nobody, and then they may be under way.
        """
        first, last = documents[sure], documents[-1]
        query = {"chain": first["chain"], "seq": {"$gte": first["seq"], "$lte": last["seq"]}}
        try:
            with _reached():
                names = {found["seq"]: found["_id"] async for found in self._entries.find(query, {"seq": 1})}
        except AuditUnavailable:
            if not sure:
                raise
            return Unsure(sure)
        for count, document in enumerate(documents[sure:], sure):
            if names.get(document["seq"]) != document["_id"]:
                return Stands(count) if document["seq"] in names else Unsure(count)
        return Stands(len(documents))

    async def _landmark(self, chain: str) -> int:
        """A place not far before the last one, 0 where there is none.

        A server may fetch and sort the whole chain for its last entry (SecantusDB does: 4 s with 100,000). So places
        far apart are looked up first, then closer ones behind the last that is there. Gaps only bring it further back.
        """
        low = await self._last_of(chain, [4**power for power in range(27)]) or 0  # the digest ends at 2**53
        apart = 3 * low
        while apart > _NEAR:
            apart //= 16
            low = await self._last_of(chain, [low + apart * step for step in range(1, 17)]) or low
        return low

    async def _last_of(self, chain: str, places: list[int]) -> int | None:
        query = {"chain": chain, "seq": {"$in": places}}
        with _reached():
            found = await self._entries.find_one(query, {"seq": 1}, sort=[("seq", DESCENDING)])
        return None if found is None else _place(found)


def _place(found: dict[str, Any]) -> int:
    """`seq` of an entry. Raises AuditUnavailable for one that somebody has been at."""
    seq = found.get("seq")
    if not isinstance(seq, int) or isinstance(seq, bool):
        raise AuditUnavailable
    return seq


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except (PyMongoError, BSONError):  # away, or it holds what no entry can
        raise AuditUnavailable from None
