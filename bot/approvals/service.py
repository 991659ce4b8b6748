"""Requests and votes: each step is taken first, atomically, and owes an audit entry until that is written.

What Slack shows follows from what is stored; `bot.approvals.outbox` sees to it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from bot.actions.model import Action, digest_of
from bot.actions.policy import Policy
from bot.approvals.approvers import Approvers
from bot.approvals.entries import WRITING, Entries
from bot.approvals.model import Approval, Origin, Part, State, Verdict, to_type
from bot.approvals.outbox import Cards, Outbox
from bot.approvals.ports import ApprovalStore
from bot.approvals.states import OPEN, Decided, Outcome, Refused, copies_for, decide, take_back
from bot.audit.writer import AuditWriter
from bot.errors import (
    AlreadyDecided,
    ApprovalError,
    ApprovalUnknown,
    ChangedSinceAsked,
    ConfirmationNeeded,
    ConfirmationWrong,
    StepUpNeeded,
)
from oauth import Clock, Evidence, Principal, SlackUser

__all__ = ["ApprovalService", "Cards", "Draft"]

_ID = re.compile(r"[0-9a-f]{1,64}")
_RACES = 8
_NOTE = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be agreed to. `why` is what the requester says, `seen` what a preview showed, `unusual` what is."""

    action: Action
    arguments: Mapping[str, Any]
    policy: Policy
    run: str
    why: str | None = None
    seen: tuple[tuple[str, str], ...] = ()
    unusual: tuple[str, ...] = ()


