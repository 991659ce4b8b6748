"""A fresh login link for whom an older one was, asked for with one click on its page.

Whoever holds the old link may ask; the new one goes to the direct messages of the person whom both are for, and to
nobody else. So all that a finder of a link can do is to have a message sent, five times an hour.
"""

from __future__ import annotations

from datetime import timedelta

from oauth import tickets
from oauth.errors import TicketForgotten, TooOften
from oauth.models import Clock, LinkEvent, LinkObserver
from oauth.ports import LinkStore

WANTED = "link.wanted"
_MOMENT = timedelta(seconds=30)
_HOUR, _AN_HOUR = timedelta(hours=1), 5


class FreshLinks:
    """Asks whoever speaks to people to send one."""

    def __init__(self, store: LinkStore, observer: LinkObserver, clock: Clock) -> None:
        self._store = store
        self._observer = observer
        self._clock = clock

    async def ask(self, secret: str) -> None:
        """Have a fresh link sent. Raises TicketForgotten for a link that nobody remembers, or TooOften."""
        value, now = tickets.hashed(secret), self._clock()
        ticket = await self._store.ticket_by_hash(value) or await self._store.ticket_after(value)
        if ticket is None:
            raise TicketForgotten
        key = ticket.slack.key
        for name, most, time in ((f"fresh-moment:{key}", 1, _MOMENT), (f"fresh-hour:{key}", _AN_HOUR, _HOUR)):
            if not await self._store.take_place(name, most, now, now + time):
                raise TooOften(time.total_seconds())
        await self._observer.notify(LinkEvent(WANTED, "ok", ticket.slack))
