"""Who may decide for somebody else: users, members of user groups, or whoever sees the card in its channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.actions.policy import Policy
from bot.approvals.model import Approval, Part
from bot.errors import NobodyToAsk
from oauth import Principal, SlackUser

MOST_ASKED = 30


class Groups(Protocol):
    """Slack's user groups."""

    async def members(self, workspace: SlackUser, group: str) -> frozenset[str]:
        """The ids of the users in a group of this person's workspace, as they are now. Raises ApproversUnknown."""


@dataclass(frozen=True, slots=True)
class Approvers:
    """Resolves a policy's approvers: once to send the cards, and anew for each click, since groups change."""

    groups: Groups

    async def asked(self, requester: SlackUser, policy: Policy) -> tuple[str, ...]:
        """To whom the card goes, never to the requester; nobody where it goes to a channel or to the requester alone.

        Raises NobodyToAsk or ApproversUnknown.
        """
        if policy.kind != "other" or policy.channel is not None:
            return ()
        found: dict[str, None] = {}
        for approver in policy.approvers:
            members = sorted(await self.groups.members(requester, approver)) if _is_group(approver) else [approver]
            found |= dict.fromkeys(user for user in members if user != requester.user)
        if len(found) < policy.quorum:
            raise NobodyToAsk
        return tuple(found)[:MOST_ASKED]

    async def seated(self, approval: Approval, voter: Principal, where: str | None) -> bool:
        """Whether they may decide; `where` is the channel that the click came from. Raises ApproversUnknown."""
        policy = approval.policy
        if policy.kind != "other":
            return False
        if not policy.approvers:
            places = {copy.channel for copy in approval.copies if copy.part is Part.CHANNEL and copy.posted}
            return where is not None and where in places
        if voter.slack.user in policy.approvers:
            return True
        for group in filter(_is_group, policy.approvers):
            if voter.slack.user in await self.groups.members(voter.slack, group):
                return True
        return False


def _is_group(id_: str) -> bool:
    return id_.startswith("S")
