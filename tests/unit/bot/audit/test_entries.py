"""What an entry holds: the fields of the contract and nothing that should be known to nobody."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.audit.chain import Entry, first_bad
from bot.audit.ports import Stands, Unsure
from bot.audit.store import MongoAuditStore
from bot.audit.writer import AuditWriter
from bot.database import Database
from bot.errors import AuditUnavailable
from oauth import Subject
from tests.conftest import HandClock
from tests.fakes.audit import MemoryAuditStore
from tests.fakes.runner import AUDIT_KEY, person

ADA, BOB = person("ada"), person("bob")


@pytest.fixture
def store() -> MemoryAuditStore:
    """An empty trail."""
    return MemoryAuditStore()


@pytest.fixture
def writer(store: MemoryAuditStore, clock: HandClock) -> AuditWriter:
    """One process that writes to it."""
    return AuditWriter(store, AUDIT_KEY, clock)


async def test_text_within_lists_and_objects_is_mended_too(writer: AuditWriter, store: MemoryAuditStore) -> None:
    """A provider names scopes and people, and may send half a character in each."""
    odd = replace(ADA, identity=replace(ADA.identity, sub=Subject("auth0|\ud83d")))
    entry = await writer.append(
        "x",
        "ok",
        slack=ADA.slack,
        scopes=frozenset({"read:\ud83d"}),
        approver={"team": "T1", "user": "UADA", "sub": odd.identity.sub},
    )
    assert (entry["scopes"], entry["approver"]["sub"]) == (["read:?"], "auth0|?")
    assert first_bad([one async for one in store.entries()]) is None


async def test_what_does_not_apply_is_absent(writer: AuditWriter) -> None:
    """Neither null nor empty: a reader need not tell them apart."""
    bare = await writer.append("keys.rotated", "ok")
    assert set(bare) == {"chain", "seq", "at", "type", "outcome", "prev", "hash"}
    empty = await writer.append("x", "ok", arguments={}, scopes=frozenset())
    assert empty["scopes"] == []
    assert len(empty["arguments_digest"]) == 64


@given(st.datetimes(timezones=st.timezones()))
def test_times_are_rfc_3339_and_sort_as_text(at: datetime) -> None:
    """In UTC, with milliseconds and a `Z`, of one length: the export compares them as text."""
    assume(1000 < at.year < 9999)
    entry = asyncio.run(AuditWriter(MemoryAuditStore(), AUDIT_KEY, lambda: at).append("x", "ok"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["at"])
    assert timedelta() <= at - datetime.fromisoformat(entry["at"]) < timedelta(milliseconds=1)


async def test_t78_no_value_of_an_argument_and_no_token_is_in_an_entry(
    mongo_database: Database, clock: HandClock
) -> None:
    """Nested as they may be, what is kept of arguments is their digest; of a token, its `jti`."""
    store = MongoAuditStore(mongo_database)
    arguments = {"canary-name": "canary", "deep": [{"code": "canary", "amount": 4711.5}], "token": "eyJcanary"}
    writer = AuditWriter(store, AUDIT_KEY, clock)
    returned = await writer.append("action.started", "ok", slack=ADA.slack, arguments=arguments, token_jti="jti-1")
    (kept,) = [one async for one in mongo_database["audit"].find()]
    for entry in (returned, kept):
        assert "canary" not in repr(entry)
        assert "4711.5" not in repr(entry)  # no hash can hold a point
        assert entry["token_jti"] == "jti-1"


async def test_a_digest_of_arguments_depends_on_their_values_alone(writer: AuditWriter) -> None:
    """The same call in another order of names is the same digest in another entry, also after another start."""
    one = await writer.append("x", "ok", arguments={"a": 1, "b": {"c": 2, "d": 3}})
    other = await AuditWriter(MemoryAuditStore(), AUDIT_KEY, lambda: datetime.now(UTC)).append(
        "x", "ok", arguments={"b": {"d": 3, "c": 2}, "a": 1}
    )
    changed = await writer.append("x", "ok", arguments={"a": 1, "b": {"c": 2, "d": 4}})
    assert one["arguments_digest"] == other["arguments_digest"] != changed["arguments_digest"]


async def test_t51_a_head_that_is_no_entry_of_ours_is_not_gone_on_from(
    mongo_database: Database, clock: HandClock
) -> None:
    """`true` counts as 1 in Python, and would lend its made-up hash to the next entry."""
    await mongo_database["audit"].insert_one({"chain": "-", "seq": True, "hash": "x"})
    with pytest.raises(AuditUnavailable):
        await AuditWriter(MongoAuditStore(mongo_database), AUDIT_KEY, clock).append("x", "ok")
    assert await mongo_database["audit"].count_documents({}) == 1


async def test_t53_entries_of_one_process_queue_up(clock: HandClock) -> None:
    """However many at once: they do not race each other until one of them has lost too often."""

    class Far(MemoryAuditStore):
        """Others get their turn while it is asked."""

        async def append(self, entries: list[Entry]) -> Stands | Unsure:
            await asyncio.sleep(0)
            return await super().append(entries)

    store = Far()
    writer = AuditWriter(store, AUDIT_KEY, clock)
    await asyncio.gather(*(writer.append("x", "ok", run=str(n)) for n in range(100)))
    entries = [one async for one in store.entries()]
    assert [one["run"] for one in entries] == [str(n) for n in range(100)]
    assert first_bad(entries) is None
