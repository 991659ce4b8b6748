"""The bot's Home tab: who you are here, what waits for you, what I may do, what was done; and what is pressed there.

What is decided in the tab takes the very way of a decision on a card. Only the answer goes elsewhere: into the tab.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.approvals.model import Approval, Copy
from bot.approvals.outbox import Cards
from bot.audit.ports import AuditStore
from handlers import cards, modals
from handlers.answering import Ack, Answering, Work
from handlers.approvals import ApprovalClicks
from handlers.clicks import Clicks
from handlers.message import Message
from handlers.requests import Requests
from handlers.speaker import Speaker
from handlers.tab import view as home_view
from handlers.tab.tab import HomeTab
from handlers.tab.waiting import CARD

_ENTRIES = 50
_NO_WINDOW = "I could not open the window: that took too long. Press it again, or type"


@dataclass(frozen=True, slots=True, kw_only=True)
class InTab(Answering):
    """Answers what was pressed in the tab, there; where the tab cannot be shown, in the direct messages."""

    tab: HomeTab

    async def click(self, ack: Ack, who: Speaker, work: Work) -> None:
        """Also what has nothing to say has changed something that is to be seen."""
        self.tab.forget(who.slack)
        await Answering.click(self, ack, who, self._seen(who, work))

    async def after_ack(self, ack: Ack, who: Speaker, work: Work) -> None:
        """As everywhere; the former answer goes."""
        self.tab.forget(who.slack)
        await Answering.after_ack(self, ack, who, work)

    async def tell(self, who: Speaker, message: Message) -> None:
        """On top of the tab."""
        if not await self.tab.say(who.slack, message):
            await Answering.tell(self, who, message)

    async def _seen(self, who: Speaker, work: Work) -> Message | None:
        said = await work
        if said is None:
            self.tab.say(who.slack, None)
        return said


class Overheard:
    """Cards, and whoever wants to know that one of them has changed."""

    def __init__(self, shown: Cards) -> None:
        self._cards = shown
        self._listeners: list[Callable[[Approval], None]] = []

    def subscribe(self, listener: Callable[[Approval], None]) -> None:
        """Tell `listener` of each change that is shown, from now on."""
        self._listeners.append(listener)

    async def check(self, approval: Approval) -> None:
        """As the cards do."""
        await self._cards.check(approval)

    async def show(self, approval: Approval, copy: Copy) -> Copy:
        """As the cards do; a card that cannot be shown has changed all the same."""
        try:
            return await self._cards.show(approval, copy)
        finally:
            for listener in self._listeners:
                listener(approval)

    async def tell(self, approval: Approval) -> None:
        """As the cards do."""
        await self._cards.tell(approval)

    async def remind(self, approval: Approval, copy: Copy) -> None:
        """As the cards do."""
        await self._cards.remind(approval, copy)


@dataclass(frozen=True, slots=True)
class Home:
    """Listeners. `clicks` and `decisions` are those of everywhere else."""

    tab: HomeTab
    answering: Answering
    requests: Requests
    audit: AuditStore
    clicks: Clicks
    decisions: ApprovalClicks

    def listen(self, bolt: AsyncApp) -> None:
        """Subscribe, before those do whose ids are in the tab too: Bolt calls the first listener that fits."""
        clicks = replace(self.clicks, answering=self._here)
        decisions = replace(self.decisions, answering=self._here)
        bolt.event("app_home_opened")(self.opened)
        bolt.action(home_view.LINK)(self.link_wanted)
        bolt.action(home_view.UNLINK)(self.unlink_clicked)
        bolt.action(home_view.REFRESH)(self.refresh_clicked)
        bolt.action(home_view.RUN)(self.run_wanted)
        bolt.action(home_view.RUN_OTHER)(self.run_wanted)
        bolt.action(home_view.TRAIL)(self.trail_wanted)
        bolt.action(CARD)(clicks.link_opened)
        bolt.action(cards.LINK_ENTER_CODE, matchers=[_in_tab])(clicks.code_wanted)
        bolt.action(cards.APPROVE, matchers=[_in_tab])(decisions.approve_clicked)
        bolt.action(cards.DENY, matchers=[_in_tab])(decisions.deny_clicked)
        bolt.action(cards.WITHDRAW, matchers=[_in_tab])(decisions.taken_back)
        bolt.action(cards.UNDO, matchers=[_in_tab])(decisions.taken_back)
        bolt.view(modals.RUN_SUBMIT, matchers=[_from_tab])(clicks.form_sent)

    async def opened(self, event: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody looks at the app; the messages tab needs nothing."""
        if event.get("tab", "home") == "home":
            view = event.get("view")
            seen = view.get("hash") if isinstance(view, Mapping) else None
            await self.tab.opened(context["speaker"].slack, seen if isinstance(seen, str) else None)

    async def refresh_clicked(self, ack: Ack, context: dict[str, Any]) -> None:
        """Look again; what was said before goes."""
        await ack()
        self.tab.say(context["speaker"].slack, None)

    async def link_wanted(self, ack: Ack, context: dict[str, Any]) -> None:
        """Always a new login link, in the direct messages as for `/agent link`; the tab only says so."""
        who: Speaker = context["speaker"]
        await self._here.after_ack(ack, who, self.requests.invitations.invite(who, fresh=True))

    async def unlink_clicked(self, ack: Ack, context: dict[str, Any]) -> None:
        """End the link, here and at the provider."""
        who: Speaker = context["speaker"]

        async def ended() -> Message:
            if await self.requests.links.unlink(who.slack, "unlink"):
                return cards.link_ended("unlink")
            return cards.note("You are not linked, so there is nothing to undo.")

        await self._here.click(ack, who, ended())

    async def run_wanted(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """The form of an action; who is not linked any more gets a login link first."""
        who: Speaker = context["speaker"]
        name = _chosen(body)

        async def opened() -> Message | None:
            action = self.requests.registry.get(name)
            if await self.requests.links.principal(who.slack) is None:
                return await self.requests.invitations.invite(who)
            form = modals.action_form(action, {}, {}, json.dumps({"action": action.name, "tab": True}))
            return await self._opened(who, form, f"/agent run {action.name}")

        await self._here.after_ack(ack, who, opened())

    async def trail_wanted(self, ack: Ack, context: dict[str, Any]) -> None:
        """More of what is on record about this person."""
        who: Speaker = context["speaker"]

        async def opened() -> Message | None:
            entries = await self.audit.of_person(who.slack.workspace, who.slack.user, _ENTRIES)
            return await self._opened(who, home_view.trail(entries), "/agent audit")

        await self._here.after_ack(ack, who, opened())

    async def _opened(self, who: Speaker, view: dict[str, Any], otherwise: str) -> Message | None:
        if who.trigger and await self.answering.post.open_view(who.slack, who.trigger, view):
            return None
        return cards.note(f"{_NO_WINDOW} `{otherwise}`.")

    @property
    def _here(self) -> InTab:
        usual = self.answering
        return InTab(usual.tasks, usual.post, usual.patience, tab=self.tab)


async def _in_tab(body: dict[str, Any]) -> bool:
    """Whether this was pressed in the Home tab."""
    view = body.get("view")
    return isinstance(view, Mapping) and view.get("type") == "home"


async def _from_tab(body: dict[str, Any]) -> bool:
    """Whether this form was opened from the Home tab."""
    view = body.get("view")
    try:
        about = json.loads(view.get("private_metadata") or "{}") if isinstance(view, Mapping) else None
    except (ValueError, TypeError):
        return False
    return isinstance(about, Mapping) and about.get("tab") is True


def _chosen(body: Mapping[str, Any]) -> str:
    """The value of a button, or the option of a menu."""
    for action in body.get("actions") or []:
        chosen = action.get("selected_option") if isinstance(action, Mapping) else None
        value = chosen.get("value") if isinstance(chosen, Mapping) else action.get("value")
        return value if isinstance(value, str) else ""
    return ""
