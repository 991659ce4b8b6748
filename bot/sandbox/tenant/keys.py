"""The tenant's signing keys: RS256, the newest signs, all of them verify."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

ALGORITHM = "RS256"


class Signer:
    """Signs and verifies. Has no key until `restore` or `rotate`."""

    def __init__(self) -> None:
        self._keys: list[RSAKey] = []

    def restore(self, kept: list[dict[str, Any]]) -> None:
        """Take the keys of `snapshot`."""
        self._keys = [RSAKey.import_key(key) for key in kept]

    def snapshot(self) -> list[dict[str, Any]]:
        """The keys with their private parts, newest first."""
        return [dict(key.as_dict(private=True)) for key in self._keys]

    @property
    def ready(self) -> bool:
        """Whether there is a key to sign with."""
        return bool(self._keys)

    def rotate(self, *, keep_former: bool = True) -> str:
        """Make a key and sign with it from now on; gives its `kid`.

        The former ones stay published as Auth0's "previous" keys do, unless they are revoked here at once.
        """
        fresh = RSAKey.generate_key(2048, parameters={"use": "sig", "alg": ALGORITHM}, auto_kid=True)
        self._keys = [fresh, *(self._keys if keep_former else [])]
        return str(fresh.kid)

    def published(self) -> dict[str, Any]:
        """The JWK Set (RFC 7517 section 5) of the public parts."""
        return {"keys": [dict(key.as_dict(private=False)) for key in self._keys]}

    def sign(self, claims: Mapping[str, Any], typ: str = "JWT") -> str:
        """A compact JWS under the newest key."""
        key = self._keys[0]
        return jwt.encode({"alg": ALGORITHM, "typ": typ, "kid": key.kid}, dict(claims), key)

    def verified(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that one of our keys has signed, else None. Checks no claim."""
        try:
            return dict(jwt.decode(token, KeySet(list(self._keys)), algorithms=[ALGORITHM]).claims)
        except (JoseError, ValueError):
            return None
