"""What was asked for, or agreed to, under links that have ended is cancelled in every replica, within a round."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bot.approvals.ports import ApprovalStore
from bot.approvals.service import ApprovalService
from bot.ports import People
from oauth import Clock, SlackUser

log = structlog.get_logger(__name__)

_EVERYBODY = timedelta(minutes=5)
_BACK = timedelta(minutes=10)  # clocks of machines differ
_MOST = 1_000


class EndedLinks:
    """A round of its own, without a word to Slack: what that is about to take may keep no request open.

    It reads whose links have ended lately, so it costs no more with many requests than with few. Once in a while it
    looks at everybody who has something open, also for what was ended by nobody of ours.
    """

    def __init__(self, store: ApprovalStore, approvals: ApprovalService, people: People, clock: Clock) -> None:
        self._store = store
        self._approvals = approvals
        self._people = people
        self._clock = clock
        self._seen: set[tuple[SlackUser, str]] = set()
        self._everybody_at: datetime | None = None

    async def __call__(self) -> None:
        """One round. What fails is logged, and looked at again in the next."""
        now = self._clock()
        try:
            ended: list[tuple[SlackUser, str]] = [*await self._people.ended(now - _BACK)]
            self._seen &= set(ended)
            whole = self._everybody_at is None or now >= self._everybody_at or len(ended) >= _MOST
            suspects = await self._store.links_in_use() if whole else set(ended) - self._seen
            live = await self._people.versions({slack for slack, _ in suspects}) if suspects else {}
            for slack, version in suspects:
                if live.get(slack.key) != version:
                    await self._approvals.cancel_of(slack, version, "unlinked", aloud=False)
                    self._seen.add((slack, version))
            if whole:
                self._everybody_at = now + _EVERYBODY
        except Exception as error:
            log.error("step_failed", kind=type(error).__name__)
