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
        result: str | None = None,
        entry_until: datetime | None = None,
        lease_until: datetime | None = None,
        lease_over: bool = False,
        audited_only: bool = False,
    ) -> Approval | None:
        """From `source` to `target`, if it still is there; the request as it is then.

        A verdict counts only before `expires_at`. `by` is who decided. With `entry_until` the step owes an audit
        entry, which the caller has until then to write. `lease_until` is how long an execution may be thought
        alive; `lease_over` moves only what is not alive any more, `audited_only` only what owes no entry.
        """

    async def claim_entry(self, approval: Approval, now: datetime, until: datetime) -> bool:
        """The right to write the entry that is owed, until then; False if it stands or somebody else has it."""

    async def audited(self, approval: Approval) -> None:
        """The entry of this state is written; only now may an approved request be executed."""

    async def beat(self, approval: Approval, until: datetime) -> None:
        """The executing process lives."""

    async def claim_outbox(self, approval: Approval, speaker: str, now: datetime, until: datetime) -> Approval | None:
        """The right to speak to Slack until then, if nobody has it and no pause is on; the request as it is."""

    async def said(
        self,
        approval: Approval,
        speaker: str,
        card: CardPlace | None,
        *,
        told: bool,
        quiet_until: datetime | None = None,
        settled: bool = False,
    ) -> Approval | None:
        """What people see now; ends the right to speak. The request as it is, None if the right had passed on.

        `quiet_until` says that Slack did not take all of it, and when to try again. `settled` says that nothing is
        left to do or to say, and holds only if the request has not changed meanwhile.
        """

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has waiting or agreed and not yet begun, oldest first; at most 100."""

    async def links_in_use(self) -> set[tuple[SlackUser, str]]:
        """Under which links something is open: each requester, with the version of their link when they asked."""

    def unsettled(self, now: datetime) -> AsyncIterator[tuple[Approval, datetime | None]]:
        """Whatever may need a step, oldest first, with the lease of its execution."""
