"""`/agent`: one method a word. Words that are not known get help."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.actions.arguments import check, parse
from bot.approvals.service import ApprovalService
from bot.audit.ports import AuditStore
from bot.errors import ArgumentsInvalid
from handlers import cards, modals
from handlers.answering import Ack, Answering, Work
from handlers.errors import invalid
from handlers.invitations import Invitations
from handlers.message import Message
from handlers.post import Post
from handlers.requests import Requests
from handlers.speaker import Speaker
from handlers.workspace import Workspaces
from oauth import Linking, Links

_ENTRIES = 15

Word = Callable[[Speaker, str], Awaitable[Message | None]]


@dataclass(frozen=True, slots=True)
class Commands:
    """The slash command."""

    answering: Answering
    requests: Requests
    invitations: Invitations
    linking: Linking
    links: Links
    approvals: ApprovalService
    audit: AuditStore
    post: Post
    workspaces: Workspaces

    def listen(self, bolt: AsyncApp) -> None:
        """Subscribe."""
        bolt.command("/agent")(self.agent_typed)

    async def agent_typed(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody typed `/agent …`."""
        who: Speaker = context["speaker"]
        text = body.get("text")
        first, _, rest = (text if isinstance(text, str) else "").strip().partition(" ")
        word = self._words().get(first.lower(), self.help)
        work: Work = word(who, rest.strip())  # type: ignore[assignment]
        if word == self.run and self.requests.calls_out(rest.strip().partition(" ")[0]):
            await self.answering.after_ack(ack, who, work)
        else:
            # A request that waits for approval is stored before its ack, so that a crash cannot lose it behind one.
            await self.answering.command(ack, who, work)

    def _words(self) -> dict[str, Word]:
        return {
            "": self.status,
            "status": self.status,
            "link": self.link,
            "code": self.code,
            "unlink": self.unlink,
            "actions": self.actions,
            "run": self.run,
            "ask": self.ask,
            "approvals": self.waiting,
            "audit": self.trail,
            "help": self.help,
        }

    async def status(self, who: Speaker, _: str) -> Message:
        """Who you are here."""
        principal = await self.links.principal(who.slack)
        waiting = len(await self.approvals.open_of(who.slack)) if principal else 0
        return cards.status_card(principal, waiting=waiting, team_name=await self.workspaces.name(who.slack))

    async def link(self, who: Speaker, _: str) -> Message:
        """Always a new login link."""
        return await self.invitations.invite(who, fresh=True)

    async def code(self, who: Speaker, typed: str) -> Message:
        """The code from the page."""
        if not self.linking.takes_codes:
            return cards.note("No code is used here: the pages of your login link do it all. `/agent link` sends one.")
        if not typed:
            return cards.note("Type the code from the page after it: `/agent code XXXX-XXXX`.")
        await self.linking.enter_code(who.slack, typed)
        return cards.note("The code is right: you are linked. The details are in our direct messages.")

    async def unlink(self, who: Speaker, _: str) -> Message:
        """End the link, here and at the provider."""
        if await self.links.unlink(who.slack, "unlink"):
            return cards.note(
                "You are unlinked. What was waiting is cancelled, and the agent can do nothing more for you."
            )
        return cards.note("You are not linked, so there is nothing to undo. `/agent link` links you.")

    async def actions(self, who: Speaker, _: str) -> Message:
        """What the agent may do."""
        return cards.actions_list(list(self.requests.registry), await self.links.principal(who.slack))

    async def run(self, who: Speaker, text: str) -> Message | None:
        """Run an action; a form asks for what is missing."""
        name, _, rest = text.partition(" ")
        if not name:
            return cards.note("Name an action: `/agent run ACTION name=value`. `/agent actions` lists them.")
        action = self.requests.registry.get(name)
        given = parse(rest)
        try:
            check(action, given)
            return await self.requests.ask(who, name, given)
        except ArgumentsInvalid as error:
            if not error.missing:
                raise
            if await self.links.principal(who.slack) is None:
                return await self.requests.ask(who, name, given)
            metadata = json.dumps({"action": name, "channel": who.channel, "response_url": who.response_url})
            form = modals.action_form(action, given, error.problems, metadata)
            if who.trigger and await self.post.open_view(who.slack, who.trigger, form):
                return None
            return cards.note(f"{invalid(error)}\nType them after the name: `/agent run {name} name=value`.")

    async def ask(self, who: Speaker, _: str) -> Message:
        """Without a language model there is nobody to answer."""
        return cards.note("No language model is set up here, so I only take commands. `/agent help` lists them.")

    async def waiting(self, who: Speaker, _: str) -> Message:
        """What waits for you, and what you wait for."""
        principal = await self.links.principal(who.slack)
        found = await self.approvals.concerning(principal) if principal else []
        return cards.approvals_list(found, who.slack)

    async def trail(self, who: Speaker, _: str) -> Message:
        """Your own entries of the audit trail."""
        return cards.audit_list(await self.audit.of_person(who.slack.workspace, who.slack.user, _ENTRIES))

    async def help(self, who: Speaker, _: str) -> Message:
        """Every word."""
        return cards.help_card(model=False)
