"""What every store of entries promises: each place of a chain is taken once, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, BulkWriteError, PyMongoError

from bot import keyring
from bot.audit.chain import GENESIS, Entry, first_bad, linked
from bot.audit.ports import AuditStore, Stands, Unsure
from bot.audit.store import MongoAuditStore
from bot.audit.writer import AuditWriter
from bot.database import Database, EmbeddedServer, connect
from bot.errors import AuditUnavailable
from oauth import Identity, SlackUser, Subject
from tests.conftest import HandClock
from tests.fakes.audit import MemoryAuditStore

ADA, BOB = SlackUser("T1", "UADA"), SlackUser("T1", "UBOB")
KEY = keyring.new_audit_key()


def entries_of(count: int) -> list[Entry]:
    """A chain T1 of so many."""
    made: list[Entry] = []
    for seq in range(1, count + 1):
        made.append(linked({"chain": "T1", "type": "a"}, seq=seq, prev=made[-1]["hash"] if made else GENESIS))
    return made


@dataclass
class Replicas:
    """Three processes on one store, as far as the adapter allows for it."""

    stores: list[AuditStore]
    database: Any = None


@pytest.fixture
async def in_database(mongo_database: Database) -> Replicas:
    """Three adapters on one database."""
    await MongoAuditStore(mongo_database).ensure_indexes()
    return Replicas([MongoAuditStore(mongo_database) for _ in range(3)], mongo_database)


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
    assert await store.append([first, second]) == Stands(2)
    assert await store.append([other]) == Stands(1)
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
    assert await store.append([rival, after]) == Stands(0)
    assert [one async for one in store.entries()] == [first]


async def test_what_stands_before_a_taken_place_is_counted(store: AuditStore) -> None:
    """A group that is overtaken in its middle: so many stand, the taken place is the other's, the rest is not there."""
    group = entries_of(5)
    rival = linked({"chain": "T1", "type": "b"}, seq=4, prev=group[2]["hash"])
    await store.append(group[:1])
    await store.append([rival])
    assert await store.append(group[1:]) == Stands(2)
    assert [one async for one in store.entries()] == [*group[:3], rival]


async def test_a_group_of_none_stands(store: AuditStore) -> None:
    """As it is for a list."""
    assert await store.append([]) == Stands(0)
    assert await store.head("T1") is None


@pytest.mark.parametrize(
    "places",
    [[1], [1, 2, 3], [2], [1, 4, 16, 17], [1, 63, 64, 65, 300], [5, 70_000], [1, 4, 4096, 99_999], [2**50, 2**50 + 9]],
    ids=lambda places: "-".join(map(str, places)),
)
async def test_the_head_is_the_last_however_long_the_chain_and_whatever_is_missing(
    store: AuditStore, places: list[int]
) -> None:
    """Sought from the beginning, from a place near it, and from a place behind it, where there is none."""
    for seq in places:
        await store.append([linked({"chain": "T1", "type": "x"}, seq=seq, prev=GENESIS)])
    await store.append([linked({"chain": "T2", "type": "x"}, seq=places[-1] + 1, prev=GENESIS)])
    last = linked({"chain": "T1", "type": "x"}, seq=places[-1], prev=GENESIS)
    assert await store.head("T1") == (last["seq"], last["hash"])
    assert await store.head("T1", from_seq=places[0]) == (last["seq"], last["hash"])
    assert await store.head("T1", from_seq=places[-1]) == (last["seq"], last["hash"])
    assert await store.head("T1", from_seq=places[-1] + 1) is None


async def test_the_same_words_twice_are_two_entries(store: AuditStore) -> None:
    """Two replicas that write the very same in the same moment: the second is told that its place is gone."""
    entry = linked({"chain": "T1", "type": "a"}, seq=1, prev=GENESIS)
    assert await store.append([entry]) == Stands(1)
    assert await store.append([entry]) == Stands(0)


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


async def test_t53_three_replicas_with_2000_entries_each_fork_nothing(tmp_path: Path, clock: HandClock) -> None:
    """On one chain, each with a connection of its own: nobody starves, no gap, no fork, and each replica's in order.

    On a server of its own, which need not be emptied for others: SecantusDB is slow at that.
    """
    server = EmbeddedServer(tmp_path)
    uri = await server.start()
    clients = [connect(uri, "trail") for _ in range(3)]
    try:
        stores = [MongoAuditStore(database) for _, database in clients]
        await stores[0].ensure_indexes()
        writers = [AuditWriter(store, KEY, clock) for store in stores]
        written = await asyncio.gather(
            *(
                writer.append("action.started", "ok", slack=ADA, run=f"{name} {n}")
                for n in range(2_000)
                for name, writer in enumerate(writers)
            )
        )
        entries = [one async for one in stores[0].entries()]
    finally:
        for client, _ in clients:
            client.close()
        await server.stop()
    assert first_bad(entries) is None
    assert entries == sorted(written, key=lambda one: int(one["seq"]))
    for name in range(3):
        assert [one["run"] for one in entries if one["run"][0] == str(name)] == [f"{name} {n}" for n in range(2_000)]


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


