"""The collections `deliveries`, what Slack has sent already, and `tabs`, who has looked at the Home tab lately.

Replicas agree on deliveries through their unique ids alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

from oauth import SlackUser

SCHEMA = 1
# Slack sends an event again for an hour and accepts our own window of five minutes for a replay.
_KEPT = timedelta(hours=2)
_LATELY = timedelta(days=1)


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


class MongoOpeningStore:
    """Who has looked at the Home tab within a day."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._tabs = database["tabs"]

    async def ensure_indexes(self) -> None:
        """Who has not looked for long is forgotten."""
        await self._tabs.create_index("at", expireAfterSeconds=int(_LATELY.total_seconds()), name="over")

    async def opened(self, slack: SlackUser, now: datetime) -> None:
        """They look at it now."""
        await self._tabs.update_one({"_id": slack.key}, {"$set": {"schema": SCHEMA, "at": now}}, upsert=True)

    async def lately(self, slack: SlackUser, now: datetime) -> bool:
        """Whether they have looked at it within a day, through whichever replica."""
        found = await self._tabs.find_one({"_id": slack.key})
        return found is not None and found["at"] > now - _LATELY
