"""Checkpoints: signed heads of the chains, kept outside the database, so that whoever rewrites it is seen.

Each line of `DATA_DIR/checkpoints.jsonl` is `{chain, seq, hash, at}` as a compact JWS (EdDSA, RFC 8037).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from bot.audit.ports import AuditStore
from oauth import Clock

log = structlog.get_logger(__name__)

_ALGORITHMS = ["EdDSA", "Ed25519"]


class Checkpoints:
    """Signs the heads that moved since the last round."""

    def __init__(self, path: Path, audit_key: Mapping[str, Any], store: AuditStore, clock: Clock) -> None:
        self._path = path
        self._key = OKPKey.import_key(dict(audit_key))
        self._store = store
        self._clock = clock
        self._signed: dict[str, int] = {}

    def public_keys(self) -> dict[str, Any]:
        """The JWK Set that verifies checkpoints."""
        return {"keys": [dict(self._key.as_dict(private=False)) | {"use": "sig", "alg": "EdDSA"}]}

    async def sign(self) -> None:
        """Sign each head that moved, append it to the file, and log it."""
        for chain in await self._store.chains():
            head = await self._store.head(chain)
            if head is None or self._signed.get(chain) == head[0]:
                continue
            claims = {"chain": chain, "seq": head[0], "hash": head[1], "at": self._clock().isoformat()}
            header = {"alg": "EdDSA", "kid": self._key.kid}
            line = jws.serialize_compact(header, json.dumps(claims).encode(), self._key, algorithms=_ALGORITHMS)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            self._signed[chain] = head[0]
            log.info("checkpoint", chain=chain, seq=head[0], hash=head[1], jws=line)

    def heads(self) -> dict[str, dict[int, str]]:
        """The signed hashes by chain and place. Raises ValueError naming the first line that does not verify."""
        found: dict[str, dict[int, str]] = {}
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                claims = json.loads(jws.deserialize_compact(line, self._key, algorithms=_ALGORITHMS).payload)
                found.setdefault(claims["chain"], {})[claims["seq"]] = claims["hash"]
            except (JoseError, ValueError, KeyError, TypeError):
                raise ValueError(
                    f"{self._path}, line {number}: the signature of this checkpoint does not hold"
                ) from None
        return found