class Line:
    """The collection at the end of a line that goes dead: `arriving` entries of a group get through to the server.

    `refusal` is what comes back in place of an answer. With `deaf`, nothing is seen afterwards either.
    """

    def __init__(self, entries: Any, arriving: int, *, refusal: PyMongoError | None = None, deaf: bool = False) -> None:
        self._entries = entries
        self._arriving = arriving
        self._refusal = refusal or AutoReconnect("canary")
        self._deaf = deaf
        self.asked: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entries, name)

    async def insert_many(self, documents: list[dict[str, Any]]) -> None:
        """Written as far as it arrives, and then the line is dead."""
        if self._arriving:
            await self._entries.insert_many(documents[: self._arriving])
        raise self._refusal

    def find(self, query: dict[str, Any], *more: Any) -> Any:
        """As the server, if it can still be heard."""
        self.asked.append(query)
        if self._deaf:
            raise AutoReconnect("canary")
        return self._entries.find(query, *more)


def broken(database: Database, arriving: int, **how: Any) -> MongoAuditStore:
    """The store behind such a line."""
    store = MongoAuditStore(database)
    store._entries = Line(database["audit"], arriving, **how)  # type: ignore[assignment]
    return store


@pytest.mark.parametrize("arriving", [0, 1, 3])
async def test_t67_a_group_whose_answer_was_lost_is_looked_up(in_database: Replicas, arriving: int) -> None:
    """So many of it are in their places; of the others nobody knows, so they are not called lost to somebody else."""
    group = entries_of(3)
    fate = await broken(in_database.database, arriving).append(group)
    assert fate == (Stands(3) if arriving == 3 else Unsure(arriving))
    assert [one async for one in in_database.stores[0].entries()] == group[:arriving]


async def test_t67_a_group_whose_answer_was_lost_and_that_was_overtaken(in_database: Replicas) -> None:
    """Somebody else is in the place of the second: the rest can never arrive, and may be written elsewhere."""
    group = entries_of(3)
    rival = linked({"chain": "T1", "type": "b"}, seq=2, prev=group[0]["hash"])
    await in_database.stores[0].append([rival])
    assert await broken(in_database.database, 1).append(group) == Stands(1)


async def test_t67_another_replicas_entry_of_the_same_words_is_not_taken_for_ours(in_database: Replicas) -> None:
    """It stands in our place, and says the very same, but it is not the one that got lost."""
    group = entries_of(2)
    await in_database.stores[0].append(group)
    assert await broken(in_database.database, 0).append(group) == Stands(0)


async def test_t67_a_write_that_the_majority_was_late_for_stands_if_it_is_there(in_database: Replicas) -> None:
    """An answer that names no entry as refused, only that the other members did not confirm in time."""
    late = BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": "canary"}]})
    assert await broken(in_database.database, 3, refusal=late).append(entries_of(3)) == Stands(3)


async def test_t67_a_repeated_write_is_not_taken_for_somebody_elses(in_database: Replicas) -> None:
    """A server that forgot that it had written the group, and refuses it when the driver sends it again."""
    for arriving, fate in ((3, Stands(3)), (2, Unsure(2))):
        again = BulkWriteError({"writeErrors": [{"index": 0, "code": 11000}], "writeConcernErrors": []})
        assert await broken(in_database.database, arriving, refusal=again).append(entries_of(3)) == fate
        await in_database.database["audit"].delete_many({})


async def test_a_lost_race_looks_at_one_place_only(in_database: Replicas) -> None:
    """The server has said how far it came, and who stands there is one entry on the index, however large the group."""
    group = entries_of(300)
    await in_database.stores[0].append(group)
    taken = BulkWriteError({"writeErrors": [{"index": 100, "code": 11000}], "writeConcernErrors": []})
    store = broken(in_database.database, 0, refusal=taken)
    assert await store.append(group) == Stands(100)
    assert store._entries.asked == [{"chain": "T1", "seq": {"$gte": 101, "$lte": 101}}]


async def test_t67_what_the_server_said_counts_though_the_line_is_dead_afterwards(in_database: Replicas) -> None:
    """So many stand by its word; where it has said nothing, nothing is known of any."""
    taken = BulkWriteError({"writeErrors": [{"index": 2, "code": 11000}], "writeConcernErrors": []})
    assert await broken(in_database.database, 2, refusal=taken, deaf=True).append(entries_of(3)) == Unsure(2)
    with pytest.raises(AuditUnavailable) as caught:
        await broken(in_database.database, 3, deaf=True).append(entries_of(3))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("length", [1_030, 1_300])
async def test_the_head_of_a_long_chain_is_found_without_reading_it(in_database: Replicas, length: int) -> None:
    """The embedded server fetches whatever a query admits, so the last query admits only the end of the chain."""

    class Watched:
        """Remembers from which place on was read."""

        def __init__(self, entries: Any) -> None:
            self._entries = entries
            self.starts: list[object] = []

        async def find_one(self, query: dict[str, Any], *more: Any, **options: Any) -> Any:
            self.starts.append(query.get("seq", {}).get("$gte"))
            return await self._entries.find_one(query, *more, **options)

    store, group = MongoAuditStore(in_database.database), entries_of(length)
    await store.append(group)
    store._entries = watched = Watched(in_database.database["audit"])  # type: ignore[assignment]
    assert await store.head("T1") == (length, group[-1]["hash"])
    *landmarks, start = watched.starts
    assert set(landmarks) == {None}
    assert isinstance(start, int)
    assert length - start < 100
    assert len(landmarks) < 5


async def test_a_place_that_was_made_a_list_leads_nowhere(in_database: Replicas) -> None:
    """Somebody who writes into the database cannot lead the next entry to a place of his choice that way."""
    await in_database.database["audit"].insert_one({"chain": "T1", "seq": [1, 4, 16], "hash": "0" * 64})
    with pytest.raises(AuditUnavailable):
        await in_database.stores[0].head("T1")
