"""The collection `habits`. Amounts are sealed: they are the person's business."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import PyMongoError

from bot.habits.model import History
from oauth import StoredSecret
from oauth.errors import SealBroken, StoreUnavailable

Document = dict[str, Any]
_FORGOTTEN = timedelta(days=180)


class Sealer(Protocol):
    """Seals for one field of one record."""

    def seal(self, plain: bytes, *, record: str, name: str) -> str:
        """The sealed form."""

    def open(self, sealed: str, *, record: str, name: str) -> bytes:
        """What was sealed. Raises SealBroken."""


class MongoHistoryStore:
    """Histories at rest; what nobody has added to for half a year is forgotten."""

    def __init__(self, database: AsyncIOMotorDatabase[Document], sealer: Sealer) -> None:
        self._habits = database["habits"]
        self._sealer = sealer

    async def ensure_indexes(self) -> None:
        """Create what is missing."""
        await self._habits.create_index(
            [("at", 1)], name="forgotten", expireAfterSeconds=round(_FORGOTTEN.total_seconds())
        )

    async def get(self, workspace: str, sub: str, action: str) -> History:
        """What is known."""
        key = _key(workspace, sub, action)
        found = await self._habits.find_one({"_id": key})
        if found is None:
            return History()
        try:
            amounts = json.loads(self._sealer.open(str(found["amounts"]), record=key, name="amounts"))
        except SealBroken:
            return History()
        return History(int(found["times"]), {name: tuple(values) for name, values in amounts.items()})

    async def put(self, workspace: str, sub: str, action: str, history: History) -> None:
        """What is known now."""
        key = _key(workspace, sub, action)
        sealed = self._sealer.seal(json.dumps(history.amounts).encode(), record=key, name="amounts")
        known = {"workspace": workspace, "times": history.times, "amounts": sealed, "at": datetime.now(UTC)}
        await self._habits.update_one({"_id": key}, {"$set": known}, upsert=True)

    # sealing under another key

    async def secrets(self) -> AsyncIterator[StoredSecret]:
        """Every sealed value."""
        try:
            async for found in self._habits.find({}, {"amounts": 1}).sort("_id", 1):
                yield StoredSecret(("habits", found["_id"], "amounts"), found["_id"], "amounts", str(found["amounts"]))
        except PyMongoError:
            raise StoreUnavailable from None

    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        """Put another sealed form in its place, if it has not changed since it was read."""
        _, key, name = secret.place
        try:
            done = await self._habits.update_one({"_id": key, name: secret.sealed}, {"$set": {name: sealed}})
        except PyMongoError:
            raise StoreUnavailable from None
        return done.matched_count == 1


def _key(workspace: str, sub: str, action: str) -> str:
    return f"{workspace}:{action}:{sub}"
