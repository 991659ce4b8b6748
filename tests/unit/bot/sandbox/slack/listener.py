"""A bot written by hand, so that what the workspace sends can be looked at and answered in every way."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web

from bot.sandbox.slack import SandboxSlack

SECRET = "signing-secret-of-the-tests"
TOKEN = "xoxb-of-the-tests"


@dataclass(frozen=True)
class Heard:
    """One request to the bot."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a command."""
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @property
    def payload(self) -> dict[str, Any]:
        """A click or a form."""
        found: dict[str, Any] = json.loads(self.form["payload"])
        return found

    @property
    def envelope(self) -> dict[str, Any]:
        """An event with what is around it."""
        found: dict[str, Any] = json.loads(self.body)
        return found


Answering = Callable[[Heard], web.Response | Awaitable[web.Response]]


def fine(_: Heard) -> web.Response:
    """An empty 200."""
    return web.Response()


class Listener:
    """Remembers every request; `answering` says what comes back."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answering: Answering = fine
        self.url = ""
        self._more = asyncio.Condition()

    async def start(self) -> web.AppRunner:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_post("/slack/events", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
        return runner

    async def _handle(self, request: web.Request) -> web.Response:
        heard = Heard(dict(request.headers), await request.read())
        self.heard.append(heard)
        async with self._more:
            self._more.notify_all()
        answer = self.answering(heard)
        return await answer if inspect.isawaitable(answer) else answer

    async def hears(self, count: int) -> list[Heard]:
        """All requests, once there are that many."""
        async with asyncio.timeout(5), self._more:
            await self._more.wait_for(lambda: len(self.heard) >= count)
        return self.heard

    def says(self, body: Any, status: int = 200) -> None:
        """Answer everything with this JSON from now on."""
        self.answering = lambda _: web.json_response(body, status=status)


class Calls:
    """Calls the Web API as the bot does."""

    def __init__(self, slack: SandboxSlack, http: aiohttp.ClientSession) -> None:
        self.slack = slack
        self.http = http

    async def __call__(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The answer, whatever it is."""
        _, _, answer = await self.raw(method, arguments)
        return answer

    async def ok(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The answer, which must be a good one."""
        answer = await self(method, **arguments)
        assert answer["ok"], answer
        return answer

    async def error(self, method: str, **arguments: Any) -> str:
        """The error, which there must be."""
        answer = await self(method, **arguments)
        assert not answer["ok"], answer
        return str(answer["error"])

    async def raw(
        self, method: str, arguments: Mapping[str, Any], token: str | None = TOKEN
    ) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        """Status, headers and body."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.http.post(f"{self.slack.api_url}{method}", json=dict(arguments), headers=headers) as response:
            return response.status, dict(response.headers), await response.json()


def plain(text: str) -> dict[str, Any]:
    """A plain_text object."""
    return {"type": "plain_text", "text": text}


def section(text: str = "Hello", **more: Any) -> dict[str, Any]:
    """A section."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(action_id: str = "press", **more: Any) -> dict[str, Any]:
    """A button."""
    return {"type": "button", "text": plain("Press"), "action_id": action_id, **more}


def actions(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row of controls."""
    return {"type": "actions", "elements": list(elements), **more}


def field(name: str = "amount", kind: str = "plain_text_input", **more: Any) -> dict[str, Any]:
    """An input whose block and action have the same id."""
    optional = more.pop("optional", False)
    element = {"type": kind, "action_id": name, **more}
    return {"type": "input", "block_id": name, "label": plain(name), "element": element, "optional": optional}


def modal(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A modal with a submit button."""
    return {"type": "modal", "title": plain("Form"), "submit": plain("Send"), "blocks": list(blocks), **more}
