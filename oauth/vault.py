"""Sealing: what is stored can be opened only in the record, and the field of it, that it was sealed for.

JWE in compact form, `dir` with A256GCM (RFC 7516; RFC 7518 sections 4.5 and 5.3). The protected header, which
the cipher authenticates, names the record, the field and the key.
"""

from __future__ import annotations

import json
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from joserfc.registry import HeaderParameter
from joserfc.util import urlsafe_b64decode

from oauth.errors import SealBroken

_ALGORITHMS = ["dir", "A256GCM"]
_KEY_BYTES = 32
_BINDING = {
    "rec": HeaderParameter("Record that the secret belongs to", "str", True),
    "fld": HeaderParameter("Field of that record", "str", True),
}


class Vault:
    """Seals under the first key of a JWK Set and opens with any of them."""

    def __init__(self, keys: dict[str, Any]) -> None:
        """`keys` is a JWK Set of 256-bit `oct` keys; one without a `kid` goes by its thumbprint (RFC 7638).

        Raises ValueError, with nothing of a key in it.
        """
        try:
            found = [key for key in KeySet.import_key_set(keys).keys if isinstance(key, OctKey)]  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError):
            raise ValueError("the key set cannot be read") from None
        if not found or any(len(key.raw_value) != _KEY_BYTES for key in found):
            raise ValueError("the key set needs oct keys of 256 bits")
        self._first = found[0]
        self._keys = {key.kid: key for key in found}

    def seal(self, plain: bytes, *, record: str, name: str) -> str:
        """The sealed form of `plain`, bound to the field `name` of `record`."""
        header = {"alg": "dir", "enc": "A256GCM", "kid": self._first.kid, "rec": record, "fld": name}
        return jwe.encrypt_compact(header, plain, self._first, registry=self._registry())

    def open(self, sealed: str, *, record: str, name: str) -> bytes:
        """What was sealed. Raises SealBroken if it was altered, moved, or the key is not at hand."""
        try:
            found = jwe.decrypt_compact(sealed, self._key_of, registry=self._registry())
        except (JoseError, ValueError, TypeError, KeyError):
            raise SealBroken from None
        if found.protected.get("rec") != record or found.protected.get("fld") != name:
            raise SealBroken
        return found.plaintext or b""

    def current(self, sealed: str) -> bool:
        """Whether it was sealed under the key that seals now."""
        try:
            header = json.loads(urlsafe_b64decode(sealed.partition(".")[0].encode()))
        except (ValueError, TypeError, AttributeError, RecursionError):  # anything may stand in a database
            return False
        return isinstance(header, dict) and header.get("kid") == self._first.kid

    def _key_of(self, recipient: Any) -> OctKey:
        return self._keys[recipient.headers()["kid"]]

    @staticmethod
    def _registry() -> jwe.JWERegistry:
        return jwe.JWERegistry(_BINDING, algorithms=_ALGORITHMS)
