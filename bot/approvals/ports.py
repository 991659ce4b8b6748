"""What keeps the requests, and what it promises: each change is one atomic step that names where it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from bot.approvals.model import Approval, Copy, State, Vote
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
        vote: Vote | None = None,
        not_before: datetime | None = None,
        reason: str | None = None,
        result: str | None = None,
        entry_until: datetime | None = None,
        lease_until: datetime | None = None,
        lease_over: bool = False,
        audited_only: bool = False,
    ) -> Approval | None:
        """From `source` to `target`, if it still is there; the request as it is then.

        A `vote` counts only before `expires_at`, and only onto the request as it was read: where somebody else has
        voted since, it has to be looked at anew. With `entry_until` the step owes an audit entry, which the caller
        has until then to write. `lease_until` is how long an execution may be thought alive; `lease_over` moves only
        what is not alive any more, `audited_only` only what owes no entry, here or by the caller's own knowledge.
        """

    async def confirm(self, approval: Approval, slack: SlackUser) -> None:
        """The person has typed what the policy wants them to."""

    async def comment(self, approval: Approval, note: str, *, now: datetime) -> Approval | None:
        """What the decider says of it, the first time alone; the requester has to be told anew."""

    async def remind(self, approval: Approval) -> bool:
        """The right to remind people of it; True for one caller alone."""

    async def claim_poll(self, approval: Approval, now: datetime, until: datetime) -> bool:
        """The right to ask the provider what came of a pending request, until then; True for one caller alone."""

    async def poll_again(self, approval: Approval, at: datetime, asked: str | None) -> None:
        """It may be asked again at that time, and not before; `asked` is to be kept where it is given."""

    async def claim_entry(self, approval: Approval, now: datetime, until: datetime) -> bool:
        """The right to write the entries that are owed, until then; False if they stand or somebody else has it."""

    async def audited(self, approval: Approval) -> None:
        """The entries of this revision are written; only now may an approved request be executed."""

    async def beat(self, approval: Approval, until: datetime) -> None:
        """The executing process lives."""

    async def claim_outbox(self, approval: Approval, speaker: str, now: datetime, until: datetime) -> Approval | None:
        """The right to speak to Slack until then, if nobody has it and no pause is on; the request as it is."""

    async def said(
        self,
        approval: Approval,
        speaker: str,
        copies: tuple[Copy, ...],
        *,
        told: bool,
        quiet_until: datetime | None = None,
        due_at: datetime | None = None,
    ) -> Approval | None:
        """What people see now; ends the right to speak. The request as it is, None if the right had passed on.

        `quiet_until` says that Slack did not take all of it, and when to try again. `due_at` is when the round has
        to look at it again, None for never, and holds only if the request has not changed and owes no entry.
        """

    async def put_off(self, approval: Approval, due_at: datetime | None) -> None:
        """The round need not look at it before then; never again, where that is None."""

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has waiting or agreed and not yet begun, oldest first; at most 100."""

    async def for_others(self, workspace: str) -> list[Approval]:
        """What waits in a workspace for somebody else than who asked, oldest first; at most 100."""

    async def voted_by(self, slack: SlackUser) -> list[Approval]:
        """What is open and has a vote of this person; at most 100."""

    async def links_in_use(self) -> set[tuple[SlackUser, str]]:
        """Who has asked for something open, or voted on it, each with the version that their link had then."""

    def unsettled(self, now: datetime) -> AsyncIterator[tuple[Approval, datetime | None]]:
        """Whatever is due, with the lease of its execution."""
