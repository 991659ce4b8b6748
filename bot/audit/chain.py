"""The chain itself: pure functions over entries.

An entry is a flat JSON object as the contract describes it. `hash` is the hex SHA-256 of its RFC 8785 form without
`hash`; `prev` is the hash of the entry before it, and 64 zeros in the first.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

Entry = dict[str, Any]

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Bad:
    """The first entry that does not hold, and why."""

    chain: str
    seq: int
    why: str


def digest(entry: Mapping[str, Any]) -> str:
    """What `hash` must be."""
    return hashlib.sha256(rfc8785.dumps({name: value for name, value in entry.items() if name != "hash"})).hexdigest()


def linked(fields: Mapping[str, Any], *, seq: int, prev: str) -> Entry:
    """The entry with its place in the chain; fields that are None are left out."""
    entry = {name: value for name, value in fields.items() if value is not None} | {"seq": seq, "prev": prev}
    return entry | {"hash": digest(entry)}


def first_bad(entries: Iterable[Mapping[str, Any]], heads: Mapping[str, Mapping[int, str]] | None = None) -> Bad | None:
    """Check entries that are sorted by chain and `seq`.

    `heads` are hashes that were signed outside the database, by chain and `seq`; they show a chain that was
    recomputed or cut.
    """
    signed = {chain: dict(sorted(of.items())) for chain, of in (heads or {}).items()}
    last: dict[str, tuple[int, str]] = {}
    for entry in entries:
        chain, seq = str(entry.get("chain")), entry.get("seq")
        before, prev = last.get(chain, (0, GENESIS))
        if seq != before + 1:
            missing = isinstance(seq, int) and seq > before + 1
            return Bad(chain, before + 1, "missing" if missing else "out of order or doubled")
        if entry.get("prev") != prev:
            return Bad(chain, seq, "does not follow from the entry before it")
        if not _as_written(entry):
            return Bad(chain, seq, "was altered")
        if signed.get(chain, {}).get(seq, entry["hash"]) != entry["hash"]:
            return Bad(chain, seq, "differs from its signed checkpoint")
        last[chain] = (seq, str(entry["hash"]))
    for chain, of in signed.items():
        reached = last.get(chain, (0, GENESIS))[0]
        beyond = [seq for seq in of if seq > reached]
        if beyond:
            return Bad(chain, reached + 1, "missing, though a signed checkpoint reaches further")
    return None


def _as_written(entry: Mapping[str, Any]) -> bool:
    """Whether the hash is that of the entry. What JSON cannot hold was never written by us."""
    try:
        return bool(entry.get("hash") == digest(entry))
    except rfc8785.CanonicalizationError:
        return False


def arguments_digest(arguments: Mapping[str, Any], key: bytes) -> str:
    """HMAC-SHA-256 of the RFC 8785 form: amounts and ids could be guessed from a bare hash."""
    return hmac.new(key, rfc8785.dumps(dict(arguments)), hashlib.sha256).hexdigest()
