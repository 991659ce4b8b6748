"""What every store of entries promises: each place of a chain is taken once, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from bot import keyring
from bot.audit.chain import GENESIS, first_bad, linked
from bot.audit.ports import AuditStore
from bot.audit.store import MongoAuditStore
from bot.audit.writer import AuditWriter
from bot.database import Database, connect
from bot.errors import AuditUnavailable
from oauth import Identity, SlackUser, Subject
from tests.conftest import HandClock
from tests.fakes.audit import MemoryAuditStore

ADA, BOB = SlackUser("T1", "UADA"), SlackUser("T1", "UBOB")
KEY = keyring.new_audit_key()


@dataclass
class Replicas:
    """Three processes on one store, as far as the adapter allows for it."""

    stores: list[AuditStore]


@pytest.fixture
async def in_database(mongo_database: Database) -> Replicas:
    """Three adapters on one database."""
    await MongoAuditStore(mongo_database).ensure_indexes()
    return Replicas([MongoAuditStore(mongo_database) for _ in range(3)])


@pytest.fixture(params=["memory", "database"])
def replicas(request: pytest.FixtureRequest) -> Replicas:
    """Both adapters keep the same promises."""
    if request.param == "memory":
        return Replicas([MemoryAuditStore()] * 3)
    found: Replicas = request.getfixturevalue("in_database")
    return found


@pytest.fixture
def store(replicas: Replicas) -> AuditStore:
    """One of them."""
    return replicas.stores[0]


async def test_an_empty_chain_has_no_head(store: AuditStore) -> None:
    """Nothing comes before the first entry."""
    assert await store.head("T1") is None
    assert await store.chains() == []


async def test_entries_come_back_as_written_and_in_order(store: AuditStore) -> None:
    """Their hashes hold, by chain and place, and the head is the last."""
    first = linked({"chain": "T1", "type": "a", "at": "1"}, seq=1, prev=GENESIS)
    second = linked({"chain": "T1", "type": "b", "at": "2"}, seq=2, prev=first["hash"])
    other = linked({"chain": "-", "type": "c", "at": "3"}, seq=1, prev=GENESIS)
    assert await store.append([first, second]) == 2
    assert await store.append([other]) == 1
    assert [one async for one in store.entries()] == [other, first, second]
    assert [one async for one in store.entries(chain="T1", from_seq=2)] == [second]
    assert [one async for one in store.entries(since="2")] == [other, second]
    assert await store.head("T1") == (2, second["hash"])
    assert await store.chains() == ["-", "T1"]


async def test_a_taken_place_stays_with_who_took_it(store: AuditStore) -> None:
    """The second entry of one place is refused, and nothing after it is written."""
    first = linked({"chain": "T1", "type": "a"}, seq=1, prev=GENESIS)
    rival = linked({"chain": "T1", "type": "b"}, seq=1, prev=GENESIS)
    after = linked({"chain": "T1", "type": "c"}, seq=2, prev=rival["hash"])
    await store.append([first])
    assert await store.append([rival, after]) == 0
    assert [one async for one in store.entries()] == [first]


async def test_the_same_words_twice_are_two_entries(store: AuditStore) -> None:
    """Two replicas that write the very same in the same moment: the second is told that its place is gone."""
    entry = linked({"chain": "T1", "type": "a"}, seq=1, prev=GENESIS)
    assert await store.append([entry]) == 1
    assert await store.append([entry]) == 0


async def test_t53_three_replicas_fork_nothing(replicas: Replicas, clock: HandClock) -> None:
    """Appends from three writers side by side, in two chains: every one stands, no gap, no fork, every hash holds."""
    writers = [AuditWriter(store, KEY, clock) for store in replicas.stores]
    people = [ADA, SlackUser("T2", "UBOB")]
    appends = [
        writer.append("action.started", "ok", slack=people[n % 2], run=f"{name}-{n}")
        for n in range(10)
        for name, writer in enumerate(writers)
    ]
    written = await asyncio.gather(*appends)
    entries = [one async for one in replicas.stores[0].entries()]
    assert sorted(one["run"] for one in entries) == sorted(one["run"] for one in written)
    assert len(entries) == 30
    assert first_bad(entries) is None


async def test_the_latest_of_a_person(store: AuditStore, clock: HandClock) -> None:
    """Newest first, no more than asked for, nobody else's."""
    writer = AuditWriter(store, KEY, clock)
    for n in range(4):
        await writer.append("action.started", "ok", slack=ADA, run=str(n))
        await writer.append("action.started", "ok", slack=BOB, run=str(n))
    assert [one["run"] for one in await store.of_person("T1", "UADA", 3)] == ["3", "2", "1"]


async def test_entries_of_a_subject(store: AuditStore, clock: HandClock) -> None:
    """An export can be narrowed to one verified identity."""
    writer = AuditWriter(store, KEY, clock)
    for slack, sub in ((ADA, "auth0|ada"), (BOB, "auth0|bob")):
        await writer.append("action.started", "ok", slack=slack, identity=Identity("https://i/", Subject(sub)))
    assert [one["user"] async for one in store.entries(sub="auth0|bob")] == ["UBOB"]


async def test_whether_an_approval_has_its_entry(store: AuditStore, clock: HandClock) -> None:
    """Found by person, type and approval, and by nothing less."""
    writer = AuditWriter(store, KEY, clock)
    await writer.append("approval.expired", "denied", slack=ADA, approval="one")
    assert await store.recorded("T1", "UADA", "approval.expired", "one")
    assert not await store.recorded("T1", "UADA", "approval.expired", "two")
    assert not await store.recorded("T1", "UADA", "approval.denied", "one")
    assert not await store.recorded("T1", "UBOB", "approval.expired", "one")
    assert not await store.recorded("T2", "UADA", "approval.expired", "one")


async def test_no_driver_error_comes_through(unused_tcp_port: int) -> None:
    """A database that is away is `AuditUnavailable` from every method."""
    client, database = connect(f"mongodb://127.0.0.1:{unused_tcp_port}/?connectTimeoutMS=50", "x", patience=0.1)
    store = MongoAuditStore(database)
    try:
        with pytest.raises(AuditUnavailable):
            await store.head("T1")
        with pytest.raises(AuditUnavailable):
            await store.append([linked({"chain": "T1"}, seq=1, prev=GENESIS)])
        with pytest.raises(AuditUnavailable):
            await store.chains()
        with pytest.raises(AuditUnavailable):
            await store.of_person("T1", "UADA", 1)
        with pytest.raises(AuditUnavailable):
            await store.recorded("T1", "UADA", "action.started", "one")
        with pytest.raises(AuditUnavailable):
            [one async for one in store.entries()]
    finally:
        client.close()


async def test_an_entry_whose_hash_was_taken_away_is_followed_by_nothing(mongo_database: Database) -> None:
    """A head without its hash cannot be gone on from, so nothing is written, and so nothing done."""
    store = MongoAuditStore(mongo_database)
    await store.append([linked({"chain": "T1"}, seq=1, prev=GENESIS)])
    await mongo_database["audit"].update_one({"seq": 1}, {"$unset": {"hash": 1}})
    with pytest.raises(AuditUnavailable):
        await store.head("T1")
