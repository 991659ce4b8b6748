"""The operator's keys: what seals stored secrets, and what signs the audit trail.

Given by the environment, or made under `DATA_DIR` at the first start of a one-machine set-up.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.util import urlsafe_b64decode
from pydantic import SecretStr

from bot.errors import ConfigurationError

Jwk = dict[str, Any]

_BYTES = 32
_WANTED = {
    "oct": "must be a JWK Set of oct keys of 256 bits. Make one with: countersign keys new",
    "OKP": "must be one Ed25519 JWK with its private part. Make one with: countersign keys new",
}


def token_keys(given: SecretStr | None, data_dir: Path) -> Jwk:
    """The JWK Set that seals stored secrets (RFC 7517, `oct` keys of 256 bits); the first seals, all open."""
    if given is not None:
        return _read(given.get_secret_value(), "oct")
    return _kept(data_dir / "token-keys.json", new_token_keys, "oct")


def audit_key(given: SecretStr | None, data_dir: Path) -> Jwk:
    """The Ed25519 JWK (RFC 8037) that signs audit checkpoints and receipts."""
    if given is not None:
        return _read(given.get_secret_value(), "OKP")
    return _kept(data_dir / "audit-key.json", new_audit_key, "OKP")


def problems(tokens: SecretStr | None, audit: SecretStr | None) -> list[str]:
    """What is wrong with the given keys, a sentence each, nothing of a key in it."""
    found = []
    for name, given, kind in (("TOKEN_KEYS", tokens, "oct"), ("AUDIT_KEY", audit, "OKP")):
        if given is not None:
            try:
                _read(given.get_secret_value(), kind)
            except ValueError as error:
                found.append(f"{name}: {error}")
    return found


def new_token_keys() -> Jwk:
    """A fresh JWK Set of one 256-bit key."""
    from joserfc.jwk import OctKey

    key = OctKey.generate_key(256, {"kid": secrets.token_hex(8), "alg": "dir", "use": "enc"}, private=True)
    return {"keys": [dict(key.as_dict(private=True))]}


def new_audit_key() -> Jwk:
    """A fresh Ed25519 key."""
    from joserfc.jwk import OKPKey

    key = OKPKey.generate_key("Ed25519", {"kid": secrets.token_hex(8), "use": "sig"}, private=True)
    return dict(key.as_dict(private=True))


def _read(value: str, kind: str) -> Jwk:
    """A JWK or JWK Set, inline or in a file. Raises ValueError with a sentence that shows nothing of it."""
    text = value.strip()
    if not text.startswith("{"):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, ValueError):
            raise ValueError(
                "is neither JSON nor a file that can be read. Make one with: countersign keys new"
            ) from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not valid JSON. Make one with: countersign keys new") from None
    keys = found.get("keys") if kind == "oct" and isinstance(found, dict) else [found]
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        raise ValueError(_WANTED[kind])
    usable = [_usable(key, kind) for key in keys]
    if len({key["kid"] for key in usable}) < len(usable):
        raise ValueError("has two keys of one kid. Give each a kid of its own.")
    return {**found, "keys": usable} if kind == "oct" else usable[0]


def _usable(key: Jwk, kind: str) -> Jwk:
    """The key as it will be used, and named by its thumbprint (RFC 7638) where it has no name. Raises ValueError."""
    from joserfc.errors import JoseError
    from joserfc.jwk import OctKey, OKPKey

    try:
        if len(urlsafe_b64decode(str(key["k" if kind == "oct" else "d"]).encode())) != _BYTES:
            raise ValueError("another size")
        made = OctKey.import_key(key) if kind == "oct" else OKPKey.import_key(key)
        if key.get("kty") != kind or (kind == "OKP" and not _fits(key)):
            raise ValueError("another kind")
    except (JoseError, ValueError, TypeError, KeyError):
        raise ValueError(_WANTED[kind]) from None
    return key if key.get("kid") else key | {"kid": made.thumbprint()}


def _fits(key: Jwk) -> bool:
    """Whether it is an Ed25519 key whose public part, which is published, belongs to its private one."""
    private = Ed25519PrivateKey.from_private_bytes(urlsafe_b64decode(str(key["d"]).encode()))
    public = urlsafe_b64decode(str(key["x"]).encode())
    return key.get("crv") == "Ed25519" and private.public_key().public_bytes_raw() == public


def _kept(path: Path, make: Callable[[], Jwk], kind: str) -> Jwk:
    """The key in `path`, made there at first use, readable by its owner only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _place(path, json.dumps(make()))
    except OSError as error:
        raise ConfigurationError([f"DATA_DIR: {path.parent} cannot be written ({error.strerror})."]) from None
    try:
        return _read(str(path), kind)
    except ValueError as error:
        raise ConfigurationError([f"{path}: {error}"]) from None


def _place(path: Path, text: str) -> None:
    """Put it there whole and on disk: what is sealed under a key that a power cut then takes is lost with it."""
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # Of two processes at their first start one makes the key, and the other must use the same.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
