"""Signed heads outside the database: what they vouch for cannot be rewritten, and they vouch for nothing rewritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from joserfc import jws
from joserfc.jwk import KeySet

from bot import keyring
from bot.audit.chain import GENESIS, first_bad, linked
from bot.audit.checkpoints import Checkpoints
from bot.audit.store import MongoAuditStore
from bot.audit.writer import AuditWriter
from bot.database import Database
from bot.errors import AuditUnavailable
from tests.conftest import HandClock
from tests.fakes.audit import MemoryAuditStore
from tests.fakes.runner import AUDIT_KEY, person

ADA = person("ada")


class Trail:
    """A store, its writer, and the file beside it; `restarted` is a new process on them."""

    def __init__(self, path: Path, clock: HandClock) -> None:
        self.path, self.clock = path, clock
        self.store = MemoryAuditStore()
        self.restarted()

    def restarted(self) -> None:
        self.writer = AuditWriter(self.store, AUDIT_KEY, self.clock)
        self.checkpoints = Checkpoints(self.path, AUDIT_KEY, self.store, self.clock)

    async def write(self, *types: str) -> None:
        for type_ in types:
            await self.writer.append(type_, "ok", slack=ADA.slack)

    @property
    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def rewrite(self, types: list[str]) -> None:
        """As somebody would who has the database alone."""
        self.store._entries.clear()
        prev = GENESIS
        for seq, type_ in enumerate(types, 1):
            entry = linked({"chain": "T1", "type": type_, "at": "x", "outcome": "ok"}, seq=seq, prev=prev)
            self.store._entries["T1", seq] = entry
            prev = entry["hash"]


@pytest.fixture
def trail(tmp_path: Path, clock: HandClock) -> Trail:
    """An empty one."""
    return Trail(tmp_path / "deep" / "checkpoints.jsonl", clock)


async def test_each_head_that_moved_is_signed_once(trail: Trail) -> None:
    """One line for each chain that moved, none for a quiet round, and none again after a restart."""
    await trail.write("one", "two")
    await trail.writer.append("keys.rotated", "ok")
    await trail.checkpoints.sign()
    await trail.checkpoints.sign()
    trail.restarted()
    await trail.checkpoints.sign()
    assert len(trail.lines) == 2
    await trail.write("three")
    await trail.checkpoints.sign()
    assert len(trail.lines) == 3
    heads = trail.checkpoints.heads()
    assert {chain: sorted(of) for chain, of in heads.items()} == {"T1": [2, 3], "-": [1]}
    assert first_bad([one async for one in trail.store.entries()], heads) is None


async def test_a_checkpoint_is_verified_with_the_published_key(trail: Trail) -> None:
    """Anybody can: the JWK Set has the public part and nothing of the private one."""
    await trail.write("one")
    await trail.checkpoints.sign()
    published = trail.checkpoints.public_keys()
    assert "d" not in published["keys"][0]
    found = jws.deserialize_compact(trail.lines[0], KeySet.import_key_set(published), algorithms=["EdDSA"])
    claims = json.loads(found.payload)
    assert (claims["chain"], claims["seq"]) == ("T1", 1)
    assert claims["hash"] == trail.store.of("one")[0]["hash"]
    assert claims["at"].startswith("2030-01-02T12:00:00")


async def test_a_key_without_a_name_is_named_by_its_thumbprint(trail: Trail) -> None:
    """Header and JWK Set agree on it (RFC 7638)."""
    nameless = {name: value for name, value in AUDIT_KEY.items() if name != "kid"}
    checkpoints = Checkpoints(trail.path, nameless, trail.store, trail.clock)
    await trail.write("one")
    await checkpoints.sign()
    jws.deserialize_compact(trail.lines[0], KeySet.import_key_set(checkpoints.public_keys()), algorithms=["EdDSA"])
    assert checkpoints.heads() == {"T1": {1: trail.store.of("one")[0]["hash"]}}


async def test_every_checkpoint_is_in_the_log_too(trail: Trail) -> None:
    """Whoever collects logs elsewhere has a copy that no one on this machine can take back."""
    await trail.write("one")
    with structlog.testing.capture_logs() as logs:
        await trail.checkpoints.sign()
    assert [one["jws"] for one in logs if one["event"] == "checkpoint"] == trail.lines


async def test_t52_a_rewritten_chain_is_found(trail: Trail) -> None:
    """All its hashes hold; the signed one does not agree."""
    await trail.write("one", "two", "three")
    await trail.checkpoints.sign()
    trail.rewrite(["one", "nothing happened", "three"])
    bad = first_bad([one async for one in trail.store.entries()], trail.checkpoints.heads())
    assert bad is not None
    assert bad.why == "differs from its signed checkpoint"


REWRITTEN = {
    "the same length": (["one", "nothing happened"], "differs from its signed checkpoint"),
    "longer": (["one", "nothing happened", "three"], "differs from its signed checkpoint"),
    "cut": (["one"], "missing, though there is a signed checkpoint of it"),
    "gone": ([], "missing, though there is a signed checkpoint of it"),
}


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(("types", "why"), REWRITTEN.values(), ids=REWRITTEN.keys())
async def test_t52_a_rewritten_chain_is_not_signed(trail: Trail, types: list[str], why: str, restarted: bool) -> None:
    """The head must follow from the last signed one, else the signature would vouch for the forgery; it is said."""
    await trail.write("one", "two")
    await trail.checkpoints.sign()
    trail.rewrite(types)
    if restarted:
        trail.restarted()
    with structlog.testing.capture_logs() as logs:
        await trail.checkpoints.sign()
        await trail.checkpoints.sign()
    assert [(one["event"], one["chain"], one["seq"], one["log_level"]) for one in logs] == [
        ("checkpoint_refused", "T1", 2, "error")
    ]
    assert trail.checkpoints.broken["T1"].why == why
    assert len(trail.lines) == 1


async def test_t51_what_was_altered_since_the_last_checkpoint_is_not_signed(trail: Trail) -> None:
    """Entries that no signature covers yet are followed one by one before the next one is made."""
    await trail.write("one")
    await trail.checkpoints.sign()
    await trail.write("two", "three")
    trail.store._entries["T1", 2]["type"] = "nothing happened"
    await trail.checkpoints.sign()
    assert (trail.checkpoints.broken["T1"].seq, trail.checkpoints.broken["T1"].why) == (2, "was altered")
    assert len(trail.lines) == 1


async def test_a_broken_chain_keeps_no_other_from_being_signed(trail: Trail) -> None:
    """One workspace's trouble is its own; and what is mended is signed again."""
    await trail.write("one")
    await trail.checkpoints.sign()
    kept = trail.store._entries.pop(("T1", 1))
    await trail.writer.append("keys.rotated", "ok")
    await trail.checkpoints.sign()
    assert set(trail.checkpoints.heads()) == {"T1", "-"}
    assert set(trail.checkpoints.broken) == {"T1"}
    trail.store._entries["T1", 1] = kept
    await trail.checkpoints.sign()
    assert trail.checkpoints.broken == {}


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_t52_a_tampered_line_is_named(trail: Trail, place: int) -> None:
    """Any change of it, by its number."""
    for type_ in ("one", "two", "three"):
        await trail.write(type_)
        await trail.checkpoints.sign()
    lines = trail.lines
    header, payload, signature = lines[place].split(".")
    lines[place] = f"{header}.{payload[:-4]}AAAA.{signature}"
    trail.path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=f"line {place + 1}: the signature of this checkpoint does not hold"):
        trail.checkpoints.heads()


