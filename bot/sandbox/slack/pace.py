"""How fast a bot may post (docs.slack.dev, "Rate limits": about one message a second and channel)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

from .errors import SlackRefusal


@dataclass
class Pace:
    """A bucket for each channel: `burst` messages at once, then `per_second`; and others for other things."""

    per_second: float = 1.0
    burst: int = 10
    _levels: dict[str, tuple[float, datetime]] = field(default_factory=dict)

    def take(self, channel: str, now: datetime, *, per_second: float | None = None, burst: int | None = None) -> None:
        """One message. Raises SlackRefusal `ratelimited`, status 429, with whole seconds to wait."""
        per_second, most = per_second or self.per_second, float(burst or self.burst)
        level, since = self._levels.get(channel, (most, now))
        # A clock that was set back takes nothing away.
        passed = max(0.0, (now - since).total_seconds())
        level = min(most, level + passed * per_second)
        if level < 1:
            wait = max(1, math.ceil((1 - level) / per_second))
            raise SlackRefusal("ratelimited", status=429, retry_after=wait)
        self._levels[channel] = (level - 1, now)
