"""Tickets for connecting accounts in memory, under the promises of `AccountStore`; others may come first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from oauth.accounts.store import MongoAccountStore
from oauth.accounts.tickets import AccountTicket
from tests.fakes.errand_store import MemoryErrandStore, network_step


class MemoryAccountStore(MemoryErrandStore[AccountTicket]):
    """As `MongoAccountStore`."""

    real = MongoAccountStore

    @network_step
    async def claim(self, ticket: AccountTicket, now: datetime) -> bool:
        former = self.kept.get(ticket.key)
        if former is not None and former.live(now) and _same_want(former, ticket):
            return False
        self.kept[ticket.key] = ticket
        return True

    def unasked(self, since: datetime, until: datetime) -> AsyncIterator[AccountTicket]:
        return self.left("waiting", since, until)

    @network_step
    async def forget(self, before: datetime) -> None:
        self.kept = {key: one for key, one in self.kept.items() if one.expires_at >= before}


def _same_want(one: AccountTicket, other: AccountTicket) -> bool:
    return (one.link_version, one.scopes) == (other.link_version, other.scopes)
