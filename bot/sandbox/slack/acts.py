"""What the page does: each act is one JSON object in, one out, and one gesture of the person it names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from .dispatch import Delivery
from .gestures import Gestures
from .state import Workspace
from .typed import encoded

Json = dict[str, Any]
Act = Callable[[Json], Awaitable[Json]]


class Acts:
    """`commands` are the names of the app's slash commands; with none, every name goes to the bot.

    An act raises KeyError or TypeError for what is missing or of the wrong kind, NoSuchThing for what is not there,
    SlackRefusal for what Slack would refuse.
    """

    def __init__(self, workspace: Workspace, gestures: Gestures, commands: Sequence[str]) -> None:
        self._workspace = workspace
        self._gestures = gestures
        self._commands = frozenset(commands)

    def every(self) -> dict[str, Act]:
        """All acts, by the last part of their path."""
        return {
            "say": self._say,
            "click": self._click,
            "submit": self._submit,
            "close": self._close,
            "home": self._home,
            "read": self._read,
            "dismiss": self._dismiss,
        }

    async def _say(self, given: Json) -> Json:
        who, where, text = _word(given, "user"), _word(given, "channel"), _word(given, "text")
        thread = _word(given, "thread_ts") if given.get("thread_ts") else None
        if not text.strip():
            return {}
        # A space before the slash makes it a message, as at Slack.
        if text.startswith("/"):
            return await self._type_command(who, where, text.strip(), thread)
        return {"ts": await self._gestures.say(who, where, encoded(text.strip(), self._workspace), thread)}

    async def _type_command(self, who: str, where: str, line: str, thread: str | None) -> Json:
        name = line.split()[0]
        if self._commands and name not in self._commands:
            self._gestures.told_by_slackbot(who, where, f"`{name}` is not a valid command.", thread)
            return {}
        if thread:
            self._gestures.told_by_slackbot(who, where, f"`{name}` is not supported in threads. Sorry!", thread)
            return {}
        await self._gestures.command(who, line, where)
        return {}

    async def _click(self, given: Json) -> Json:
        who, action, block = _word(given, "user"), _word(given, "action_id"), given.get("block_id")
        value, entered = given.get("value"), given.get("entered")
        if not isinstance(entered, dict | None):
            raise TypeError("entered")
        if "view_id" in given:
            view = _word(given, "view_id")
            delivery = await self._gestures.click_view(who, view, action, block_id=block, value=value, entered=entered)
        else:
            where, ts = _word(given, "channel"), _word(given, "ts")
            delivery = await self._gestures.click(who, where, ts, action, block_id=block, value=value, entered=entered)
        return self._told(delivery)

    async def _submit(self, given: Json) -> Json:
        values = given["values"]
        if not isinstance(values, dict):
            raise TypeError("values")
        done = await self._gestures.submit(_word(given, "user"), _word(given, "view_id"), values)
        return {"errors": done.errors}

    async def _close(self, given: Json) -> Json:
        cleared = bool(given.get("cleared"))
        await self._gestures.close(_word(given, "user"), _word(given, "view_id"), cleared=cleared)
        return {}

    async def _home(self, given: Json) -> Json:
        tab = "home" if given["tab"] == "home" else "messages"
        await self._gestures.open_home(_word(given, "user"), tab)
        return {}

    async def _read(self, given: Json) -> Json:
        self._workspace.mark_read(self._workspace.person(_word(given, "user")).id, _word(given, "channel"))
        return {}

    async def _dismiss(self, given: Json) -> Json:
        self._gestures.dismiss(_word(given, "user"), _word(given, "channel"), _word(given, "ts"))
        return {}

    def _told(self, delivery: Delivery) -> Json:
        return {"problem": delivery.failure} if delivery.failure else {}


def _word(given: Json, name: str) -> str:
    """A text that the page must have sent. Raises KeyError, TypeError."""
    value = given[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value
