"""What AUDIT_KEY signs: checkpoints and receipts, as compact JWS (EdDSA, RFC 8037), under one published key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.jwk import OKPKey

_ALGORITHMS = ["EdDSA", "Ed25519"]


class Signer:
    """Signs with the Ed25519 JWK that it is given, and verifies what it has signed."""

    def __init__(self, audit_key: Mapping[str, Any]) -> None:
        self._key = OKPKey.import_key(dict(audit_key))
        self.kid = self._key.kid or self._key.thumbprint()

    def sign(self, claims: Mapping[str, Any], **header: str) -> str:
        """The compact form; `header` is what it says beside algorithm and key."""
        whole = {"alg": "EdDSA", "kid": self.kid, **header}
        return jws.serialize_compact(whole, json.dumps(dict(claims)).encode(), self._key, algorithms=_ALGORITHMS)

    def verified(self, token: str | bytes) -> Any:
        """The claims. Raises JoseError or ValueError for what this key has not signed."""
        return json.loads(jws.deserialize_compact(token, self._key, algorithms=_ALGORITHMS).payload)

    def public_keys(self) -> dict[str, Any]:
        """The JWK Set that verifies it all; nothing private is in it."""
        return {"keys": [dict(self._key.as_dict(private=False)) | {"use": "sig", "alg": "EdDSA", "kid": self.kid}]}