async def test_t52_a_line_of_another_key_is_named(trail: Trail, clock: HandClock) -> None:
    """A forger has a key too, but not this one."""
    await trail.write("one")
    await Checkpoints(trail.path, keyring.new_audit_key(), trail.store, clock).sign()
    with pytest.raises(ValueError, match="line 1: the signature"):
        trail.checkpoints.heads()


async def test_t52_two_lines_that_contradict_each_other_are_named(trail: Trail) -> None:
    """A second signature of the same place cannot replace the first."""
    await trail.write("one")
    await trail.checkpoints.sign()
    trail.rewrite(["another"])
    elsewhere = Checkpoints(trail.path.with_name("other"), AUDIT_KEY, trail.store, trail.clock)
    await elsewhere.sign()
    trail.path.write_text(trail.path.read_text() + trail.path.with_name("other").read_text())
    with pytest.raises(ValueError, match="line 2: this checkpoint contradicts an earlier one"):
        trail.checkpoints.heads()


@pytest.mark.parametrize("line", ["", "garbage", "a.b.c", "\xff\xfe", '{"chain":"T1","seq":1,"hash":"x"}'])
async def test_a_line_that_is_no_checkpoint_is_named(trail: Trail, line: str) -> None:
    """And the signing goes on behind it, saying so."""
    await trail.write("one")
    await trail.checkpoints.sign()
    with trail.path.open("ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    with pytest.raises(ValueError, match="line 2"):
        trail.checkpoints.heads()
    trail.restarted()
    await trail.write("two")
    with structlog.testing.capture_logs() as logs:
        await trail.checkpoints.sign()
    assert [(one["event"], one.get("line")) for one in logs] == [("checkpoint_broken", 2), ("checkpoint", None)]


async def test_a_torn_last_line_does_not_tear_the_next(trail: Trail) -> None:
    """A full disk cut a line short: the next one begins on its own."""
    await trail.write("one")
    await trail.checkpoints.sign()
    with trail.path.open("a") as file:
        file.write("eyJhbGciOi")
    await trail.write("two")
    await trail.checkpoints.sign()
    assert len(trail.lines) == 3
    trail.path.write_text("\n".join([trail.lines[0], trail.lines[2]]) + "\n")
    assert sorted(trail.checkpoints.heads()["T1"]) == [1, 2]


async def test_a_file_that_cannot_be_written_is_an_error_and_no_checkpoint(trail: Trail) -> None:
    """What is not on disk does not count as signed: the next round tries again."""
    await trail.write("one")
    trail.path.mkdir(parents=True)
    with pytest.raises(OSError):
        await trail.checkpoints.sign()
    trail.path.rmdir()
    await trail.checkpoints.sign()
    assert len(trail.lines) == 1


async def test_a_store_that_is_away_ends_the_round(trail: Trail) -> None:
    """Nothing is signed, and the next round signs what this one could not."""
    await trail.write("one")
    trail.store.away = True
    with pytest.raises(AuditUnavailable):
        await trail.checkpoints.sign()
    trail.store.away = False
    await trail.checkpoints.sign()
    assert len(trail.lines) == 1


MALFORMED: dict[str, Any] = {
    "no place": {"chain": "A0"},
    "a place that is no number": {"chain": "A0", "seq": "1", "hash": "x"},
    "a place that is a truth": {"chain": "A0", "seq": True, "hash": "x"},
    "no hash": {"chain": "A0", "seq": 1},
    "a name that is a number": {"chain": 7, "seq": 1, "hash": "x"},
    "no name": {"seq": 1, "hash": "x"},
    "not ours": {"chain": "A0", "seq": 1, "hash": "x"},
}


@pytest.mark.parametrize("forged", MALFORMED.values(), ids=MALFORMED.keys())
async def test_t51_nothing_in_one_chain_keeps_another_from_being_signed(
    mongo_database: Database, clock: HandClock, tmp_path: Path, forged: dict[str, Any]
) -> None:
    """Whoever writes to the database can spoil a chain, and its entries are not signed; all others still are."""
    store = MongoAuditStore(mongo_database)
    replica = Checkpoints(tmp_path / "checkpoints.jsonl", AUDIT_KEY, store, clock)
    await AuditWriter(store, AUDIT_KEY, clock).append("action.started", "ok", slack=ADA.slack)
    await mongo_database["audit"].insert_one(dict(forged))
    with structlog.testing.capture_logs() as logs:
        await replica.sign()
    assert {chain: sorted(of) for chain, of in replica.heads().items()} == {"T1": [1]}
    told = [(one["event"], one["chain"]) for one in logs if one["event"] != "checkpoint"]
    if forged.get("chain") == "A0":
        assert told in ([("checkpoint_refused", "A0")], [("checkpoint_unreadable", "A0")])
    assert first_bad([one async for one in store.entries()], replica.heads()) is not None
