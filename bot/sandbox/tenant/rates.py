"""How much is too much: Auth0's token buckets ("Rate Limit Policy"), one for each caller or address."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from oauth import Clock

_HOUR = 3_600.0
_MOST_BUCKETS = 1_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a request was told of its bucket. `reset` is in UNIX seconds, `wait` in seconds and None where it may go."""

    limit: int
    remaining: int
    reset: int
    wait: int | None

    def headers(self) -> dict[str, str]:
        """As Auth0 sends them, with `Retry-After` where the request was too many."""
        found = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }
        return found if self.wait is None else found | {"Retry-After": str(self.wait)}


class HourlyRates:
    """Buckets that hold `limit` requests and get as many anew in an hour, evenly."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, datetime]] = {}

    def take(self, name: str, limit: int) -> Allowance:
        """One request out of the bucket of that name."""
        now = self._clock()
        rate = limit / _HOUR
        held, since = self._buckets.get(name, (float(limit), now))
        held = min(float(limit), held + (now - since).total_seconds() * rate)
        # A microsecond's worth of tolerance, since thirty seconds at a thirtieth each do not add up to one.
        goes = held + rate * 1e-6 >= 1
        held = max(0.0, held - 1) if goes else held
        self._buckets.pop(name, None)
        self._buckets[name] = (held, now)
        for oldest in list(self._buckets)[:-_MOST_BUCKETS]:
            del self._buckets[oldest]
        wait = math.ceil(round((1 - held % 1) / rate, 3)) if rate else int(_HOUR)
        return Allowance(limit, int(held), math.ceil(now.timestamp()) + wait, None if goes else wait)
