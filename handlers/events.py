"""What people write to the bot, in its direct messages or by a mention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.tasks import Tasks
from handlers import cards
from handlers.errors import words
from handlers.invitations import Invitations
from handlers.message import Message
from handlers.post import Post
from handlers.speaker import Speaker
from oauth import Links


@dataclass(frozen=True, slots=True)
class Events:
    """Listeners. Bolt acks an event before it calls them."""

    links: Links
    invitations: Invitations
    post: Post
    tasks: Tasks

    def listen(self, bolt: AsyncApp) -> None:
        """Subscribe."""
        bolt.event("app_mention")(self.mentioned)
        bolt.event("message")(self.written)

    async def mentioned(self, context: dict[str, Any]) -> None:
        """Somebody named the bot in a channel."""
        self.tasks.spawn(self._answer(context["speaker"]), "mention")

    async def written(self, event: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody wrote to the bot; edits, deletions and what bots write are no questions."""
        if event.get("channel_type") == "im" and not event.get("subtype") and not event.get("bot_id"):
            self.tasks.spawn(self._answer(context["speaker"]), "message")

    async def _answer(self, who: Speaker) -> None:
        thread = None if who.in_dm else who.thread
        await self.post.say(who.slack, who.channel or "", await self._words(who), thread)

    async def _words(self, who: Speaker) -> Message:
        try:
            if await self.links.principal(who.slack) is None:
                return await self.invitations.invite(who)
        except Exception as error:
            return cards.note(words(error))
        if who.in_dm:
            return cards.help_card(model=False)
        return cards.note("I take commands here: `/agent help` lists them.")
