"""Requests and verdicts: each step is taken first, atomically, and owes an audit entry until that is written.

What Slack shows follows from what is stored; `bot.approvals.outbox` sees to it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from bot.actions.model import Action, digest_of
from bot.approvals.model import Approval, Origin, State, Verdict
from bot.approvals.outbox import Cards, Outbox
from bot.approvals.ports import ApprovalStore
from bot.approvals.states import OPEN, Refused, decide
from bot.audit.writer import AuditWriter
from bot.errors import AlreadyDecided, ApprovalUnknown, ChangedSinceAsked
from oauth import Clock, Principal, SlackUser

__all__ = ["ApprovalService", "Cards"]

log = structlog.get_logger(__name__)

_ID = re.compile(r"[0-9a-f]{1,64}")
_WRITING = timedelta(seconds=10)
_ENTRIES = {
    State.APPROVED: ("approval.approved", "ok"),
    State.DENIED: ("approval.denied", "denied"),
    State.EXPIRED: ("approval.expired", "denied"),
    State.CANCELLED: ("approval.cancelled", "denied"),
    State.UNKNOWN: ("action.finished", "unknown"),
}


class ApprovalService:
    """Asks, decides, cancels. Execution is the runner's."""

    def __init__(
        self, store: ApprovalStore, audit: AuditWriter, cards: Cards, clock: Clock, *, patience: float = 6.0
    ) -> None:
        """`patience` is how long Slack may take for one thing to be said, in seconds."""
        self._store = store
        self._audit = audit
        self._clock = clock
        self._cards = cards
        self._outbox = Outbox(store, cards, clock, patience)

    async def request(
        self, principal: Principal, action: Action, arguments: Mapping[str, Any], run: str, origin: Origin
    ) -> Approval:
        """Write a request down, store it and show its card. No token exists while a person decides.

        Raises TooLargeToShow or AuditUnavailable.
        """
        now = self._clock()
        approval = Approval(
            id=secrets.token_hex(12),
            requester=principal.slack,
            sub=principal.sub,
            link_version=principal.version,
            action=action.name,
            description=action.description,
            arguments=arguments,
            scopes=action.scopes,
            connection=action.connection,
            digest=digest_of(action, arguments),
            run=run,
            origin=origin,
            created_at=now,
            expires_at=now + action.expires,
            audited=True,
        )
        self._cards.check(approval)
        await self._audit.append(
            "approval.requested",
            "ok",
            slack=principal.slack,
            identity=principal.identity,
            action=action.name,
            arguments=arguments,
            scopes=action.scopes,
            approval=approval.id,
            run=run,
            request=origin.request,
        )
        await self._store.add(approval)
        await self.speak(approval)
        return approval

    async def decide(self, voter: Principal, id_: str, verdict: Verdict) -> Approval:
        """Take a verdict, once. Raises ApprovalUnknown, NotYours, AlreadyDecided, ApprovalExpired or ChangedSinceAsked.

        If it comes back with `audited` false, the trail could not take its entry: the verdict stands, but nothing
        runs until the periodic round has written it.
        """
        now = self._clock()
        approval = await self._store.get(voter.slack.workspace, id_) if _ID.fullmatch(id_) else None
        if approval is None:
            await self._refuse(voter, id_, ApprovalUnknown.code)
            raise ApprovalUnknown
        outcome = decide(approval, verdict, voter, now)
        if isinstance(outcome, Refused):
            if isinstance(outcome.why, ChangedSinceAsked):
                await self.cancel(approval, State.PENDING, outcome.why.code)
            else:
                await self._refuse(voter, id_, outcome.why.code)
            raise outcome.why
        decided = await self._store.move(
            approval, State.PENDING, outcome.state, now=now, by=voter.slack, entry_until=now + _WRITING
        )
        if decided is None:
            latest = await self._store.get(voter.slack.workspace, id_)
            late = AlreadyDecided(latest.state.value if latest else "gone")
            await self._refuse(voter, id_, late.code)
            raise late
        return await self._recorded(decided, voter)

    async def cancel(self, approval: Approval, source: State, reason: str, *, aloud: bool = True) -> Approval | None:
        """End a request that may not go on; None if it is not in `source`, or executes already.

        Where it is not done `aloud`, the round shows it.
        """
        if source not in OPEN:
            return None
        return await self._end(approval, source, State.CANCELLED, reason, aloud=aloud)

    async def cancel_of(self, slack: SlackUser, version: str, reason: str, *, aloud: bool = True) -> None:
        """End all that a person has open under a link that has ended, also what is approved in the very moment.

        What they ask for under a newer link goes on. Side by side: a Slack that hangs over one card keeps no other
        request open.
        """
        while found := [one for one in await self._store.open_of(slack) if one.link_version == version]:
            ended = await asyncio.gather(*(self._cancel_either(approval, reason, aloud) for approval in found))
            if not any(ended):
                return

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has open."""
        return await self._store.open_of(slack)

    async def expire(self, approval: Approval) -> None:
        """The time to decide is over."""
        await self._end(approval, State.PENDING, State.EXPIRED, "expired")

    async def interrupted(self, approval: Approval, text: str) -> None:
        """Nobody keeps its execution alive, and it may not be repeated."""
        await self._end(approval, State.EXECUTING, State.UNKNOWN, "interrupted", text)

    async def complete(self, approval: Approval, voter: Principal | None = None) -> None:
        """Write the entry that a replica owed when it went away. `voter` is the decider, if still linked."""
        now = self._clock()
        if not await self._store.claim_entry(approval, now, now + _WRITING):
            return
        type_, _ = _ENTRIES[approval.state]
        if await self._audit.recorded(approval.requester, type_, approval.id):
            await self._store.audited(approval)
        else:
            await self._recorded(approval, voter)

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
            entry_until=now + _WRITING,
            lease_over=source is State.EXECUTING,
        )
        if moved is None:
            return None
        # To stop something may not depend on the trail: the entry is owed, and the round writes it.
        recorded = await self._recorded(moved, None)
        if aloud:
            await self.speak(recorded)
        return recorded

    async def _cancel_either(self, approval: Approval, reason: str, aloud: bool) -> Approval | None:
        ended = await self.cancel(approval, approval.state, reason, aloud=aloud)
        if ended is None and approval.state is State.PENDING:
            ended = await self.cancel(approval, State.APPROVED, reason, aloud=aloud)
        return ended

    async def _recorded(self, approval: Approval, voter: Principal | None) -> Approval:
        """The request with its entry written, or as it was if the trail cannot take it now."""
        type_, outcome = _ENTRIES[approval.state]
        decided = approval.state in {State.APPROVED, State.DENIED}
        try:
            await self._audit.append(
                type_,
                outcome,
                slack=approval.requester,
                identity=voter.identity if voter else None,
                sub=approval.sub,
                reason=approval.reason,
                action=approval.action,
                arguments=approval.arguments if approval.readable else None,
                scopes=approval.scopes,
                approval=approval.id,
                approver=(voter or approval.decider) if decided else None,
                run=approval.run,
            )
            await self._store.audited(approval)
        except Exception as error:  # the trail or the store is away: what was decided stands, the round completes it
            log.error("entry_owed", approval=approval.id, state=str(approval.state), kind=type(error).__name__)
            return approval
        return replace(approval, audited=True)

    async def _refuse(self, voter: Principal, id_: str, reason: str) -> None:
        await self._audit.append(
            "action.refused", "denied", slack=voter.slack, identity=voter.identity, reason=reason, approval=id_[:64]
        )
