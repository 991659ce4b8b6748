"""The chain: whatever is done to it afterwards, the first entry that does not hold is named."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.audit.chain import GENESIS, Bad, Entry, Walk, arguments_digest, digest, first_bad, linked


def chain(length: int, name: str = "T1") -> list[Entry]:
    entries: list[Entry] = []
    prev = GENESIS
    for seq in range(1, length + 1):
        entries.append(linked({"chain": name, "type": "action.started", "run": str(seq)}, seq=seq, prev=prev))
        prev = entries[-1]["hash"]
    return entries


def recomputed(entries: list[Entry]) -> list[Entry]:
    """As somebody would who can write the whole collection and knows how it is made."""
    again: list[Entry] = []
    prev = GENESIS
    for seq, entry in enumerate(entries, 1):
        fields = {name: value for name, value in entry.items() if name not in {"seq", "prev", "hash"}}
        again.append(linked(fields, seq=seq, prev=prev))
        prev = again[-1]["hash"]
    return again


def test_a_whole_trail_holds() -> None:
    """Several chains, each from its own beginning."""
    assert first_bad([*chain(3, "-"), *chain(5)]) is None
    assert first_bad([]) is None


@given(at=st.integers(0, 4), name=st.sampled_from(["type", "run", "prev", "hash", "seq", "chain"]))
def test_t51_an_edited_entry_is_named(at: int, name: str) -> None:
    """Any field of any entry: `hash` covers all of it."""
    entries = chain(5)
    entries[at] = entries[at] | {name: 99 if name == "seq" else "changed"}
    bad = first_bad(entries)
    assert bad is not None
    assert bad.seq in {at + 1, 1}
    assert name == "chain" or bad.seq == at + 1


@pytest.mark.parametrize(
    "value", [float("nan"), 2**60, "\ud83d", object(), b"bytes", {1: 2}], ids=lambda value: type(value).__name__
)
def test_t51_what_no_writer_writes_is_named(value: Any) -> None:
    """An entry that has no canonical form was altered, and the verifier goes on to say so."""
    entries = chain(2)
    entries[1] = entries[1] | {"reason": value}
    assert first_bad(entries) == Bad("T1", 2, "was altered")


@pytest.mark.parametrize("field", ["type", "prev", "hash", "seq"])
def test_t51_a_field_that_was_taken_away_is_missed(field: str) -> None:
    """Nothing is a change too."""
    entries = chain(3)
    del entries[1][field]
    bad = first_bad(entries)
    assert bad is not None
    assert bad.seq == 2


@pytest.mark.parametrize("at", [0, 1, 3])
def test_t51_a_deleted_entry_is_named(at: int) -> None:
    """The place that is empty is the bad one."""
    entries = chain(5)
    del entries[at]
    assert first_bad(entries) == Bad("T1", at + 1, "missing")


@given(st.integers(0, 4), st.integers(0, 4))
def test_t51_entries_in_another_order_are_named(one: int, two: int) -> None:
    """Two entries that changed places, their numbers adapted: the first of them no longer follows."""
    entries = chain(5)
    moved = list(entries)
    moved[one], moved[two] = entries[two] | {"seq": one + 1}, entries[one] | {"seq": two + 1}
    bad = first_bad(moved)
    if one == two:
        assert bad is None
    else:
        assert bad is not None
        assert bad.seq == min(one, two) + 1


@pytest.mark.parametrize("at", [0, 2, 4])
def test_t51_an_inserted_entry_is_named(at: int) -> None:
    """Even one that is made as ours are: the next one no longer follows, whether or not it was given a new number."""
    entries = chain(5)
    prev = entries[at - 1]["hash"] if at else GENESIS
    false = linked({"chain": "T1", "type": "approval.approved"}, seq=at + 1, prev=prev)
    renumbered = [entry | {"seq": entry["seq"] + 1} for entry in entries[at:]]
    found = first_bad([*entries[:at], false, *renumbered])
    assert found == Bad("T1", at + 2, "does not follow from the entry before it")
    doubled = first_bad([*entries[:at], false, *entries[at:]])
    assert doubled == Bad("T1", at + 2, "out of order or doubled")


def test_t51_a_tail_that_was_cut_is_missed() -> None:
    """Nothing in the database tells; the signed head does, and the first missing place is named."""
    entries = chain(5)
    heads = {"T1": {3: entries[2]["hash"], 5: entries[4]["hash"]}}
    assert first_bad(entries[:4], heads) == Bad("T1", 5, "missing, though a signed checkpoint reaches further")
    assert first_bad(entries[:4]) is None


def test_t51_a_chain_that_is_gone_is_missed() -> None:
    """A workspace whose entries were all removed still has its signed heads."""
    assert first_bad(chain(2, "-"), {"T1": {5: "x"}}) == Bad(
        "T1", 1, "missing, though a signed checkpoint reaches further"
    )


def test_t52_a_recomputed_chain_disagrees_with_its_checkpoint() -> None:
    """Every hash of it holds; the one that was signed is another."""
    entries = chain(5)
    heads = {"T1": {3: entries[2]["hash"], 5: entries[4]["hash"]}}
    edited = [*entries[:1], entries[1] | {"type": "approval.approved"}, *entries[2:]]
    forged = recomputed(edited)
    assert first_bad(forged) is None
    assert first_bad(forged, heads) == Bad("T1", 3, "differs from its signed checkpoint")
    assert first_bad(entries, heads) is None


def test_a_walk_can_begin_where_a_chain_is_known_to_stand() -> None:
    """From a signed head on, the entries before it need not be read again."""
    entries = chain(5)
    walk = Walk(start={"T1": (3, entries[2]["hash"])})
    assert [walk.step(entry) for entry in entries[3:]] == [None, None]
    assert walk.last("T1") == (5, entries[4]["hash"])
    walk = Walk(start={"T1": (3, "another")})
    assert walk.step(entries[3]) == Bad("T1", 4, "does not follow from the entry before it")


@given(st.dictionaries(st.sampled_from(["type", "user", "reason", "at"]), st.text() | st.none() | st.integers(0, 9)))
def test_a_digest_does_not_depend_on_the_order_of_fields(fields: dict[str, Any]) -> None:
    """RFC 8785 sorts them, and fields that do not apply are absent."""
    entry = linked(fields, seq=1, prev=GENESIS)
    assert None not in entry.values()
    assert digest(dict(reversed(entry.items()))) == entry["hash"]


def test_arguments_cannot_be_guessed_from_their_digest() -> None:
    """It depends on a key, on the values, and not on their order."""
    values = {"amount": 5, "order_id": "A-1"}
    assert arguments_digest(values, b"k" * 32) == arguments_digest(dict(reversed(values.items())), b"k" * 32)
    assert arguments_digest(values, b"k" * 32) != arguments_digest(values, b"l" * 32)
    assert arguments_digest(values, b"k" * 32) != arguments_digest(values | {"amount": 6}, b"k" * 32)


LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
VALUES = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(st.text(max_size=4), LEAVES, max_size=3)
NAMES = ["type", "run", "approver", "scopes", "seq", "prev", "hash", "another"]


@given(data=st.data())
def test_t51_any_single_change_of_any_entry_is_found(data: st.DataObject) -> None:
    """A field changed, added or taken away, anywhere, to anything: that entry is the first bad one."""
    entries = chain(data.draw(st.integers(1, 6)))
    at = data.draw(st.integers(0, len(entries) - 1))
    name = data.draw(st.sampled_from(NAMES))
    before = entries[at]
    if name in before and data.draw(st.booleans()):
        changed = {field: value for field, value in before.items() if field != name}
    else:
        changed = before | {name: data.draw(VALUES)}
    assume(json.dumps(changed, sort_keys=True) != json.dumps(before, sort_keys=True))  # True is not 1
    bad = first_bad([*entries[:at], changed, *entries[at + 1 :]])
    assert bad is not None
    assert (bad.chain, bad.seq) == ("T1", at + 1)


@given(at=st.integers(0, 4), to=st.text(min_size=1) | st.none() | st.integers())
def test_t51_an_entry_moved_into_another_chain_is_found(at: int, to: str | int | None) -> None:
    """It belongs in neither of them: the place it left is missing, the one it came to is not its own."""
    assume(to != "T1")
    entries = chain(5)
    entries[at] = entries[at] | {"chain": to}
    bad = first_bad(sorted(entries, key=lambda entry: (str(entry["chain"]), entry["seq"])))
    assert bad is not None
    assert (bad.chain, bad.seq) in {("T1", at + 1), (str(to), 1)}


@given(st.integers(1, 5), st.integers(0, 4), st.booleans())
def test_t52_whatever_is_recomputed_before_a_checkpoint_disagrees_there(signed: int, at: int, cut: bool) -> None:
    """From the altered entry on all hashes are made anew; the first signed place from there on tells."""
    entries = chain(5)
    forged = recomputed([*entries[:at], entries[at] | {"type": "forged"}, *entries[at + 1 :]])
    heads = {"T1": {signed: entries[signed - 1]["hash"]}}
    bad = first_bad(forged[: signed - 1] if cut else forged, heads)
    if cut:
        assert bad == Bad("T1", signed, "missing, though a signed checkpoint reaches further")
    elif at < signed:
        assert bad == Bad("T1", signed, "differs from its signed checkpoint")
    else:
        assert bad is None


def test_an_arguments_digest_is_the_documented_one() -> None:
    """HMAC-SHA-256 over the RFC 8785 form, as anybody with the key can make it again."""
    wanted = hmac.new(b"k" * 32, b'{"a":"\xc3\xa9","b":[1,2.5,true,null]}', hashlib.sha256).hexdigest()
    assert arguments_digest({"b": [1, 2.50, True, None], "a": "é"}, b"k" * 32) == wanted
