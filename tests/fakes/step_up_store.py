"""Tickets for authenticating once more in memory, under the promises of `StepUpStore`; others may come first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from oauth.step_up.model import Stage, StepUpTicket
from oauth.step_up.store import MongoStepUpStore
from tests.fakes.errand_store import MemoryErrandStore, network_step


class MemoryStepUpStore(MemoryErrandStore[StepUpTicket]):
    """As `MongoStepUpStore`."""

    real = MongoStepUpStore

    @network_step
    async def put(self, ticket: StepUpTicket, *, since: datetime) -> bool:
        former = self.kept.get(ticket.key)
        if (
            former is not None
            and former.created_at > since
            and former.stage is Stage.OPEN
            and former.link_version == ticket.link_version
        ):
            return False
        self.kept[ticket.key] = ticket
        return True

    def untaken(self, since: datetime, until: datetime) -> AsyncIterator[StepUpTicket]:
        return self.left("evidence", since, until)