class ApprovalService:
    """Asks, counts votes, cancels. Execution is the runner's."""

    def __init__(
        self,
        store: ApprovalStore,
        audit: AuditWriter,
        cards: Cards,
        approvers: Approvers,
        clock: Clock,
        *,
        patience: float = 6.0,
    ) -> None:
        """`patience` is how long Slack may take for one thing to be said, in seconds."""
        self._store = store
        self._clock = clock
        self._cards = cards
        self._approvers = approvers
        self._entries = Entries(store, audit, clock)
        self._outbox = Outbox(store, cards, clock, patience)

    async def request(self, principal: Principal, draft: Draft, origin: Origin) -> Approval:
        """Write a request down, store it and show its card. No token exists while a person decides.

        Raises TooLargeToShow, NobodyToAsk, ApproversUnknown or AuditUnavailable.
        """
        now, action, policy = self._clock(), draft.action, draft.policy
        asked = await self._approvers.asked(principal.slack, policy)
        approval = Approval(
            id=secrets.token_hex(12),
            requester=principal.slack,
            sub=principal.sub,
            link_version=principal.version,
            action=action.name,
            description=action.description,
            arguments=draft.arguments,
            scopes=action.scopes,
            connection=action.connection,
            org=principal.identity.org,
            digest=digest_of(action, draft.arguments, policy),
            run=draft.run,
            origin=origin,
            created_at=now,
            expires_at=now + policy.expires,
            policy=policy,
            audited=True,
            why=draft.why,
            seen=draft.seen,
            unusual=draft.unusual,
        )
        approval = replace(approval, copies=copies_for(approval, asked))
        self._cards.check(approval)
        await self._entries.requested(approval)
        await self._store.add(approval)
        await self.speak(approval)
        return approval

    async def decide(
        self,
        voter: Principal,
        id_: str,
        verdict: Verdict,
        *,
        where: str | None = None,
        typed: str | None = None,
        evidence: Evidence | None = None,
    ) -> Approval:
        """Take a vote, once. `where` is the channel of the click, `typed` what `policy.confirm` wants to be typed, and
        `evidence` how the voter has authenticated for it.

        Raises an ApprovalError. If it comes back with `audited` false, the trail could not take its entry: the vote
        stands, but nothing runs until the periodic round has written it.
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

    async def take_back(self, voter: Principal, id_: str, *, where: str | None = None) -> Approval:
        """Withdraw a request of one's own that waits, or undo what was agreed to while it is held.

        Raises NotYours, AlreadyDecided, TooLate or ApprovalUnknown.
        """
        for _ in range(_RACES):
            approval = await self._found(voter, id_)
            outcome = take_back(approval, voter, self._clock())
            if moved := await self._counted(approval, voter, outcome):
                return moved
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

    async def _counted(self, approval: Approval, voter: Principal, outcome: Outcome) -> Approval | None:
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
        if moved is None:
            return None
        return await self._entries.settle(moved, before=approval)

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

    async def cancel_of(self, slack: SlackUser, version: str, reason: str, *, aloud: bool = True) -> None:
        """End all that a person has open, or has agreed to, under a link that has ended; also what is approved in the
        very moment.

        What they ask for under a newer link goes on. Side by side: a Slack that hangs over one card keeps no other
        request open.
        """
        while found := await self._standing_on(slack, version):
            own = slack.key
            ended = await asyncio.gather(
                *(
                    self._cancel_either(one, reason if one.requester.key == own else f"approver_{reason}", aloud)
                    for one in found
                )
            )
            if not any(ended):
                return

    async def _standing_on(self, slack: SlackUser, version: str) -> list[Approval]:
        asked = [one for one in await self._store.open_of(slack) if one.link_version == version]
        voted = await self._store.voted_by(slack)
        return asked + [
            one for one in voted if any((vote.by.key, vote.link_version) == (slack.key, version) for vote in one.votes)
        ]

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has open."""
        return await self._store.open_of(slack)

    async def waiting_for(self, voter: Principal) -> list[Approval]:
        """What waits for this person to decide, and has no vote of theirs yet."""
        own = [one for one in await self._store.open_of(voter.slack) if one.policy.kind == "self"]
        found = [one for one in own if one.state is State.PENDING]
        for one in await self._store.for_others(voter.slack.workspace):
            place = next((copy.channel for copy in one.copies if copy.part is Part.CHANNEL), None)
            seated = bool(one.policy.approvers) and await self._approvers.seated(one, voter, place)
            asked = isinstance(decide(one, Verdict.DENY, voter, self._clock(), seated=seated), Decided)
            if asked and all(vote.by.key != voter.slack.key for vote in one.votes):
                found.append(one)
        return found

    async def concerning(self, who: Principal) -> list[Approval]:
        """What a person has open, and what else waits for them."""
        own = await self._store.open_of(who.slack)
        return own + [one for one in await self.waiting_for(who) if one.requester.key != who.slack.key]

    async def remind(self, approval: Approval) -> None:
        """Those who have not decided yet hear that the time is nearly over; once, by one replica."""
        if await self._store.remind(approval):
            await self._outbox.remind(approval)

    async def expire(self, approval: Approval) -> None:
        """The time to decide is over."""
        await self._end(approval, State.PENDING, State.EXPIRED, "expired")

    async def interrupted(self, approval: Approval, text: str) -> None:
        """Nobody keeps its execution alive, and it may not be repeated."""
        await self._end(approval, State.EXECUTING, State.UNKNOWN, "interrupted", text)

    async def complete(self, approval: Approval) -> None:
        """Write the entries that a replica owed when it went away."""
        await self._entries.complete(approval)

    async def speak(self, approval: Approval) -> None:
        """Make Slack show what is stored. If Slack does not answer, a later round tries again."""
        await self._outbox.speak(approval)

    async def close(self) -> None:
        """Wait for what is being said: a card that was posted and not noted down would be posted twice."""
        await self._outbox.close()

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

    async def _cancel_either(self, approval: Approval, reason: str, aloud: bool) -> Approval | None:
        ended = await self.cancel(approval, approval.state, reason, aloud=aloud)
        if ended is None and approval.state is State.PENDING:
            ended = await self.cancel(approval, State.APPROVED, reason, aloud=aloud)
        return ended
