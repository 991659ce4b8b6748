"""The provider's public keys (JWK Set, RFC 7517), fetched without blocking, kept, and bounded in every direction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from jwt import PyJWK

from oauth.errors import ProviderUnavailable, TokenInvalid
from oauth.models import Clock

log = structlog.get_logger(__name__)

FetchKeys = Callable[[], Awaitable[dict[str, Any]]]

_MOST_KEYS = 50
_PATIENCE = timedelta(seconds=5)
_FRESH = timedelta(hours=6)


class SigningKeys:
    """Finds the key of a token by its `kid`.

    An unknown `kid` may mean that the provider has rotated its keys, so the set is fetched anew, but never more
    often than every five seconds: anybody can send tokens with invented ids. Known keys survive an outage.
    """

    def __init__(self, fetch: FetchKeys, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str | None, PyJWK] = {}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def get(self, kid: str | None) -> PyJWK:
        """The public key named `kid`. Raises TokenInvalid("kid") or, before any key is known, ProviderUnavailable."""
        now = self._clock()
        found = self._keys.get(kid)
        fresh = self._fetched_at is not None and now - self._fetched_at < _FRESH
        if found is not None and (fresh or self._lock.locked()):
            return found
        async with self._lock:
            if self._tried_at is None or self._clock() - self._tried_at >= _PATIENCE:
                await self._renew()
        found = self._keys.get(kid)
        if found is not None:
            return found
        if not self._keys:
            raise ProviderUnavailable
        raise TokenInvalid("kid")

    async def _renew(self) -> None:
        try:
            published = await self._fetch()
        except ProviderUnavailable:
            return
        finally:
            self._tried_at = self._clock()  # from its end: a fetch that hangs must not be repeated by all who wait
        keys = _usable(published)
        if keys:
            self._keys = keys
            self._fetched_at = self._clock()


def _usable(published: dict[str, Any]) -> dict[str | None, PyJWK]:
    """The asymmetric signing keys of a JWK Set by `kid`; a lone key also serves tokens that name none."""
    listed = published.get("keys")
    keys: dict[str | None, PyJWK] = {}
    for jwk in listed[:_MOST_KEYS] if isinstance(listed, list) else []:
        if not isinstance(jwk, dict) or jwk.get("kty") not in {"RSA", "EC"} or jwk.get("use", "sig") != "sig":
            continue
        kid = jwk.get("kid")
        if kid is not None and not isinstance(kid, str):
            continue
        try:
            keys[kid] = PyJWK(jwk)
        except Exception as error:  # PyJWT raises whatever comes; one broken key must not hide those that are good
            log.warning("key_unusable", kind=type(error).__name__)
    if len(keys) == 1:
        keys[None] = next(iter(keys.values()))
    return keys
