"""Checkpoints: signed heads of the chains, kept outside the database, so that whoever rewrites it is seen.

Each line of `DATA_DIR/checkpoints.jsonl` is `{chain, seq, hash, at}` as a compact JWS (EdDSA, RFC 8037). A head is
signed only if it follows from the last one that was: a signature under a rewritten chain would vouch for it. Replicas
on one machine may share the file; each learns what the others signed before it signs itself.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from joserfc.errors import JoseError

from bot.audit.chain import GENESIS, Bad, Head, Walk, holds
from bot.audit.ports import AuditStore
from bot.errors import AuditUnavailable
from bot.signing import Signer
from oauth import Clock

log = structlog.get_logger(__name__)

_BREATH = 100

Claims = tuple[str, int, str]


class Checkpoints:
    """Signs the heads that moved since the last round. `broken` has the chains that it refuses to sign, and why."""

    def __init__(self, path: Path, audit_key: Mapping[str, Any], store: AuditStore, clock: Clock) -> None:
        self._path = path
        self._signer = Signer(audit_key)
        self._store = store
        self._clock = clock
        self._signed: dict[str, Head] = {}
        self._read = (0, 0)  # bytes and lines of the file
        self._lock = asyncio.Lock()
        self._refused: dict[str, Head] = {}
        self.broken: dict[str, Bad] = {}

    def public_keys(self) -> dict[str, Any]:
        """The JWK Set that verifies checkpoints."""
        return self._signer.public_keys()

    async def sign(self) -> None:
        """Sign each head that moved, append it to the file, and log it. Raises AuditUnavailable or OSError.

        A chain that does not follow from its last signed head is not signed, and named in the log once for each head
        it shows. It keeps no other chain from being signed, and neither does one that cannot be read.
        """
        async with self._lock:
            await asyncio.to_thread(self._read_on)
            chains = await self._store.chains()
            for chain in sorted({*chains, *self._signed}):
                try:
                    await self._sign_one(chain)
                except AuditUnavailable:
                    log.error("checkpoint_unreadable", chain=chain)

    async def _sign_one(self, chain: str) -> None:
        start = self._signed.get(chain, (0, GENESIS))
        head = await self._store.head(chain) or (0, GENESIS)
        bad, reached = (None, head) if head == start else await self._followed(chain, start)
        if bad is not None:
            self.broken[chain] = bad
            if self._refused.get(chain) != head:
                self._refused[chain] = head
                log.error("checkpoint_refused", chain=chain, seq=bad.seq, why=bad.why, head=head[0])
            return
        self.broken.pop(chain, None)
        self._refused.pop(chain, None)
        if reached == start:
            return
        claims = {"chain": chain, "seq": reached[0], "hash": reached[1], "at": self._clock().isoformat()}
        line = self._signer.sign(claims)
        await asyncio.to_thread(self._append, line)
        self._signed[chain] = reached
        log.info("checkpoint", chain=chain, seq=reached[0], hash=reached[1], jws=line)

    async def _followed(self, chain: str, start: Head) -> tuple[Bad | None, Head]:
        """Walk from the last signed head, which must still stand there, to the present one."""
        walk = Walk(start={chain: start})
        stands, count = start[0] == 0, 0
        async for entry in self._store.entries(chain=chain, from_seq=start[0]):
            count += 1
            if count % _BREATH == 0:
                await asyncio.sleep(0)  # a batch of the driver comes without a pause, and Slack waits three seconds
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
        whole, rest = self._lines()
        for number, line in enumerate([*whole, rest] if rest else whole, 1):
            claims = self._claims(line)
            if claims is None:
                raise ValueError(f"{self._path}, line {number}: the signature of this checkpoint does not hold")
            chain, seq, hash_ = claims
            if found.setdefault(chain, {}).setdefault(seq, hash_) != hash_:
                raise ValueError(f"{self._path}, line {number}: this checkpoint contradicts an earlier one")
        return found

    def _read_on(self) -> None:
        """Learn what the file has gained since it was last read. Lines that do not hold vouch for nothing."""
        offset, number = self._read
        if offset and (not self._path.exists() or self._path.stat().st_size < offset):
            offset, number = 0, 0  # another file; what was signed is remembered all the same
        whole, rest = self._lines(offset)
        for line in whole:
            number += 1
            offset += len(line) + 1
            if not self._learned(line):
                log.critical("checkpoint_broken", file=str(self._path), line=number)
        self._learned(rest)
        self._read = (offset, number)

    def _learned(self, line: bytes) -> bool:
        """Take the line's word for how far its chain was signed; False if its signature does not hold."""
        claims = self._claims(line)
        if claims is not None and claims[1] > self._signed.get(claims[0], (0, GENESIS))[0]:
            self._signed[claims[0]] = claims[1:]
        return claims is not None

    def _lines(self, offset: int = 0) -> tuple[list[bytes], bytes]:
        """The lines from there on, and what follows the last line break: nothing, or a line that is being written."""
        try:
            with self._path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)  # nobody is in the middle of a line
                file.seek(offset)
                *whole, rest = file.read().split(b"\n")
        except FileNotFoundError:
            return [], b""
        return whole, rest

    def _claims(self, line: bytes) -> Claims | None:
        """What the line vouches for, None if its signature does not hold."""
        try:
            claims = self._signer.verified(line)
            return str(claims["chain"]), int(claims["seq"]), str(claims["hash"])
        except (JoseError, ValueError, KeyError, TypeError):
            return None

    def _append(self, line: str) -> None:
        """One write at the end, one writer at a time, and on disk before it counts. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # a line that another replica is writing would look torn; ends with close
            size = os.fstat(file).st_size
            torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"  # a full disk or a power cut; not this line too
            whole = (b"\n" if torn else b"") + line.encode() + b"\n"
            if os.write(file, whole) != len(whole):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
            os.fsync(file)
        finally:
            os.close(file)
