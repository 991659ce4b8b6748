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
Head = tuple[int, str]

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Bad:
    """The first entry that does not hold, and why."""

    chain: str
    seq: int
    why: str


def digest(entry: Mapping[str, Any]) -> str:
    """What `hash` must be. Raises ValueError for what no writer of ours can have written."""
    try:
        return hashlib.sha256(
            rfc8785.dumps({name: value for name, value in entry.items() if name != "hash"})
        ).hexdigest()
    except (rfc8785.CanonicalizationError, RecursionError):
        raise ValueError("no RFC 8785 form") from None


def linked(fields: Mapping[str, Any], *, seq: int, prev: str) -> Entry:
    """The entry with its place in the chain; fields that are None are left out."""
    entry = {name: value for name, value in fields.items() if value is not None} | {"seq": seq, "prev": prev}
    return entry | {"hash": digest(entry)}


def holds(entry: Mapping[str, Any]) -> bool:
    """Whether the hash of an entry is the one of its content."""
    try:
        return bool(entry.get("hash") == digest(entry))
    except ValueError:
        return False


class Walk:
    """Follows chains entry by entry, in the order of chain and `seq`; for more of them than fit into memory.

    `heads` are hashes that were signed outside the database, by chain and `seq`: they show a chain that was
    recomputed or cut. `start` is where a chain is known to stand, so that it need not be followed from its beginning.
    """

    def __init__(
        self, heads: Mapping[str, Mapping[int, str]] | None = None, start: Mapping[str, Head] | None = None
    ) -> None:
        self._signed = {chain: dict(sorted(of.items())) for chain, of in (heads or {}).items()}
        self._last: dict[str, Head] = dict(start or {})

    def step(self, entry: Mapping[str, Any]) -> Bad | None:
        """The next entry; what is wrong with it, if something is."""
        chain, seq = str(entry.get("chain")), entry.get("seq")
        before, prev = self._last.get(chain, (0, GENESIS))
        if not isinstance(seq, int) or seq != before + 1:
            missing = isinstance(seq, int) and seq > before + 1
            return Bad(chain, before + 1, "missing" if missing else "out of order or doubled")
        if entry.get("prev") != prev:
            return Bad(chain, seq, "does not follow from the entry before it")
        if not holds(entry):
            return Bad(chain, seq, "was altered")
        if self._signed.get(chain, {}).get(seq, entry["hash"]) != entry["hash"]:
            return Bad(chain, seq, "differs from its signed checkpoint")
        self._last[chain] = (seq, str(entry["hash"]))
        return None

    def end(self) -> Bad | None:
        """After the last entry: what a signed checkpoint knows of and nobody has seen."""
        for chain, of in self._signed.items():
            reached = self._last.get(chain, (0, GENESIS))[0]
            if any(seq > reached for seq in of):
                return Bad(chain, reached + 1, "missing, though a signed checkpoint reaches further")
        return None

    def last(self, chain: str) -> Head:
        """How far the chain was followed."""
        return self._last.get(chain, (0, GENESIS))


def first_bad(entries: Iterable[Mapping[str, Any]], heads: Mapping[str, Mapping[int, str]] | None = None) -> Bad | None:
    """Check entries that are sorted by chain and `seq`, with hashes that were signed outside the database."""
    walk = Walk(heads)
    for entry in entries:
        bad = walk.step(entry)
        if bad is not None:
            return bad
    return walk.end()


def arguments_digest(arguments: Mapping[str, Any], key: bytes) -> str:
    """HMAC-SHA-256 of the RFC 8785 form: amounts and ids could be guessed from a bare hash."""
    return hmac.new(key, rfc8785.dumps(dict(arguments)), hashlib.sha256).hexdigest()
