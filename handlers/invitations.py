"""Asking a person to link: one login link at a time, before that person's eyes and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from slack_sdk.errors import SlackApiError

from handlers import cards
from handlers.blocks import moment
from handlers.connect import ConnectUi, not_connected
from handlers.message import Message
from handlers.people import Guest, NoPerson, People, PersonUnknown
from handlers.post import Post
from handlers.speaker import Speaker
from oauth import Linking, SlackUser

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Invited:
    """`note` is what to tell the person where they asked; `seen` says that the login link is before them anyway."""

    note: Message
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Invitations:
    """Sends login links. With `connect_ui` in Slack's own block and window, where Slack has them."""

    linking: Linking
    people: People
    post: Post
    connect_ui: ConnectUi | None = None

    async def invite(self, who: Speaker, *, waiting: str | None = None, fresh: bool = False) -> Message:
        """Send a link, unless a live one is there already; what to tell the person where they asked.

        `waiting` is what goes on by itself after linking.
        """
        return (await self.bring(who, waiting=waiting, fresh=fresh)).note

    async def bring(self, who: Speaker, *, waiting: str | None = None, fresh: bool = False) -> Invited:
        """As `invite`. One link is in Slack's window or in a direct message, and never in both."""
        try:
            profile = await self.people.profile(who)
        except NoPerson:
            return _only("Only people whose Slack account is active can be linked.")
        except Guest:
            return _only(cards.OUTSIDERS)
        except PersonUnknown:
            return _only("Slack does not answer just now, so no link was sent. Please try again in a minute.")
        started = await self.linking.start(who.slack, profile, waiting=waiting, fresh=fresh)
        # Looked up now, since from now on no earlier login can link this person.
        ui = self.connect_ui if self.connect_ui and await self.connect_ui.fits(who.slack) else None
        until = moment(started.expires_at)
        after = " Once you are linked, I go on with what you asked." if waiting else ""
        if started.url is None:
            # Nobody has that link any more but the person: what is stored of it is a hash.
            there = "Slack’s sign-in window or in our direct messages" if ui else "our direct messages"
            return _only(
                f"You are not linked yet. Your login link is in {there}, valid until {until}.{after} "
                "If it is gone, `/agent link` sends a new one."
            )
        start = "" if fresh else "You are not linked yet. "
        if ui and await ui.window(who.slack, who.trigger, not_connected(started.url)):
            code = " If the page then shows a code, type `/agent code` and the code." if self._codes else ""
            said = (
                f"{start}Sign in through the window that Slack shows you; its link is valid until {until}.{after}"
                f"{code} No window? `/agent link` tries again."
            )
            return Invited(cards.note(said), seen=True)
        try:
            await self._send(who.slack, started.url, started.expires_at, profile.team_name, ui)
        except Exception as error:  # never posted elsewhere instead: whoever finds a link could try it
            log.warning("link_not_sent", kind=type(error).__name__)
            return _only(
                "I cannot send you a direct message, and a login link goes nowhere else. "
                "Allow messages from this app, then type `/agent link`."
            )
        sent = f"{start}I sent you a login link in our direct messages, valid until {until}.{after}"
        return Invited(cards.note(sent), seen=True)

    async def _send(self, slack: SlackUser, url: str, expires_at: datetime, team: str, ui: ConnectUi | None) -> None:
        """In one direct message; where Slack does not take its own block, in ours."""
        if ui and ui.block_fits(slack):
            try:
                card = cards.link_card(url, expires_at, team, connect_ui=True, codes=self._codes)
                await self.post.dm(slack, card)
                return
            except SlackApiError as refusal:
                if not ui.block_refused(slack, refusal):
                    raise
        await self.post.dm(slack, cards.link_card(url, expires_at, team, codes=self._codes))

    @property
    def _codes(self) -> bool:
        return self.linking.takes_codes


def _only(text: str) -> Invited:
    return Invited(cards.note(text))
