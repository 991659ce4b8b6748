"""A provider that is down or overloaded is asked again, a few times and not at once (RFC 9110 section 10.2.3).

Written here since each attempt depends on a lease that may be over by then, of which libraries know nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from oauth.errors import ProviderRefused, ProviderUnavailable
from oauth.models import Pause

_T = TypeVar("_T")

_PAUSES = (0.25, 0.75, 2.0)
_LONGEST_PAUSE = 5.0
_PATIENCE = 12.0


class Retries:
    """At most four attempts, and none begun after twelve seconds: a person waits for the outcome."""

    def __init__(self, pause: Pause, seconds: Callable[[], float] = time.monotonic) -> None:
        """`seconds` tells how many have gone by, since any moment."""
        self._pause = pause
        self._seconds = seconds

    async def __call__(self, attempt: Callable[[], Awaitable[_T]], may_go_on: Callable[[], bool]) -> _T:
        """What an attempt gives. Raises the last ProviderUnavailable, and ProviderRefused at once.

        `Retry-After` is kept to; where it is longer than a person would wait, it is for the caller to come back.
        """
        last = self._seconds() + _PATIENCE
        for pause in _PAUSES:
            try:
                return await attempt()
            except ProviderRefused:
                raise
            except ProviderUnavailable as away:
                wanted = away.retry_after or 0.0
                wait = max(wanted, pause) * random.uniform(1.0, 1.5)  # noqa: S311 - jitter, not a secret
                if wanted > _LONGEST_PAUSE or self._seconds() + wait > last:
                    raise
                await self._pause(wait)
                if not may_go_on():
                    raise
        return await attempt()
