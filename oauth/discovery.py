"""The provider's discovery document (OpenID Connect Discovery section 4): kept, renewed, and bounded in its fetches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx2
import structlog

from oauth.errors import ProviderUnavailable
from oauth.models import Clock

log = structlog.get_logger(__name__)

_FRESH = timedelta(hours=1)
_PATIENCE = timedelta(seconds=5)
_PORTS = 65_536
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_USED = ("revocation_endpoint", "pushed_authorization_request_endpoint")


class Discovery:
    """Fetches anew once an hour; a known document survives an outage, and nobody waits for its renewal twice."""

    def __init__(self, issuer: str, fetch: Callable[[str], Awaitable[dict[str, Any]]], clock: Clock) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._known: Mapping[str, Any] | None = None
        self._fetched_at: datetime | None = None
        self._failed_at: datetime | None = None
        self._lock = asyncio.Lock()

    @property
    def known(self) -> bool:
        """Whether the document was read at least once."""
        return self._known is not None

    async def document(self) -> Mapping[str, Any]:
        """The document of exactly this issuer. Raises ProviderUnavailable where none is known."""
        if self._known is not None and (self._fresh() or self._lock.locked()):
            return self._known
        async with self._lock:
            if not self._fresh() and not self._failed_lately():
                await self._renew()
        if self._known is None:
            raise ProviderUnavailable
        return self._known

    async def _renew(self) -> None:
        try:
            found = await self._fetch(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        except ProviderUnavailable:
            self._failed_at = self._clock()
            return
        if found.get("issuer") != self._issuer:
            # To the letter (section 4.3): a slash more or less is the usual mistake, and the document shows which.
            log.error("issuer_differs", configured=self._issuer, published=str(found.get("issuer"))[:200])
        elif wrong := [name for name in (*_NEEDED, *_USED) if not self._is_usable(found, name)]:
            log.error("discovery_unusable", configured=self._issuer, names=wrong)
        else:
            self._known, self._fetched_at = found, self._clock()
            return
        self._failed_at = self._clock()

    def _is_usable(self, found: Mapping[str, Any], name: str) -> bool:
        """Whether it is an address that secrets may be sent to, on whatever host: the issuer says which.

        Never in the clear where the issuer itself is not: each of them has to be https (section 3).
        """
        address = found.get(name)
        if address is None:
            return name not in _NEEDED
        try:
            url = httpx2.URL(address)
        except (httpx2.InvalidURL, TypeError, ValueError):
            return False
        secure = {"https"} if self._issuer.startswith("https:") else {"https", "http"}
        return url.scheme in secure and bool(url.host) and (url.port or 0) < _PORTS

    def _fresh(self) -> bool:
        return self._fetched_at is not None and self._clock() - self._fetched_at < _FRESH

    def _failed_lately(self) -> bool:
        return self._failed_at is not None and self._clock() - self._failed_at < _PATIENCE
