"""A workspace with a bot written by hand behind it, and people in front of its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import BrowserContext, Locator, Page

from bot.sandbox.slack import CommandHint, Completion, SandboxSlack
from tests.unit.bot.sandbox.slack.listener import SECRET, TOKEN, Calls, Listener

COMMANDS = (
    CommandHint(
        "/agent",
        "[link | status …]",
        "What the agent may do for you",
        (
            Completion("link", "", "Link your account"),
            Completion("run refund_order", "order_id=A-1001", "Refund an order"),
            Completion("status", "", "Who you are here"),
        ),
    ),
)


class Seat:
    """One tab of somebody; `complaints` are what its console said, e.g. of a policy that blocked something."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))

    @property
    def box(self) -> Locator:
        """Where one writes."""
        return self.page.get_by_label("Message", exact=True)

    @property
    def last(self) -> Locator:
        """The newest message of the conversation."""
        return self.page.locator("#scroller .message").last

    def control(self, action_id: str) -> Locator:
        """The newest control of this id, wherever it is."""
        return self.page.locator(f'[data-action-id="{action_id}"]').last

    async def focused(self, attribute: str) -> str | None:
        """An attribute of what has the focus."""
        found: str | None = await self.page.evaluate("name => document.activeElement.getAttribute(name)", attribute)
        return found


class Desk:
    """The workspace, the bot, and the browser they are seen in."""

    def __init__(
        self, directory: Path, listener: Listener, http: aiohttp.ClientSession, context: BrowserContext
    ) -> None:
        self.listener = listener
        self.context = context
        self.seats: list[Seat] = []
        self._directory = directory
        self._http = http
        self.slack = self._made()

    def _made(self) -> SandboxSlack:
        return SandboxSlack(
            self._directory,
            signing_secret=SECRET,
            bot_token=TOKEN,
            events_url=self.listener.url,
            commands=COMMANDS,
            burst=100,
        )

    @property
    def calls(self) -> Calls:
        """The bot's Web API client."""
        return Calls(self.slack, self._http)

    async def post(self, *blocks: dict[str, Any], channel: str = "C0GENERAL", text: str = "") -> str:
        """Let the bot say something; gives its ts."""
        posted = await self.calls.ok("chat.postMessage", channel=channel, text=text, blocks=list(blocks))
        return str(posted["ts"])

    async def sits(self, who: str = "U0ADA", more: str = "") -> Seat:
        """Open the page in a tab of its own, and wait until it is live."""
        seat = Seat(await self.context.new_page())
        self.seats.append(seat)
        await seat.page.goto(f"{self.slack.url}/?user={who}{more}")
        await seat.page.locator("body[data-live=on]").wait_for()
        await seat.page.locator("#head h1").wait_for()
        return seat

    async def restart(self, meanwhile: Callable[[SandboxSlack], object] = lambda _: None) -> None:
        """Stop the workspace and start it again at the same address, from its file, changed `meanwhile`."""
        port = int(self.slack.url.rsplit(":", 1)[1])
        await self.slack.stop()
        self.slack = self._made()
        meanwhile(self.slack)
        await self.slack.start(port=port)
