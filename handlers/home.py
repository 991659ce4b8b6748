"""The bot's Home tab: who you are here, what waits for you, and what was done under your name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.approvals.service import ApprovalService
from bot.audit.ports import AuditStore
from bot.tasks import Tasks
from handlers import cards
from handlers.blocks import section
from handlers.message import Block
from handlers.post import Post
from handlers.speaker import Speaker
from handlers.workspace import Workspaces
from oauth import Links

_ENTRIES = 10
_MOST_BLOCKS = 100


@dataclass(frozen=True, slots=True)
class Home:
    """Publishes the tab when somebody looks at it."""

    links: Links
    approvals: ApprovalService
    audit: AuditStore
    post: Post
    tasks: Tasks
    workspaces: Workspaces

    def listen(self, bolt: AsyncApp) -> None:
        """Subscribe."""
        bolt.event("app_home_opened")(self.opened)

    async def opened(self, event: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody looks at the app; the messages tab needs nothing."""
        if event.get("tab", "home") == "home":
            self.tasks.spawn(self._publish(context["speaker"]), "home")

    async def _publish(self, who: Speaker) -> None:
        principal = await self.links.principal(who.slack)
        waiting = await self.approvals.open_of(who.slack) if principal else []
        team_name = await self.workspaces.name(who.slack)
        parts = [cards.status_card(principal, waiting=len(waiting), team_name=team_name)]
        if waiting:
            parts.append(cards.approvals_list(waiting))
        parts.append(cards.audit_list(await self.audit.of_person(who.slack.workspace, who.slack.user, _ENTRIES)))
        blocks: list[Block] = []
        for part in parts:
            blocks += [*(part.blocks or (section(part.text),)), {"type": "divider"}]
        await self.post.publish_home(who.slack, blocks[:_MOST_BLOCKS][:-1])
