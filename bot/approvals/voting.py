"""Votes: each is counted once, on the request as it is at that moment, and owes an audit entry."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from bot.approvals.approvers import Approvers
from bot.approvals.entries import WRITING, Entries
from bot.approvals.model import Approval, State, Verdict, to_type
from bot.approvals.outbox import Outbox
from bot.approvals.ports import ApprovalStore
from bot.approvals.states import OPEN, Decided, Outcome, Refused, decide, take_back
from bot.errors import (
    AlreadyDecided,
    ApprovalError,
    ApprovalUnknown,
    ChangedSinceAsked,
    ConfirmationNeeded,
    ConfirmationWrong,
    StepUpNeeded,
)
from oauth import Clock, Evidence, Principal

_ID = re.compile(r"[0-9a-f]{1,64}")
_RACES = 8
_NOTE = 500


@dataclass(frozen=True, slots=True)
class Counted:
    """A request with a vote that is stored and owes its entry; `before` is the request as it was without."""

    approval: Approval
    before: Approval


class Voting:
    """Takes votes. Who votes was resolved to a live link by whoever calls."""

    def __init__(
        self, store: ApprovalStore, entries: Entries, approvers: Approvers, outbox: Outbox, clock: Clock
    ) -> None:
        self._store = store
        self._entries = entries
        self._approvers = approvers
        self._outbox = outbox
        self._clock = clock

    async def vote(
        self,
        voter: Principal,
        id_: str,
        verdict: Verdict,
        *,
        where: str | None = None,
        typed: str | None = None,
        evidence: Evidence | None = None,
    ) -> Counted:
        """Take a vote, once. `where` is the channel of the click, `typed` what `policy.confirm` wants to be typed, and
        `evidence` how the voter has authenticated for it.

        From then on it stands, whatever happens; `settled` is to follow at once. Raises an ApprovalError.
        """
        for _ in range(_RACES):
            approval = await self._found(voter, id_)
            seated = await self._approvers.seated(approval, voter, where)
            if typed is not None and approval.policy.confirm is not None and verdict is Verdict.APPROVE:
                approval = await self._confirmed(approval, voter, typed, seated)
            outcome = decide(approval, verdict, voter, self._clock(), seated=seated, evidence=evidence)
            if moved := await self._counted(approval, voter, outcome):
                return moved
        return await self._refused(voter, id_, AlreadyDecided("voted"))

    async def settled(self, counted: Counted) -> Approval:
        """The request with the vote on record.

        If it comes back with `audited` false, the trail could not take its entry: the vote stands, but nothing runs
        until the periodic round has written it.
        """
        return await self._entries.settle(counted.approval, before=counted.before)

    async def decide(self, voter: Principal, id_: str, verdict: Verdict, **how: Any) -> Approval:
        """Both: a vote as in `vote`, on record as in `settled`."""
        return await self.settled(await self.vote(voter, id_, verdict, **how))

    async def found(self, voter: Principal, id_: str) -> Approval:
        """A request of the person's workspace. Raises ApprovalUnknown."""
        return await self._found(voter, id_)

    async def take_back(self, voter: Principal, id_: str) -> Approval:
        """Withdraw a request of one's own that waits, or undo what was agreed to while it is held; as in `decide`.

        Raises NotYours, AlreadyDecided, TooLate or ApprovalUnknown.
        """
        for _ in range(_RACES):
            approval = await self._found(voter, id_)
            outcome = take_back(approval, voter, self._clock())
            if moved := await self._counted(approval, voter, outcome):
                return await self.settled(moved)
        return await self._refused(voter, id_, AlreadyDecided("voted"))

    async def comment(self, voter: Principal, id_: str, note: str) -> Approval | None:
        """Why it was denied, in the words of whoever did; None if that was said, or is not theirs to say."""
        approval = await self._found(voter, id_)
        last = approval.last
        if approval.state is not State.DENIED or last is None or last.by.key != voter.slack.key or not note.strip():
            return None
        commented = await self._store.comment(approval, note.strip()[:_NOTE], now=self._clock())
        if commented is not None:
            await self.speak(commented)
        return commented

    async def _counted(self, approval: Approval, voter: Principal, outcome: Outcome) -> Counted | None:
        """The request with the vote; None if it has changed since it was read. Raises an ApprovalError."""
        if isinstance(outcome, Refused):
            if isinstance(outcome.why, ChangedSinceAsked):
                await self.cancel(approval, State.PENDING, outcome.why.code)
                raise outcome.why
            return await self._refused(voter, approval.id, outcome.why)
        now = self._clock()
        target = outcome.state if isinstance(outcome, Decided) else State.PENDING
        not_before = outcome.not_before if isinstance(outcome, Decided) else None
        moved = await self._store.move(
            approval,
            approval.state,
            target,
            now=now,
            vote=outcome.vote,
            not_before=not_before,
            entry_until=now + WRITING,
        )
        return Counted(moved, before=approval) if moved is not None else None

    async def _confirmed(self, approval: Approval, voter: Principal, typed: str, seated: bool) -> Approval:
        """The request with what they typed taken, if it is theirs to type. Raises ConfirmationWrong."""
        name = approval.policy.confirm
        outcome = decide(approval, Verdict.APPROVE, voter, self._clock(), seated=seated)
        if name is None or not (isinstance(outcome, Refused) and isinstance(outcome.why, ConfirmationNeeded)):
            return approval
        if typed.strip() != to_type(approval, name):
            return await self._refused(voter, approval.id, ConfirmationWrong(name))
        await self._store.confirm(approval, voter.slack)
        return replace(approval, confirmed=approval.confirmed | {voter.slack.key})

    async def _found(self, voter: Principal, id_: str) -> Approval:
        approval = await self._store.get(voter.slack.workspace, id_) if _ID.fullmatch(id_) else None
        return approval or await self._refused(voter, id_, ApprovalUnknown())

    async def _refused(self, voter: Principal, id_: str, why: ApprovalError) -> NoReturn:
        """On record, unless it only says what comes first."""
        if not isinstance(why, ConfirmationNeeded | StepUpNeeded) or isinstance(why, ConfirmationWrong):
            who = voter.identity
            await self._entries.refused(voter.slack, who.sub, who.org, id_, why.code)
        raise why

    async def cancel(self, approval: Approval, source: State, reason: str, *, aloud: bool = True) -> Approval | None:
        """End a request that may not go on; None if it is not in `source`, or executes already.

        Where it is not done `aloud`, the round shows it.
        """
        if source not in OPEN:
            return None
        return await self._end(approval, source, State.CANCELLED, reason, aloud=aloud)

    async def speak(self, approval: Approval) -> None:
        """Make Slack show what is stored. If Slack does not answer, a later round tries again."""
        await self._outbox.speak(approval)

    async def _end(
        self,
        approval: Approval,
        source: State,
        target: State,
        reason: str,
        result: str | None = None,
        *,
        aloud: bool = True,
    ) -> Approval | None:
        now = self._clock()
        moved = await self._store.move(
            approval,
            source,
            target,
            now=now,
            reason=reason,
            result=result,
            entry_until=now + WRITING,
            lease_over=source is State.EXECUTING,
        )
        if moved is None:
            return None
        # To stop something may not depend on the trail: the entry is owed, and the round writes it.
        recorded = await self._entries.settle(moved, before=approval)
        if aloud:
            await self.speak(recorded)
        return recorded
