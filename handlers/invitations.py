"""Asking a person to link: one login link at a time, in their direct messages and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from handlers import cards
from handlers.blocks import moment
from handlers.message import Message
from handlers.people import Guest, NoPerson, People, PersonUnknown
from handlers.post import Post
from handlers.speaker import Speaker
from oauth import Linking

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Invitations:
    """Sends login links."""

    linking: Linking
    people: People
    post: Post

    async def invite(self, who: Speaker, *, waiting: str | None = None, fresh: bool = False) -> Message:
        """Send a link, unless a live one is there already; what to tell the person where they asked.

        `waiting` is what goes on by itself after linking.
        """
        try:
            profile = await self.people.profile(who)
        except NoPerson:
            return cards.note("Only people whose Slack account is active can be linked.")
        except Guest:
            return cards.note(cards.OUTSIDERS)
        except PersonUnknown:
            return cards.note("Slack does not answer just now, so no link was sent. Please try again in a minute.")
        started = await self.linking.start(who.slack, profile, waiting=waiting, fresh=fresh)
        until = moment(started.expires_at)
        after = " Once you are linked, I go on with what you asked." if waiting else ""
        if started.url is None:
            return cards.note(
                f"You are not linked yet. Your login link is in our direct messages, valid until {until}.{after} "
                "If it is gone, `/agent link` sends a new one."
            )
        card = cards.link_card(started.url, started.expires_at, profile.team_name)
        try:
            await self.post.dm(who.slack, card)
        except Exception as error:  # never posted elsewhere instead: whoever finds a link could try it
            log.warning("link_not_sent", kind=type(error).__name__)
            return cards.note(
                "I cannot send you a direct message, and a login link goes nowhere else. "
                "Allow messages from this app, then type `/agent link`."
            )
        start = "I sent" if fresh else "You are not linked yet. I sent"
        return cards.note(f"{start} you a login link in our direct messages, valid until {until}.{after}")
