"""The embedded server keeps what the stores rely on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pymongo.errors import DuplicateKeyError

from bot.database import Database, alive


async def test_a_unique_index_holds(mongo_database: Database) -> None:
    """The second document with the same key is refused: exactly-once rests on it."""
    await mongo_database.things.create_index([("workspace", 1), ("n", 1)], unique=True)
    await mongo_database.things.insert_one({"workspace": "T1", "n": 1})
    with pytest.raises(DuplicateKeyError):
        await mongo_database.things.insert_one({"workspace": "T1", "n": 1})


async def test_times_come_back_aware(mongo_database: Database) -> None:
    """A stored time is in UTC and says so."""
    now = datetime(2030, 1, 2, tzinfo=UTC)
    await mongo_database.things.insert_one({"at": now})
    found = await mongo_database.things.find_one({})
    assert found is not None
    assert found["at"] == now


async def test_the_server_answers(mongo_database: Database) -> None:
    """Readiness asks the server itself."""
    assert await alive(mongo_database)
