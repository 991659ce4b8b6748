"""Requests and verdicts. What Slack shows follows from what is stored, by an outbox that every replica works on."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

import structlog

from bot.actions.model import Action, digest_of
from bot.approvals.model import Approval, CardPlace, Origin, State, Verdict
from bot.approvals.ports import ApprovalStore
from bot.approvals.states import Refused, decide
from bot.audit.writer import AuditWriter
from bot.errors import AlreadyDecided, ApprovalUnknown
from oauth import Clock, Principal, SlackUser

log = structlog.get_logger(__name__)

_SPEAKING = timedelta(seconds=30)


class Cards(Protocol):
    """What people see of a request."""

    async def show(self, approval: Approval) -> CardPlace:
        """Post the card, or update it where `approval.card` says that it is."""

    async def tell(self, approval: Approval) -> None:
        """Tell the requester how it ended."""


class ApprovalService:
    """Asks, decides, cancels. Execution is the runner's."""

    def __init__(self, store: ApprovalStore, audit: AuditWriter, cards: Cards, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._cards = cards
        self._clock = clock

    async def request(
        self, principal: Principal, action: Action, arguments: Mapping[str, Any], run: str, origin: Origin
    ) -> Approval:
        """Store a request, write it down and show its card. No token exists while a person decides."""
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
            digest=digest_of(action, arguments),
            run=run,
            origin=origin,
            created_at=now,
            expires_at=now + action.expires,
        )
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
        """Take a verdict, once. Raises ApprovalUnknown, NotYours, AlreadyDecided or ApprovalExpired."""
        now = self._clock()
        approval = await self._store.get(voter.slack.workspace, id_)
        if approval is None:
            await self._refuse(voter, id_, ApprovalUnknown.code)
            raise ApprovalUnknown
        outcome = decide(approval, verdict, voter, now)
        if isinstance(outcome, Refused):
            await self._refuse(voter, id_, outcome.why.code)
            raise outcome.why
        decided = await self._store.move(approval, State.PENDING, outcome.state, now=now, by=voter.slack)
        if decided is None:
            latest = await self._store.get(voter.slack.workspace, id_)
            raise AlreadyDecided(latest.state.value if latest else "gone")
        await self.write_verdict(decided, voter)
        return decided

    async def write_verdict(self, approval: Approval, voter: Principal | None) -> None:
        """The entry of a verdict; until it stands, nothing is executed."""
        approved = approval.state is not State.DENIED
        await self._audit.append(
            "approval.approved" if approved else "approval.denied",
            "ok" if approved else "denied",
            slack=approval.requester,
            identity=voter.identity if voter else None,
            action=approval.action,
            arguments=approval.arguments,
            scopes=approval.scopes,
            approval=approval.id,
            approver=voter,
            run=approval.run,
        )
        await self._store.audited(approval)

    async def cancel(self, approval: Approval, source: State, reason: str) -> Approval | None:
        """End a request that may not go on."""
        await self._audit.append(
            "approval.cancelled",
            "denied",
            slack=approval.requester,
            reason=reason,
            action=approval.action,
            approval=approval.id,
            run=approval.run,
        )
        moved = await self._store.move(approval, source, State.CANCELLED, now=self._clock(), reason=reason)
        if moved is not None:
            await self.speak(moved)
        return moved

    async def cancel_of(self, slack: SlackUser, reason: str) -> None:
        """End all that a person has open."""
        for approval in await self._store.open_of(slack):
            await self.cancel(approval, approval.state, reason)

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has open."""
        return await self._store.open_of(slack)

    async def expire(self, approval: Approval) -> None:
        """The time to decide is over."""
        await self._audit.append(
            "approval.expired",
            "denied",
            slack=approval.requester,
            action=approval.action,
            approval=approval.id,
            run=approval.run,
        )
        moved = await self._store.move(approval, State.PENDING, State.EXPIRED, now=self._clock(), reason="expired")
        if moved is not None:
            await self.speak(moved)

    async def speak(self, approval: Approval) -> None:
        """Make Slack show what is stored. If Slack does not answer, the next round tries again."""
        now = self._clock()
        current = await self._store.claim_outbox(approval, now, now + _SPEAKING)
        if current is None:
            return
        card, told = current.card, current.told
        try:
            if card is None or card.shown != current.revision:
                card = await self._cards.show(current)
            if current.state.final and not told:
                await self._cards.tell(current)
                told = True
        except Exception as error:  # Slack's refusals are many; none of them may end the request
            log.warning("card_not_shown", approval=current.id, kind=type(error).__name__)
        await self._store.said(current, card, told=told)

    async def _refuse(self, voter: Principal, id_: str, reason: str) -> None:
        await self._audit.append(
            "action.refused", "denied", slack=voter.slack, identity=voter.identity, reason=reason, approval=id_[:64]
        )
