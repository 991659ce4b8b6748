"""Asking a person to connect an account at a third party: one link at a time, in their direct messages alone."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from bot.actions.registry import Registry
from handlers import cards
from handlers.blocks import moment
from handlers.invitations import Invited
from handlers.people import Guest, NoPerson, People, PersonUnknown
from handlers.post import Post
from handlers.speaker import Speaker
from oauth import Accounts, Principal
from oauth.errors import AccountNotConnected

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccountInvitations:
    """Sends the links. All that the actions need of a third party is asked for at once."""

    accounts: Accounts
    registry: Registry
    people: People
    post: Post

    async def bring(self, principal: Principal, missing: AccountNotConnected, waiting: str) -> Invited:
        """Send a link, unless a live one is there already; what to tell the person where they asked.

        `waiting` is what goes on by itself once the account is connected.
        """
        slack, connection = principal.slack, missing.connection
        try:
            profile = await self.people.profile(Speaker(slack, name=None, external=False))
        except (NoPerson, Guest):
            return Invited(cards.note(cards.OUTSIDERS))
        except PersonUnknown:
            return Invited(
                cards.note("Slack does not answer just now, so nothing was done. Please try again in a minute.")
            )
        scopes = self.registry.wanted_of(connection) | missing.scopes
        started = await self.accounts.start(principal, profile, connection, scopes, waiting=waiting)
        account, until = cards.your_account(connection), moment(started.expires_at)
        after = "Once it is connected, I go on with what you asked."
        if started.url is None:
            # Nobody has that link any more but the person: what is stored of it is a hash.
            there = f"the link is in our direct messages, valid until {until}"
            return Invited(cards.note(f"For this, connect {account} first: {there}. {after}"))
        who = principal.identity
        card = cards.connect_card(
            started.url, started.expires_at, profile.team_name, connection, scopes, who.email or who.name or who.sub
        )
        try:
            await self.post.dm(slack, card)
        except Exception as error:  # never posted elsewhere instead: whoever finds a link could try it
            log.warning("link_not_sent", kind=type(error).__name__)
            await self.accounts.withdraw(principal, connection)
            return Invited(
                cards.note(
                    "I cannot send you a direct message, and this link goes nowhere else. "
                    "Allow messages from this app, then ask once more."
                )
            )
        said = f"For this I need {account}. I sent you a link in our direct messages, valid until {until}. {after}"
        return Invited(cards.note(said), seen=True)
