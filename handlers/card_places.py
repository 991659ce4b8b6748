"""Where the copies of a request's card are, and what they show."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.approvals.model import Approval, Copy, Part
from bot.approvals.outbox import Unreachable
from handlers import cards
from handlers.post import Post
from handlers.workspace import NotInstalled
from oauth import Links, SlackUser

_LONGEST_ADDRESS = 254  # RFC 5321, errata 1690


@dataclass(frozen=True, slots=True)
class SlackCards:
    """A copy for each approver in their direct messages, or one in the channel; and one for who asked."""

    post: Post
    links: Links

    def check(self, approval: Approval) -> None:
        """Raises TooLargeToShow."""
        cards.approval_card(approval, acting_as="x" * _LONGEST_ADDRESS)

    async def show(self, approval: Approval, copy: Copy) -> Copy:
        """Post the copy, or bring the one that is there up to date. Raises Unreachable."""
        try:
            return await self._shown(approval, copy)
        except NotInstalled:
            raise Unreachable from None

    async def tell(self, approval: Approval) -> None:
        """Tell the requester how it ended. Raises Unreachable."""
        try:
            await self.post.dm(approval.requester, cards.outcome(approval))
        except NotInstalled:
            raise Unreachable from None

    async def remind(self, approval: Approval, copy: Copy) -> None:
        """Say to whom this copy is for that the time is nearly over. Raises Unreachable."""
        if copy.channel is None:
            return
        try:
            await self.post.say(approval.requester, copy.channel, cards.reminder(approval), copy.ts)
        except NotInstalled:
            raise Unreachable from None

    async def _shown(self, approval: Approval, copy: Copy) -> Copy:
        principal = await self.links.principal(approval.requester)
        acting_as = (principal.identity.email or principal.identity.name) if principal else None
        card = cards.approval_card(approval, part=copy.part, acting_as=acting_as)
        if copy.channel is not None and copy.ts is not None:
            await self.post.change(approval.requester, copy.channel, copy.ts, card)
            return replace(copy, shown=approval.revision)
        channel = copy.to if copy.part is Part.CHANNEL else await self.post.dm_of(_person(approval, copy))
        mark = f"{approval.id}:{copy.part}:{copy.to}"
        if approval.turns > 1 and (
            ts := await self.post.marked(approval.requester, channel, mark, approval.created_at)
        ):
            await self.post.change(approval.requester, channel, ts, card)
            return replace(copy, channel=channel, ts=ts, shown=approval.revision)
        channel, ts = await self.post.say(approval.requester, channel, card, mark=mark)
        return replace(copy, channel=channel, ts=ts, shown=approval.revision)


def _person(approval: Approval, copy: Copy) -> SlackUser:
    return replace(approval.requester, user=copy.to)
