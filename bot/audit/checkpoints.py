"""Checkpoints: signed heads of the chains, kept outside the database, so that whoever rewrites it is seen.

Each line of `DATA_DIR/checkpoints.jsonl` is `{chain, seq, hash, at}` as a compact JWS (EdDSA, RFC 8037). A head is
signed only if it follows from the last one that was: a signature under a rewritten chain would vouch for it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from bot.audit.chain import GENESIS, Bad, Head, Walk, holds
from bot.audit.ports import AuditStore
from oauth import Clock

log = structlog.get_logger(__name__)

_ALGORITHMS = ["EdDSA", "Ed25519"]


class Checkpoints:
    """Signs the heads that moved since the last round. `broken` has the chains that it refuses to sign, and why."""

    def __init__(self, path: Path, audit_key: Mapping[str, Any], store: AuditStore, clock: Clock) -> None:
        self._path = path
        self._key = OKPKey.import_key(dict(audit_key))
        self._kid = self._key.kid or self._key.thumbprint()
        self._store = store
        self._clock = clock
        self._signed: dict[str, Head] | None = None
        self._lock = asyncio.Lock()
        self.broken: dict[str, Bad] = {}

    def public_keys(self) -> dict[str, Any]:
        """The JWK Set that verifies checkpoints."""
        return {"keys": [dict(self._key.as_dict(private=False)) | {"use": "sig", "alg": "EdDSA", "kid": self._kid}]}

    async def sign(self) -> None:
        """Sign each head that moved, append it to the file, and log it. Raises AuditUnavailable or OSError.

        A chain that does not follow from its last signed head is named in the log, every time, and not signed.
        """
        async with self._lock:
            if self._signed is None:
                self._signed = await asyncio.to_thread(self._last_signed)
            chains = await self._store.chains()
            for chain in sorted({*chains, *self._signed}):
                await self._sign_one(chain, self._signed)

    async def _sign_one(self, chain: str, signed: dict[str, Head]) -> None:
        start = signed.get(chain, (0, GENESIS))
        head = await self._store.head(chain) or (0, GENESIS)
        if head == start:
            self.broken.pop(chain, None)
            return
        bad, reached = await self._followed(chain, start)
        if bad is not None:
            self.broken[chain] = bad
            log.critical("audit_chain_broken", chain=chain, seq=bad.seq, why=bad.why)
            return
        self.broken.pop(chain, None)
        claims = {"chain": chain, "seq": reached[0], "hash": reached[1], "at": self._clock().isoformat()}
        header = {"alg": "EdDSA", "kid": self._kid}
        line = jws.serialize_compact(header, json.dumps(claims).encode(), self._key, algorithms=_ALGORITHMS)
        await asyncio.to_thread(self._append, line)
        signed[chain] = reached
        log.info("checkpoint", chain=chain, seq=reached[0], hash=reached[1], jws=line)

    async def _followed(self, chain: str, start: Head) -> tuple[Bad | None, Head]:
        """Walk from the last signed head, which must still stand there, to the present one."""
        walk = Walk(start={chain: start})
        stands = start[0] == 0
        async for entry in self._store.entries(chain=chain, from_seq=start[0]):
            if entry.get("seq") == start[0] and not stands:
                stands = entry.get("hash") == start[1] and holds(entry)
                if not stands:
                    return Bad(chain, start[0], "differs from its signed checkpoint"), start
                continue
            bad = walk.step(entry)
            if bad is not None:
                return bad, start
        if not stands:
            return Bad(chain, start[0], "missing, though there is a signed checkpoint of it"), start
        return None, walk.last(chain)

    def heads(self) -> dict[str, dict[int, str]]:
        """The signed hashes by chain and place.

        Raises ValueError naming the first line that does not verify, or that contradicts an earlier one.
        """
        found: dict[str, dict[int, str]] = {}
        for number, claims in self._lines():
            if claims is None:
                raise ValueError(f"{self._path}, line {number}: the signature of this checkpoint does not hold")
            chain, seq, hash_ = claims
            if found.setdefault(chain, {}).setdefault(seq, hash_) != hash_:
                raise ValueError(f"{self._path}, line {number}: this checkpoint contradicts an earlier one")
        return found

    def _last_signed(self) -> dict[str, Head]:
        """The furthest head of each chain that the file vouches for; lines that do not hold vouch for nothing."""
        found: dict[str, Head] = {}
        for number, claims in self._lines():
            if claims is None:
                log.critical("checkpoint_broken", file=str(self._path), line=number)
                continue
            chain, seq, hash_ = claims
            if seq > found.get(chain, (0, GENESIS))[0]:
                found[chain] = (seq, hash_)
        return found

    def _lines(self) -> Iterator[tuple[int, tuple[str, int, str] | None]]:
        """Each line's number and what it vouches for, None if its signature does not hold."""
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                claims = json.loads(jws.deserialize_compact(line, self._key, algorithms=_ALGORITHMS).payload)
                yield number, (str(claims["chain"]), int(claims["seq"]), str(claims["hash"]))
            except (JoseError, ValueError, KeyError, TypeError):
                yield number, None

    def _append(self, line: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                torn = file.read(1) != b"\n"  # a full disk or a power cut; what follows must not be torn with it
                file.write(b"\n" if torn else b"")
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
