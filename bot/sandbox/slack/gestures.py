"""What a person does in the workspace: types, clicks, submits; each ends in a signed request to the bot."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import connecting, controls, limits, payloads, views
from .arguments import Arguments
from .dispatch import Delivery, Dispatch
from .errors import NoSuchThing, SlackRefusal
from .model import Channel, Message, ResponseUrl, View
from .people import Person
from .response_actions import follow
from .response_urls import ResponseUrls, respond
from .state import Workspace
from .team import SLACKBOT, Origin

EVENTS = frozenset({"message.im", "app_mention", "app_home_opened"})


@dataclass(frozen=True)
class Submission:
    """How a modal's submit ended: `errors` are shown under its inputs; `delivery` is None where the client
    itself refused and the bot heard nothing."""

    delivery: Delivery | None
    errors: dict[str, str] = field(default_factory=dict)


class Gestures:
    """The people's side. `events` are the subscriptions of the app, as in its manifest; `origin` says from which
    workspace what they do is sent. Whether the app is installed there is not asked: a bot must bear requests from
    where it does not know that it is."""

    def __init__(
        self,
        workspace: Workspace,
        dispatch: Dispatch,
        response_urls: ResponseUrls,
        origin: Callable[[], Origin],
        events: frozenset[str] = EVENTS,
    ) -> None:
        self._workspace = workspace
        self._origin = origin
        self._dispatch = dispatch
        self._urls = response_urls
        self.events = events

    async def command(self, who: str, line: str, where: str) -> Delivery:
        """Type `/name text` in a channel; the answer in the ack is shown, a failed one as Slack says it."""
        person, channel = self._both(who, where)
        name, text = (*line.split(maxsplit=1), "", "")[:2]
        fields = payloads.command(
            self._origin(),
            person,
            channel,
            name,
            text.strip(),
            response_url=self._urls.new(self._workspace, person.id, channel.id),
            trigger_id=self._workspace.new_trigger(person.id),
        )
        delivery = await self._dispatch.form(fields)
        if delivery.failure:
            self.told_by_slackbot(who, where, f'{name} failed with the error "{delivery.failure}"')
        elif delivery.answer.get("text") or delivery.answer.get("blocks"):
            url = ResponseUrl("", person.id, channel.id, 0)
            try:
                respond(self._workspace, url, Arguments(delivery.answer))
            except SlackRefusal:
                self.told_by_slackbot(who, where, f'{name} failed with the error "invalid_command_response"')
        return delivery

    async def say(self, who: str, where: str, text: str, thread_ts: str | None = None) -> str:
        """Post a message as this person, with Slack's own markup (`<@U0BOT> …`); gives its ts."""
        person, channel = self._both(who, where)
        first = self._workspace.find(channel.id, thread_ts) if thread_ts else None
        if thread_ts and first is None:
            raise NoSuchThing(f"no message {thread_ts}")
        extra = {"parent_user_id": first.user} if first else {}
        root = (first.thread_ts or first.ts) if first else None
        text = limits.text(text, limits.MESSAGE_TEXT)
        message = self._workspace.add_message(channel.id, person.id, text, None, thread_ts=root, extra=extra)
        bot, origin = self._workspace.team.bot_user, self._origin()
        mentioned = re.search(rf"<@{bot}(\|[^>]*)?>", text) is not None
        present = bot in channel.members
        if channel.is_im and "message.im" in self.events:
            await self._event(channel, payloads.said("message", origin, person, channel, message))
        if not channel.is_im and present and "message.channels" in self.events:
            await self._event(channel, payloads.said("message", origin, person, channel, message))
        if not channel.is_im and present and mentioned and "app_mention" in self.events:
            await self._event(channel, payloads.said("app_mention", origin, person, channel, message))
        return message.ts

    async def open_home(self, who: str, tab: str = "home") -> Delivery | None:
        """Look at the app: its Home tab, or its messages."""
        person = self._workspace.person(who)
        channel = self._workspace.channel(f"D{person.id[1:]}")
        if "app_home_opened" not in self.events:
            return None
        home = self._workspace.homes.get(person.id)
        ts = self._workspace.next_ts()
        event = payloads.home_opened(self._origin(), person, channel, tab, home, ts=ts)
        return await self._event(channel, event)

    async def ask_connection(self, who: str, subtype: str) -> Delivery | None:
        """Press Slack's own "Connect" or "Disconnect" beside the app (`subtype` in small letters)."""
        person = self._workspace.person(who)
        if not self._workspace.connections.subscribed:
            return None
        ts, channel = self._workspace.next_ts(), self._workspace.channel(f"D{person.id[1:]}")
        trigger = self._workspace.new_trigger(person.id) if subtype == "connect" else None
        event = connecting.event(self._origin(), person, subtype, ts=ts, trigger_id=trigger)
        return await self._event(channel, event)

    async def click(
        self,
        who: str,
        where: str,
        ts: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: object = None,
        entered: Mapping[str, Any] | None = None,
    ) -> Delivery:
        """Use a control of a message: a button, or a menu with the `value` chosen; `entered` is what its other
        controls hold meanwhile."""
        person, channel = self._both(who, where)
        message = self._visible(channel, ts, person)
        block, element = controls.find(message.blocks, action_id, block_id)
        chosen = {block["block_id"]: {action_id: value}} if value is not None else {}
        values = controls.values(message.blocks or [], _over(entered, chosen))
        action = controls.used(block, element, value, at=self._workspace.next_ts())
        return await self._dispatch.interaction(
            payloads.message_actions(
                self._origin(),
                person,
                channel,
                message,
                action,
                response_url=self._urls.new(self._workspace, person.id, channel.id, message),
                trigger_id=self._workspace.new_trigger(person.id),
                values=values,
            )
        )

    async def click_view(
        self,
        who: str,
        view_id: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: object = None,
        entered: Mapping[str, Any] | None = None,
    ) -> Delivery:
        """Use a control of a modal or a Home tab; `entered` is what its inputs hold meanwhile."""
        person = self._workspace.person(who)
        view = self._view(person, view_id)
        block, element = controls.find(view.content["blocks"], action_id, block_id)
        chosen = {block["block_id"]: {action_id: value}} if value is not None else {}
        view.values = controls.values(view.content["blocks"], _over(entered, chosen))
        action = controls.used(block, element, value, at=self._workspace.next_ts())
        inside = view.id if view.content["type"] == "modal" else None
        trigger = self._workspace.new_trigger(person.id, inside)
        payload = payloads.view_actions(self._origin(), person, view, action, trigger_id=trigger)
        return await self._dispatch.interaction(payload)

    async def submit(self, who: str, view_id: str, given: Mapping[str, Any]) -> Submission:
        """Press a modal's submit button with these values; what is not given keeps its initial value."""
        person = self._workspace.person(who)
        view = self._view(person, view_id)
        blocks = view.content["blocks"]
        view.values = controls.values(blocks, given)
        if faults := controls.faults(blocks, view.values):
            views.troubled(self._workspace, view, errors=faults)
            return Submission(None, faults)
        trigger = self._workspace.new_trigger(person.id, view.id)
        payload = payloads.view_submission(self._origin(), person, view, trigger_id=trigger)
        delivery = await self._dispatch.interaction(payload)
        return Submission(delivery, follow(self._workspace, view, delivery))

    async def close(self, who: str, view_id: str, *, cleared: bool = False) -> Delivery | None:
        """Close a modal (`cleared`: all of them); the app hears of it where it asked to."""
        person = self._workspace.person(who)
        view = self._view(person, view_id)
        if cleared or view.content.get("clear_on_close"):
            views.clear(self._workspace, person.id)
            cleared = True
        else:
            views.pop(self._workspace, view)
        if not view.content.get("notify_on_close"):
            return None
        return await self._dispatch.interaction(payloads.view_closed(self._origin(), person, view, cleared=cleared))

    async def _event(self, channel: Channel, event: dict[str, Any]) -> Delivery:
        at = self._workspace.clock().timestamp()
        return await self._dispatch.event(payloads.envelope(self._origin(), event, at=at, shared=channel.shared))

    def _both(self, who: str, where: str) -> tuple[Person, Channel]:
        person, channel = self._workspace.person(who), self._workspace.channel(where)
        if person.id not in channel.members:
            raise NoSuchThing(f"{person.name} is not in {channel.id}")
        return person, channel

    def _visible(self, channel: Channel, ts: str, person: Person) -> Message:
        message = self._workspace.find(channel.id, ts)
        if message is None or not message.seen_by(person.id):
            raise NoSuchThing(f"no message {ts}")
        return message

    def _view(self, person: Person, view_id: str) -> View:
        view = views.find(self._workspace, view_id)
        if view is None or view.user != person.id:
            raise NoSuchThing(f"no view {view_id}")
        return view

    def told_by_slackbot(self, who: str, where: str, text: str, thread_ts: str | None = None) -> None:
        """Show this person an ephemeral that no app sent."""
        person, channel = self._both(who, where)
        self._workspace.add_message(channel.id, SLACKBOT, text, None, only_for=person.id, thread_ts=thread_ts)

    def dismiss(self, who: str, where: str, ts: str) -> None:
        """Take an ephemeral off the screen, as its "Dismiss" does."""
        person, channel = self._both(who, where)
        message = self._visible(channel, ts, person)
        if message.only_for != person.id:
            raise NoSuchThing(f"no ephemeral {ts}")
        self._workspace.change_message(message, deleted=True)


def _over(entered: Mapping[str, Any] | None, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What the controls hold, with the one that was just used on top; a block may have several."""
    made: dict[str, Any] = dict(entered or {})
    for name, values in chosen.items():
        held = made.get(name)
        made[name] = {**held, **values} if isinstance(held, Mapping) else values
    return made
