"""What keeps the requests, and what it promises: each change is one atomic step that names where it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from bot.approvals.model import Approval, CardPlace, State
from oauth import SlackUser


class ApprovalStore(Protocol):
    """Of any number of callers in any number of processes, one makes a transition; the others get None."""

    async def add(self, approval: Approval) -> None:
        """A new request."""

    async def get(self, workspace: str, id_: str) -> Approval | None:
        """A request of this workspace."""

    async def move(
        self,
        approval: Approval,
        source: State,
        target: State,
        *,
        now: datetime,
        by: SlackUser | None = None,
        reason: str | None = None,
        lease_until: datetime | None = None,
        result: str | None = None,
        audited_only: bool = False,
    ) -> Approval | None:
        """From `source` to `target`, if it still is there; the request as it is then."""

    async def audited(self, approval: Approval) -> None:
        """The entry of the verdict is written; only now may it be executed."""

    async def beat(self, approval: Approval, until: datetime) -> None:
        """The executing process lives."""

    async def claim_outbox(self, approval: Approval, now: datetime, until: datetime) -> Approval | None:
        """The right to speak to Slack about this request until then, if nobody has it; the request as it is."""

    async def said(self, approval: Approval, card: CardPlace | None, *, told: bool) -> bool:
        """Slack shows `card`, and the requester was told; whether nothing is left to say."""

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has waiting or agreed and not yet begun."""

    def unsettled(self) -> AsyncIterator[tuple[Approval, datetime | None]]:
        """What is not over, or not yet said, with the lease of its execution."""
