"""What people are told when something happened to their link, and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import dataclass

import structlog

from bot.approvals.service import ApprovalService
from handlers import cards
from handlers.approvals import ApprovalClicks
from handlers.errors import words
from handlers.message import Message
from handlers.post import Post
from handlers.requests import Requests
from handlers.speaker import Speaker
from handlers.workspace import Workspaces
from oauth import Accounts, IdentityError, LinkEvent, Principal, Questions, SlackUser
from oauth.accounts.asking import LEFT as UNASKED
from oauth.accounts.flow import CONNECTED
from oauth.errors import LinkedElsewhere, SlackDiffers
from oauth.fresh import WANTED
from oauth.questions import LEFT
from oauth.step_up.asking import STEPPED_UP

log = structlog.get_logger(__name__)

_TOLD = {kind.code: kind for kind in (LinkedElsewhere, SlackDiffers)}

# These are told by what takes the link's place, by the answer to the command, or to nobody: they are gone.
_SILENT = {"relinked", "unlink", "deactivated", "uninstalled"}


@dataclass(frozen=True, slots=True)
class Notices:
    """Hears of link events after they took effect."""

    post: Post
    approvals: ApprovalService
    requests: Requests
    decisions: ApprovalClicks
    questions: Questions
    accounts: Accounts
    workspaces: Workspaces

    async def heard(self, event: LinkEvent) -> None:
        """One event."""
        if event.slack is None:
            return
        if event.type == "link.completed" and event.principal is not None:
            await self._tell(
                event.slack, cards.linked_receipt(event.principal, await self.workspaces.name(event.slack))
            )
            await self._go_on(event.principal, self.questions.take(event.principal))
        elif event.type == LEFT and event.principal is not None:
            await self._go_on(event.principal, self.questions.take(event.principal))
        elif event.type in {CONNECTED, UNASKED} and event.principal is not None:
            await self._connected(event.principal, event.reason or "", told=event.type == UNASKED)
        elif event.type == STEPPED_UP and event.principal is not None:
            said = await self.decisions.stepped_up(event.principal, event.reason or "")
            if said is not None:
                await self._tell(event.slack, said)
        elif event.type == "link.revoked" and event.principal is not None:
            await self._ended(event.principal, event.reason or "")
        elif event.type == WANTED:
            await self._wanted(event.slack)
        elif event.type == "link.refused" and event.other is not None:
            await self._tell(event.slack, cards.identity_taken(for_holder=False))
            await self._tell(event.other, cards.identity_taken(for_holder=True))
        elif event.type == "link.refused" and event.reason in _TOLD:
            await self._tell(event.slack, cards.note(words(_TOLD[event.reason]())))

    async def _connected(self, who: Principal, connection: str, *, told: bool) -> None:
        """An account is connected; nobody knows that for sure where only what waited for it was found."""
        if not told:
            await self._tell(who.slack, cards.account_connected(connection))
        await self._go_on(who, self.accounts.take(who, connection))

    async def _go_on(self, who: Principal, taken: Awaitable[str | None]) -> None:
        """With what they asked before they were linked, or before an account was connected."""
        try:
            waiting = await taken
        except IdentityError as error:  # altered in the database, or that is away; the person can ask again
            log.warning("question_lost", reason=error.code)
            return
        if waiting is None:
            return
        asked = json.loads(waiting)
        going_on = self.decisions if "approval" in asked else self.requests
        said = await going_on.go_on(who, asked)
        if said is not None:
            await self._tell(who.slack, said)

    async def _wanted(self, slack: SlackUser) -> None:
        await self.requests.invitations.invite(Speaker(slack, name=None, external=False), fresh=True)

    async def _ended(self, who: Principal, reason: str) -> None:
        # First what must not go on, then the words about it.
        await self.approvals.cancel_of(who.slack, who.version, "unlinked")
        if reason not in _SILENT:
            await self._tell(who.slack, cards.link_ended(reason))

    async def _tell(self, slack: SlackUser, message: Message) -> None:
        try:
            await self.post.dm(slack, message)
        except Exception as error:  # a person who cannot be told must not keep the rest from happening
            log.warning("notice_not_sent", kind=type(error).__name__)
