"""A promise with a time in it: conditions are waited for until then, and how long each took is kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.foreign import rig

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deadline:
    """Runs from its making. `met` has the seconds that each condition took."""

    seconds: float
    began: float = field(default_factory=time.monotonic)
    met: dict[str, float] = field(default_factory=dict)

    @property
    def gone(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    async def holds(self, promises: dict[str, Callable[[], Awaitable[bool]]]) -> None:
        """Wait for all of them side by side; fails, naming those that are not met when the time is over."""
        await asyncio.gather(*(self._one(what, probe) for what, probe in promises.items()))
        log.info("met after, in seconds: %s", self.met)  # `--log-cli-level=info` shows it
        broken = promises.keys() - self.met.keys()
        assert not broken, f"not within {self.seconds} s: {sorted(broken)}; met: {self.met}"

    async def _one(self, what: str, probe: Callable[[], Awaitable[bool]]) -> None:
        try:
            await rig.until(probe, self.seconds - self.gone)
        except TimeoutError:
            return
        self.met[what] = round(self.gone, 3)
