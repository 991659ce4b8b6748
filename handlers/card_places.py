"""Where the copies of a request's card are, and what they show."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.approvals.model import Approval, Copy, Part
from bot.approvals.outbox import Unreachable
from bot.errors import CannotAttach
from handlers import cards
from handlers.post import Post
from handlers.workspace import NotInstalled
from oauth import Links, SlackUser


@dataclass(frozen=True, slots=True)
class SlackCards:
    """A copy for each approver in their direct messages, or one in the channel; and one for who asked."""

    post: Post
    links: Links

    async def check(self, approval: Approval) -> None:
        """Raises TooLargeToShow, or CannotAttach where it would take files."""
        if cards.attached(approval) and not await self.post.may_attach(approval.requester):
            raise CannotAttach

    async def show(self, approval: Approval, copy: Copy) -> Copy:
        """One step: attach what has no room on the card, then post the card, or bring the one that is there up to date.

        So nobody is asked for a decision before they can see all of it. Raises Unreachable.
        """
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
        # A card that is there was whole, or has its files; one that an earlier version posted stays as it is.
        above = {} if copy.posted else cards.attached(approval)
        if not above.keys() <= dict(copy.files).keys():
            return await self._attached(approval, copy, above)
        principal = await self.links.principal(approval.requester)
        acting_as = (principal.identity.email or principal.identity.name) if principal else None
        card = cards.approval_card(approval, part=copy.part, acting_as=acting_as, files=dict(copy.files))
        if copy.channel is not None and copy.ts is not None:
            await self.post.change(approval.requester, copy.channel, copy.ts, card)
            return replace(copy, shown=approval.revision)
        channel = await self._channel(approval, copy)
        mark = f"{approval.id}:{copy.part}:{copy.to}"
        if approval.turns > 1 and (
            ts := await self.post.marked(approval.requester, channel, mark, approval.created_at)
        ):
            await self.post.change(approval.requester, channel, ts, card)
            return replace(copy, channel=channel, ts=ts, shown=approval.revision)
        channel, ts = await self.post.say(approval.requester, channel, card, mark=mark)
        return replace(copy, channel=channel, ts=ts, shown=approval.revision)

    async def _attached(self, approval: Approval, copy: Copy, above: dict[str, str]) -> Copy:
        channel = await self._channel(approval, copy)
        files = await self.post.attach(approval.requester, channel, above, cards.values_above(approval))
        return replace(copy, channel=channel, files=tuple(files.items()))

    async def _channel(self, approval: Approval, copy: Copy) -> str:
        return copy.to if copy.part is Part.CHANNEL else await self.post.dm_of(_person(approval, copy))


def _person(approval: Approval, copy: Copy) -> SlackUser:
    return replace(approval.requester, user=copy.to)
