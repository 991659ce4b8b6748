"""The buttons of approval cards, and where the cards are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.approvals.model import Approval, CardPlace, Verdict
from bot.approvals.outbox import Unreachable
from bot.approvals.service import ApprovalService
from bot.runner import Runner
from bot.tasks import Tasks
from handlers import cards
from handlers.answering import Ack, Answering
from handlers.invitations import Invitations
from handlers.message import Message
from handlers.post import Post
from handlers.speaker import Speaker
from handlers.workspace import NotInstalled
from oauth import Links

_LONGEST_ADDRESS = 254  # RFC 5321, errata 1690


@dataclass(frozen=True, slots=True)
class DirectCards:
    """Cards in the requester's direct messages, where those of `approval = "self"` belong."""

    post: Post
    links: Links

    def check(self, approval: Approval) -> None:
        """Raises TooLargeToShow."""
        cards.approval_card(approval, acting_as="x" * _LONGEST_ADDRESS)

    async def show(self, approval: Approval) -> CardPlace:
        """Post the card, or bring the one that is there up to date. Raises Unreachable."""
        try:
            return await self._shown(approval)
        except NotInstalled:
            raise Unreachable from None

    async def tell(self, approval: Approval) -> None:
        """Tell the requester how it ended. Raises Unreachable."""
        try:
            await self.post.dm(approval.requester, cards.outcome(approval))
        except NotInstalled:
            raise Unreachable from None

    async def _shown(self, approval: Approval) -> CardPlace:
        principal = await self.links.principal(approval.requester)
        acting_as = (principal.identity.email or principal.identity.name) if principal else None
        card = cards.approval_card(approval, acting_as=acting_as)
        if approval.card is not None:
            await self.post.change(approval.requester, approval.card.channel, approval.card.ts, card)
            return CardPlace(approval.card.channel, approval.card.ts, approval.revision)
        channel, ts = await self.post.dm(approval.requester, card)
        return CardPlace(channel, ts, approval.revision)


@dataclass(frozen=True, slots=True)
class ApprovalClicks:
    """Listeners. The clicker is resolved to a live link; of the button only an id is believed."""

    answering: Answering
    approvals: ApprovalService
    runner: Runner
    links: Links
    invitations: Invitations
    tasks: Tasks

    def listen(self, bolt: AsyncApp) -> None:
        """Subscribe."""
        bolt.action(cards.APPROVE)(self.approve_clicked)
        bolt.action(cards.DENY)(self.deny_clicked)

    async def approve_clicked(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody agrees."""
        await self._decided(ack, body, context, Verdict.APPROVE)

    async def deny_clicked(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody does not."""
        await self._decided(ack, body, context, Verdict.DENY)

    async def _decided(self, ack: Ack, body: dict[str, Any], context: dict[str, Any], verdict: Verdict) -> None:
        who: Speaker = context["speaker"]
        value = next((a.get("value") for a in body.get("actions") or [] if isinstance(a, dict)), None)
        await self.answering.click(ack, who, self._decide(who, value if isinstance(value, str) else "", verdict))

    async def _decide(self, who: Speaker, id_: str, verdict: Verdict) -> Message | None:
        """The verdict is stored before Slack gets its ack: from then on no crash can lose it."""
        voter = await self.links.principal(who.slack)
        if voter is None:
            return await self.invitations.invite(who)
        decided = await self.approvals.decide(voter, id_, verdict)
        self.tasks.spawn(self._go_on(decided), f"decided:{decided.id}")
        return None

    async def _go_on(self, decided: Approval) -> None:
        # Side by side: the buttons go at once, and a Slack that hangs keeps no execution waiting.
        await asyncio.gather(self.approvals.speak(decided), self.runner.resume(decided))
