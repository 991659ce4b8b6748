"""People of a Slack workspace that nobody here wrote: they type, press buttons, and read what the bot sent them.

`emulate` answers the Web API but sends nothing to an app, so commands and clicks are signed and sent from here
(docs.slack.dev: "Verifying requests from Slack", "Slash commands", "Interaction payloads").
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from tests.foreign import rig

APP, BOT, BOT_USER, TEAM = "A0COUNTER", "B0COUNTER", "U0COUNTER", "T000000001"
BOT_TOKEN, SIGNING_SECRET = "xoxb-of-the-rig", "the-signing-secret-of-the-rig"
CLIENT_ID, CLIENT_SECRET = "1.2", "the-slack-client-secret-of-the-rig"
CHANNEL = "C000000001"
# More than the bot needs: the rig itself looks into the workspace with it.
GRANTED = "chat:write,commands,files:read,files:write,im:history,im:write,team:read,users:read,users:read.email"
NAMES = ("ada", "bob", "carol", "dan", "eve", "mallory")
Message = dict[str, Any]


@dataclass(slots=True)
class Workspace:
    """The workspace, and where the bot is reached. `boxes` holds what came to each `response_url`."""

    url: str
    boxes_url: str
    boxes: dict[str, list[Message]]
    session: aiohttp.ClientSession
    people: dict[str, str] = field(default_factory=dict)
    bot_url: str = ""
    box: str = "0"

    def reached_at(self, bot_url: str) -> Workspace:
        """The same workspace, with another replica of the bot behind it, whose answers are kept apart."""
        box = str(len(self.boxes))
        self.boxes[box] = []
        return replace(self, bot_url=bot_url, box=box)

    @property
    def answers(self) -> list[Message]:
        """What came to the `response_url`, less what was heard."""
        return self.boxes[self.box]

    @property
    def answers_url(self) -> str:
        """The `response_url` of what people do here."""
        return f"{self.boxes_url}/{self.box}"

    @property
    def api_url(self) -> str:
        """What the bot is told as `SLACK_API_URL`."""
        return f"{self.url}/api/"

    def person(self, name: str) -> Person:
        """Somebody of this workspace."""
        return Person(self, name, self.people[name])

    async def call(self, method: str, **arguments: str) -> Message:
        """A method of the Web API, under the bot's token."""
        headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
        async with self.session.post(self.api_url + method, data=arguments, headers=headers) as answer:
            found: Message = await answer.json()
        assert found.get("ok"), (method, found)
        return found

    async def content(self, file: Message) -> str:
        """What a file holds."""
        headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
        async with self.session.get(file["url_private"], headers=headers) as answer:
            assert answer.status == 200
            return await answer.text()

    async def modal(self) -> str | None:
        """The id of the modal that was opened last, from the workspace's own page of views."""
        async with self.session.get(f"{self.url}/?tab=views") as answer:
            modals = (await answer.text()).partition(">Modals<")[2].partition(">Trigger IDs<")[0]
        found = re.search(r"\bV[0-9A-F]{9}\b", modals)
        return found[0] if found else None

    async def deliver(self, fields: Mapping[str, str]) -> str:
        """Send the bot what Slack would send; gives what its ack says, and fails where that is no ack."""
        body = urlencode(fields).encode()
        now = str(int(time.time()))
        digest = hmac.new(SIGNING_SECRET.encode(), b"v0:" + now.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": now,
            "X-Slack-Signature": f"v0={digest}",
        }
        patience = aiohttp.ClientTimeout(total=3)  # Slack waits no longer either
        async with self.session.post(
            f"{self.bot_url}/slack/events", data=body, headers=headers, timeout=patience
        ) as answer:
            text = await answer.text()
            assert answer.status == 200, (answer.status, text)
        return words(json.loads(text)) if text.startswith("{") else text


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, with the id that the workspace gave them."""

    workspace: Workspace
    name: str
    id: str

    async def types(self, text: str) -> str:
        """Type `/agent text` in a channel; what the ack showed."""
        return await self.workspace.deliver(
            {
                "command": "/agent",
                "text": text,
                "api_app_id": APP,
                "team_id": TEAM,
                "team_domain": "engine-works",
                "channel_id": CHANNEL,
                "channel_name": "general",
                "user_id": self.id,
                "user_name": self.name,
                "response_url": self.workspace.answers_url,
                "trigger_id": await self._trigger(),
            }
        )

    async def clicks(self, message: Message, action_id: str) -> str:
        """Press a button of a direct message."""
        channel = await self.dm()
        return await self._interacts(
            "block_actions",
            container={"type": "message", "message_ts": message["ts"], "channel_id": channel},
            channel={"id": channel, "name": "directmessage"},
            message=message,
            response_url=self.workspace.answers_url,
            actions=[{**control(message, action_id), "block_id": "b", "action_ts": message["ts"]}],
        )

    async def submits(self, callback_id: str, **typed: str) -> str:
        """Send the modal that the bot has opened for them, with one value for each block; what the ack showed.

        The workspace's own page of open views tells its id; a button pressed without one opening ends the wait.
        """
        view = {
            "id": await rig.until(self.workspace.modal),
            "type": "modal",
            "callback_id": callback_id,
            "private_metadata": "",
            "blocks": [],
            "state": {
                "values": {name: {name: {"type": "plain_text_input", "value": value}} for name, value in typed.items()}
            },
        }
        return await self._interacts("view_submission", view=view)

    async def dm(self) -> str:
        """The direct messages with the bot."""
        found = await self.workspace.call("conversations.open", users=self.id)
        return str(found["channel"]["id"])

    async def messages(self) -> list[Message]:
        """What the bot sent them, newest last."""
        found = await self.workspace.call("conversations.history", channel=await self.dm())
        return list(reversed(found["messages"]))

    async def stands(self, message: Message) -> Message:
        """How a message that they were sent looks now."""
        return next(each for each in await self.messages() if each["ts"] == message["ts"])

    async def sees(self, pattern: str, *, after: str = "") -> Message:
        """Wait for a direct message that holds `pattern` (a regular expression) and is newer than `after`."""
        return await self._until(lambda m: m["ts"] > after and re.search(pattern, words(m)) is not None, pattern)

    async def sees_control(self, action_id: str, *, saying: str = "", after: str = "") -> Message:
        """Wait for a direct message with this control and these words."""
        return await self._until(
            lambda m: m["ts"] > after and has_control(m, action_id) and saying in words(m), f"{action_id} {saying}"
        )

    async def hears(self, pattern: str) -> str:
        """Wait for an answer to a command of theirs that came by `response_url`, and take it away."""

        async def found() -> Message | None:
            return next((a for a in self.workspace.answers if re.search(pattern, words(a))), None)

        try:
            answer = await rig.until(found)
        except TimeoutError:
            raise AssertionError(f"no answer holds {pattern!r}: {[words(a) for a in self.workspace.answers]}") from None
        self.workspace.answers.remove(answer)
        return words(answer)

    async def _interacts(self, kind: str, **more: Any) -> str:
        payload = {
            "type": kind,
            "api_app_id": APP,
            "team": {"id": TEAM, "domain": "engine-works"},
            "user": {"id": self.id, "username": self.name, "name": self.name, "team_id": TEAM},
            "trigger_id": await self._trigger(),
            **more,
        }
        return await self.workspace.deliver({"payload": json.dumps(payload)})

    async def _trigger(self) -> str:
        return str((await self.workspace.call("views.generateTriggerId", user_id=self.id))["trigger_id"])

    async def _until(self, wanted: Callable[[Message], bool], what: str) -> Message:
        async def found() -> Message | None:
            return next((m for m in reversed(await self.messages()) if wanted(m)), None)

        try:
            return await rig.until(found)
        except TimeoutError:
            seen = [words(message) for message in await self.messages()]
            raise AssertionError(f"{self.name} never saw {what!r}, but: {seen}") from None


@asynccontextmanager
async def workspace(redirect_uri: str) -> AsyncIterator[Workspace]:
    """A workspace with people and our app in it, whose installation leads back to `redirect_uri`."""
    boxes: dict[str, list[Message]] = {"0": []}

    async def answered(request: web.Request) -> web.Response:
        boxes[request.match_info["box"]].append(await request.json())
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_post("/answers/{box}", answered)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with rig.slack(_seed(redirect_uri)) as url, aiohttp.ClientSession() as session:
            built = Workspace(url, f"http://127.0.0.1:{port}/answers", boxes, session)
            members = (await built.call("users.list"))["members"]
            built.people = {each["name"]: each["id"] for each in members}
            yield built
    finally:
        await runner.cleanup()


def _seed(redirect_uri: str) -> Mapping[str, Any]:
    bot = {"app_id": APP, "client_id": CLIENT_ID, "bot_id": BOT, "bot_user_id": BOT_USER}
    app = {
        "name": "Countersign",
        "bot_name": "countersign",
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [redirect_uri],
    }
    return {
        "team": {"name": "Engine Works", "domain": "engine-works"},
        "users": [{"name": name, "real_name": name.capitalize(), "email": f"{name}@example.com"} for name in NAMES],
        "oauth_apps": [{**bot, **app, "scopes": GRANTED}],
        "tokens": [{**bot, "token": BOT_TOKEN, "type": "bot", "user_id": BOT_USER, "scopes": GRANTED}],
        "strict_scopes": True,
    }


def words(shown: Any) -> str:
    """Every text of a message or an answer, as people read it."""
    if isinstance(shown, dict):
        return "\n".join(
            words(value) for name, value in shown.items() if name in {"text", "title"} or isinstance(value, dict | list)
        )
    if isinstance(shown, list):
        return "\n".join(words(each) for each in shown)
    return shown if isinstance(shown, str) else ""


def controls(message: Message) -> list[Message]:
    """The elements of a message that can be pressed."""
    return [e for block in message.get("blocks") or [] for e in block.get("elements", []) if isinstance(e, dict)]


def has_control(message: Message, action_id: str) -> bool:
    """Whether a message has this control."""
    return any(element.get("action_id") == action_id for element in controls(message))


def control(message: Message, action_id: str) -> Message:
    """One of them."""
    return next(element for element in controls(message) if element.get("action_id") == action_id)
