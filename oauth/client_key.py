"""The private key with which our application shows who it is (private_key_jwt, OpenID Connect Core section 9)."""

from __future__ import annotations

import json
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

ClientKey = RSAKey | ECKey | OKPKey
_KINDS: dict[str, type[ClientKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_ALGORITHMS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}


def private_key(text: str) -> ClientKey:
    """A private key from a JWK or a PEM. Raises ValueError, with nothing of the key in it."""
    text = text.strip()
    try:
        key = _jwk(json.loads(text)) if text.startswith("{") else _pem(text)
    except (JoseError, ValueError, TypeError, KeyError):
        key = None
    if key is None or not key.is_private:
        raise ValueError("is neither a private JWK nor a private key in PEM")
    return key


def signature_algorithm(key: ClientKey) -> str:
    """What the key itself says, else the usual one of its kind."""
    return str(key.alg or _ALGORITHMS[key.key_type])


def _jwk(fields: Any) -> ClientKey:
    return _KINDS[fields["kty"]].import_key(fields)


def _pem(text: str) -> ClientKey | None:
    for kind in _KINDS.values():
        try:
            return kind.import_key(text)
        except (JoseError, ValueError, TypeError):
            continue
    return None
