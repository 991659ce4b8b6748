"""What every store of histories promises."""

from __future__ import annotations

import pytest

from bot import keyring
from bot.database import Database
from bot.habits import History, HistoryStore
from bot.habits.store import MongoHistoryStore
from oauth import Vault
from tests.fakes.histories import MemoryHistoryStore

KNOWN = History(3, {"amount": (5.0, 7.5, 1250.0)})


@pytest.fixture(params=["memory", "database"])
def store(request: pytest.FixtureRequest) -> HistoryStore:
    """Both adapters keep the same promises."""
    if request.param == "memory":
        return MemoryHistoryStore()
    return MongoHistoryStore(request.getfixturevalue("mongo_database"), Vault(keyring.new_token_keys()))


async def test_a_history_comes_back_as_it_was(store: HistoryStore) -> None:
    """For that workspace, identity and action alone; an empty one for any other."""
    if isinstance(store, MongoHistoryStore):
        await store.ensure_indexes()
    await store.put("T1", "auth0|ada", "refund", KNOWN)
    assert await store.get("T1", "auth0|ada", "refund") == KNOWN
    for other in (("T2", "auth0|ada", "refund"), ("T1", "auth0|bob", "refund"), ("T1", "auth0|ada", "read")):
        assert await store.get(*other) == History()


async def test_the_latest_counts(store: HistoryStore) -> None:
    """It is put in the place of the former one."""
    await store.put("T1", "auth0|ada", "refund", History(1))
    await store.put("T1", "auth0|ada", "refund", KNOWN)
    assert await store.get("T1", "auth0|ada", "refund") == KNOWN


async def test_t33_a_dump_shows_no_amount(mongo_database: Database) -> None:
    """Amounts are sealed at rest; a history copied to somebody else does not open there."""
    vault = Vault(keyring.new_token_keys())
    store = MongoHistoryStore(mongo_database, vault)
    await store.put("T1", "auth0|ada", "refund", KNOWN)
    await store.put("T1", "auth0|bob", "refund", History(1))
    raw = [found async for found in mongo_database["habits"].find({})]
    assert "1250" not in str(raw)
    stolen = next(one["amounts"] for one in raw if one["_id"].endswith("ada"))
    await mongo_database["habits"].update_one({"_id": "T1:refund:auth0|bob"}, {"$set": {"amounts": stolen}})
    assert await store.get("T1", "auth0|bob", "refund") == History()


async def test_t35_every_sealed_part_is_found_and_swapped_once(mongo_database: Database) -> None:
    """For whoever changes the key (guards: `secrets`, and the sealed value in the query of `swap`)."""
    vault = Vault(keyring.new_token_keys())
    store = MongoHistoryStore(mongo_database, vault)
    await store.put("T1", "auth0|ada", "refund", KNOWN)
    (secret,) = [one async for one in store.secrets()]
    anew = vault.seal(
        vault.open(secret.sealed, record=secret.record, name=secret.name), record=secret.record, name=secret.name
    )
    assert await store.swap(secret, anew)
    assert not await store.swap(secret, anew)
    assert await store.get("T1", "auth0|ada", "refund") == KNOWN
