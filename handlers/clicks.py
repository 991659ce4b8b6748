"""Buttons and forms of linking and of actions; those of approvals have a room of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.actions.arguments import check
from bot.errors import ActionUnknown, ArgumentsInvalid
from handlers import cards, modals
from handlers.answering import Ack, Answering
from handlers.message import Message
from handlers.post import Post
from handlers.requests import Requests
from handlers.speaker import Speaker
from oauth import Linking, Links


@dataclass(frozen=True, slots=True)
class Clicks:
    """Listeners; each takes the person from the signed payload."""

    answering: Answering
    requests: Requests
    linking: Linking
    links: Links
    post: Post

    def listen(self, bolt: AsyncApp) -> None:
        """Subscribe."""
        bolt.action(cards.LINK_OPEN)(self.link_opened)
        bolt.action(cards.ACCOUNT_CONNECT)(self.link_opened)
        bolt.action(cards.STEP_UP)(self.link_opened)
        bolt.action(cards.LINK_ENTER_CODE)(self.code_wanted)
        bolt.action(cards.LINK_NOT_ME)(self.link_disowned)
        bolt.view(modals.LINK_CODE)(self.code_entered)
        bolt.view(modals.RUN_SUBMIT)(self.form_sent)

    async def link_opened(self, ack: Ack) -> None:
        """A `url` button opens in the browser by itself; Slack tells us all the same."""
        await ack()

    async def code_wanted(self, ack: Ack, context: dict[str, Any]) -> None:
        """Show where the code goes."""
        who: Speaker = context["speaker"]

        async def opened() -> Message | None:
            signed_in = await self.linking.pending(who.slack)
            account = (signed_in.email or signed_in.name or signed_in.sub) if signed_in else None
            form = modals.code_modal(account)
            if who.trigger and await self.post.open_view(who.slack, who.trigger, form):
                return None
            return cards.note("I could not open the window. Type the code instead: `/agent code XXXX-XXXX`.")

        await self.answering.after_ack(ack, who, opened())

    async def code_entered(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """The code from the page; a wrong one is said under the field."""
        who: Speaker = context["speaker"]
        typed = str(modals.submitted(body.get("view") or {}).get(modals.CODE, ""))

        async def proven() -> None:
            await self.linking.enter_code(who.slack, typed)

        await self.answering.form(ack, who, proven(), modals.CODE)

    async def link_disowned(self, ack: Ack, context: dict[str, Any]) -> None:
        """“This wasn’t me”: the link ends at once, here and at the provider."""
        who: Speaker = context["speaker"]

        async def undone() -> Message | None:
            if await self.links.unlink(who.slack, "not_me"):
                return None  # the direct message about the end of the link says it
            return cards.note("That link has ended already; nobody can act for you through it.")

        await self.answering.click(ack, who, undone())

    async def form_sent(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """The form of an action: wrong values get their sentence in the form, before anything is called."""
        who: Speaker = context["speaker"]
        view: Mapping[str, Any] = body.get("view") or {}
        try:
            about = json.loads(view.get("private_metadata") or "{}")
            action = self.requests.registry.get(str(about.get("action")))
        except (ValueError, AttributeError, ActionUnknown):
            await ack()
            await self.answering.tell(who, cards.note("This action is no longer there. `/agent actions` lists them."))
            return
        raw = modals.submitted(view)
        try:
            check(action, raw)
        except ArgumentsInvalid as error:
            await ack(response_action="errors", errors=modals.form_errors(view, error.problems, error.missing))
            return
        asked = replace(who, channel=about.get("channel"), response_url=about.get("response_url"))
        asking = self.requests.ask(asked, action.name, raw)
        if self.requests.calls_out(action.name):
            await self.answering.after_ack(ack, asked, asking)
        else:
            await self.answering.click(ack, asked, asking)
