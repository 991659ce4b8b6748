"""The collection `deliveries`: what Slack has sent already. Replicas agree through its unique ids alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

SCHEMA = 1
# Slack sends an event again for an hour and accepts our own window of five minutes for a replay.
_KEPT = timedelta(hours=2)


class MongoDeliveryStore:
    """Takes each delivery once."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._deliveries = database["deliveries"]

    async def ensure_indexes(self) -> None:
        """Old claims go by themselves."""
        await self._deliveries.create_index("at", expireAfterSeconds=int(_KEPT.total_seconds()), name="over")

    async def first(self, workspace: str, claim: str, now: datetime) -> bool:
        """Whether this delivery is seen for the first time, by whichever replica."""
        try:
            await self._deliveries.insert_one({"_id": f"{workspace}:{claim}", "schema": SCHEMA, "at": now})
        except DuplicateKeyError:
            return False
        return True
