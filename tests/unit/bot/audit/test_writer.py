"""The writer: what it cannot write does not happen, and what it writes keeps its place."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from bson.errors import InvalidBSON

from bot import keyring
from bot.audit.chain import Entry, first_bad
from bot.audit.ports import Stands, Unsure
from bot.audit.store import MongoAuditStore
from bot.audit.writer import AuditWriter
from bot.database import Database
from bot.errors import AuditUnavailable
from oauth import SlackUser
from tests.conftest import HandClock
from tests.fakes.audit import MemoryAuditStore
from tests.fakes.runner import AUDIT_KEY, person

ADA = person("ada")


@pytest.fixture
def store() -> MemoryAuditStore:
    """An empty trail."""
    return MemoryAuditStore()


@pytest.fixture
def writer(store: MemoryAuditStore, clock: HandClock) -> AuditWriter:
    """One process that writes to it."""
    return AuditWriter(store, AUDIT_KEY, clock)


async def test_an_entry_is_what_the_contract_says(writer: AuditWriter) -> None:
    """Every field by its name, absent where it does not apply, and no value of an argument."""
    entry = await writer.append(
        "action.finished",
        "ok",
        slack=ADA.slack,
        identity=replace(ADA.identity, org="org_1"),
        action="refund_order",
        arguments={"order_id": "canary"},
        scopes=frozenset({"b", "a"}),
        token_jti="jti-1",
        approval="a1",
        approver={"team": "T1", "user": "UADA", "sub": "auth0|ada"},
        run="r1",
        request="1.2",
    )
    digest, hash_ = entry.pop("arguments_digest"), entry.pop("hash")
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert re.fullmatch(r"[0-9a-f]{64}", hash_)
    assert entry == {
        "chain": "T1",
        "seq": 1,
        "at": "2030-01-02T12:00:00.000Z",
        "type": "action.finished",
        "outcome": "ok",
        "team": "T1",
        "user": "UADA",
        "sub": "auth0|ada",
        "org": "org_1",
        "action": "refund_order",
        "scopes": ["a", "b"],
        "token_jti": "jti-1",
        "approval": "a1",
        "approver": {"team": "T1", "user": "UADA", "sub": "auth0|ada"},
        "run": "r1",
        "request": "1.2",
        "prev": "0" * 64,
    }


async def test_what_concerns_no_workspace_has_a_chain_of_its_own(writer: AuditWriter) -> None:
    """`-`, and in Enterprise Grid the organization is the workspace."""
    assert (await writer.append("keys.rotated", "ok"))["chain"] == "-"
    assert (await writer.append("link.started", "ok", slack=SlackUser("T1", "U1", "E1")))["chain"] == "E1"


async def test_times_are_in_utc(store: MemoryAuditStore) -> None:
    """Whatever zone the clock speaks of."""
    east = datetime(2030, 1, 2, 14, 0, 0, 5000, tzinfo=timezone(timedelta(hours=2)))
    assert (await AuditWriter(store, AUDIT_KEY, lambda: east).append("x", "ok"))["at"] == "2030-01-02T12:00:00.005Z"


async def test_the_key_of_digests_is_derived(store: MemoryAuditStore, clock: HandClock) -> None:
    """Another audit key, another digest: it is not the bare hash, and not the key itself that is used."""
    digests = {
        (await AuditWriter(store, key, clock).append("x", "ok", arguments={"a": 1}))["arguments_digest"]
        for key in (AUDIT_KEY, keyring.new_audit_key())
    }
    assert len(digests) == 2


async def test_text_from_outside_cannot_keep_an_entry_from_being_written(
    writer: AuditWriter, store: MemoryAuditStore
) -> None:
    """Half a surrogate pair becomes a question mark, instead of an exception where a refusal belongs."""
    await writer.append("action.refused", "denied", slack=ADA.slack, approval="\ud83d", reason="x\x00y")
    json.dumps(store.of("action.refused"), ensure_ascii=False).encode()
    assert first_bad([one async for one in store.entries()]) is None


async def test_t54_what_cannot_be_written_raises(writer: AuditWriter, store: MemoryAuditStore) -> None:
    """And the next entry takes the place that stayed free."""
    await writer.append("one", "ok")
    store.away = True
    with pytest.raises(AuditUnavailable):
        await writer.append("two", "ok")
    store.away = False
    assert (await writer.append("three", "ok"))["seq"] == 2
    assert first_bad([one async for one in store.entries()]) is None


async def test_t53_a_replica_that_was_overtaken_looks_again(store: MemoryAuditStore, clock: HandClock) -> None:
    """It remembers a head that is old by now: the place is taken, so it reads the chain and takes the next."""
    one, two = AuditWriter(store, AUDIT_KEY, clock), AuditWriter(store, AUDIT_KEY, clock)
    for n in range(3):
        await one.append("one", "ok", run=str(n))
        await two.append("two", "ok", run=str(n))
    entries = [entry async for entry in store.entries()]
    assert [entry["type"] for entry in entries] == ["one", "two"] * 3
    assert first_bad(entries) is None


async def test_a_place_that_is_always_taken_ends_in_an_error(clock: HandClock) -> None:
    """A store that never lets anybody in does not keep the caller for ever, and the caller does not act."""

    class Full(MemoryAuditStore):
        """Somebody is always first."""

        async def append(self, entries: list[Entry]) -> Stands | Unsure:
            return Stands(0)

    with pytest.raises(AuditUnavailable):
        await AuditWriter(Full(), AUDIT_KEY, clock, patience=0.0).append("x", "ok")


async def test_t51_an_entry_removed_under_a_running_process_stays_missing(
    writer: AuditWriter, store: MemoryAuditStore
) -> None:
    """The remembered head is gone on from: the gap stays open to see, instead of being filled with the next entry."""
    for _ in range(3):
        await writer.append("x", "ok")
    del store._entries["-", 3]
    await writer.append("y", "ok")
    bad = first_bad([one async for one in store.entries()])
    assert bad is not None
    assert (bad.seq, bad.why) == (3, "missing")


async def test_a_cancelled_writer_leaves_the_chain_whole(clock: HandClock) -> None:
    """Its entry may or may not stand; the next one follows from whatever is there."""

    class Slow(MemoryAuditStore):
        """Writes at once, and answers late."""

        async def append(self, entries: list[Entry]) -> Stands | Unsure:
            done = await super().append(entries)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return done

    store = Slow()
    writer = AuditWriter(store, AUDIT_KEY, clock)
    await writer.append("one", "ok")
    task = asyncio.create_task(writer.append("two", "ok"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert (await writer.append("three", "ok"))["seq"] == 3
    assert first_bad([one async for one in store.entries()]) is None


class Garbled:
    """A collection in which somebody left what the driver cannot read."""

    async def find_one(self, *_: object, **__: object) -> object:
        """Such as a time beyond all years."""
        raise InvalidBSON("canary")


async def test_t54_a_head_that_cannot_be_read_is_an_error(mongo_database: Database, clock: HandClock) -> None:
    """Nothing follows from it, so nothing is done; and what the driver says of it goes nowhere."""
    store = MongoAuditStore(mongo_database)
    store._entries = Garbled()  # type: ignore[assignment]
    with pytest.raises(AuditUnavailable) as caught:
        await AuditWriter(store, AUDIT_KEY, clock).append("x", "ok")
    assert "canary" not in str(caught.value)
