"""Requests and votes: each step is taken first, atomically, and owes an audit entry until that is written.

What Slack shows follows from what is stored; `bot.approvals.outbox` sees to it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot.actions.model import Action, digest_of
from bot.actions.policy import Policy
from bot.approvals.approvers import Approvers
from bot.approvals.devices import Devices, binding_message, details
from bot.approvals.entries import Entries
from bot.approvals.model import Approval, Origin, Part, State, Verdict
from bot.approvals.outbox import Cards, Outbox
from bot.approvals.ports import ApprovalStore
from bot.approvals.states import Decided, copies_for, decide
from bot.approvals.voting import Voting
from bot.audit.writer import AuditWriter
from oauth import Clock, IdentityError, Principal, SlackUser
from oauth.errors import DeviceRefused

__all__ = ["ApprovalService", "Cards", "Draft"]


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


class ApprovalService(Voting):
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
        devices: Devices | None = None,
    ) -> None:
        """`patience` is how long Slack may take for one thing to be said, in seconds; with `devices` people can be
        asked on their own.
        """
        super().__init__(store, Entries(store, audit, clock), approvers, Outbox(store, cards, clock, patience), clock)
        self._cards = cards
        self._devices = devices

    async def request(self, principal: Principal, draft: Draft, origin: Origin) -> Approval:
        """Write a request down, store it and show its card. No token exists while a person decides.

        Raises TooLargeToShow, NobodyToAsk, ApproversUnknown, AuditUnavailable, or IdentityError where the requester
        cannot be asked on their own device.
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
        await self._cards.check(approval)
        await self._entries.requested(approval)
        if policy.kind == "ciba":
            approval = await self._on_device(principal, approval)
        await self._store.add(approval)
        await self.speak(approval)
        return approval

    async def _on_device(self, principal: Principal, approval: Approval) -> Approval:
        """Ask there. Raises IdentityError, and then the entry says that it was cancelled."""
        try:
            if self._devices is None:
                raise DeviceRefused("unsupported")
            message = binding_message(approval.action, approval.digest)
            about = details(approval.id, approval.action, approval.digest, approval.scopes)
            asked = await self._devices.ask(principal, message, approval.policy.expires, about)
        except IdentityError as error:
            await self._entries.unasked(approval, error.code)
            raise
        first = self._clock() + timedelta(seconds=asked.interval)
        until = min(asked.expires_at, approval.expires_at)
        return replace(approval, asked=asked.to_json(), poll_at=first, expires_at=until)

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

    async def expire(self, approval: Approval) -> Approval | None:
        """The time to decide is over."""
        return await self._end(approval, State.PENDING, State.EXPIRED, "expired")

    async def interrupted(self, approval: Approval, text: str) -> None:
        """Nobody keeps its execution alive, and it may not be repeated."""
        await self._end(approval, State.EXECUTING, State.UNKNOWN, "interrupted", text)

    async def complete(self, approval: Approval) -> Approval:
        """The request with the entries written that a replica owed when it went away; as it was, if it cannot be."""
        return await self._entries.complete(approval)

    async def close(self) -> None:
        """Wait for what is being said: a card that was posted and not noted down would be posted twice."""
        await self._outbox.close()

    async def _cancel_either(self, approval: Approval, reason: str, aloud: bool) -> Approval | None:
        ended = await self.cancel(approval, approval.state, reason, aloud=aloud)
        if ended is None and approval.state is State.PENDING:
            ended = await self.cancel(approval, State.APPROVED, reason, aloud=aloud)
        return ended
