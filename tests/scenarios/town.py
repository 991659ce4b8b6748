"""People who use the whole product: they type, click and sign in, and read what Slack shows them."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.config import Settings
from bot.sandbox.demo import Surroundings
from bot.sandbox.slack import APP, TEAM, Delivery, SandboxSlack
from bot.sandbox.tenant import Browser, SandboxTenant

ADA, BOB, CAROL = "U0ADA", "U0BOB", "U0CAROL"
SUPPORT = "C0SUPPORT"
Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Town:
    """What runs, and what people do in it."""

    around: Surroundings
    settings: Settings

    @property
    def slack(self) -> SandboxSlack:
        """The workspace."""
        return self.around.slack

    @property
    def tenant(self) -> SandboxTenant:
        """The identity provider."""
        return self.around.tenant

    async def types(self, user: str, text: str, channel: str = SUPPORT) -> str:
        """Type `/agent text`; what the ack showed."""
        delivery: Delivery = await self.slack.command(user, f"/agent {text}", channel)
        assert delivery.failure is None, delivery
        return words(delivery.answer)

    def seen(self, user: str, channel: str | None = None) -> list[Shown]:
        """What a person sees in a channel, or in the direct messages with the bot."""
        return self.slack.messages(channel or self.slack.dm(user), user)

    async def sees(
        self, user: str, pattern: str, channel: str | None = None, *, after: str = "", within: float = 10
    ) -> Shown:
        """Wait for a message that holds `pattern` (a regular expression) and is newer than `after`."""

        def found() -> Shown | None:
            new = [m for m in self.seen(user, channel) if m["ts"] > after]
            return next((m for m in reversed(new) if re.search(pattern, words(m))), None)

        return await self.slack.until(found, within)

    async def sees_after_typing(self, user: str, text: str) -> str:
        """Type a command and wait for what the person then sees where they typed it, by ack or later."""
        before = {m["ts"] for m in self.seen(user, SUPPORT)}
        await self.types(user, text)
        new = await self.slack.until(lambda: [m for m in self.seen(user, SUPPORT) if m["ts"] not in before], 10)
        return words(new[-1])

    async def forges_click(self, user: str, value: str, action_id: str = "approval.approve") -> None:
        """A rightly signed click of this person with a value of their choice."""
        payload = {
            "type": "block_actions",
            "api_app_id": APP,
            "team": {"id": TEAM},
            "user": {"id": user, "username": user.lower(), "team_id": TEAM},
            "container": {"type": "message", "channel_id": self.slack.dm(user), "message_ts": "1700000000.000100"},
            "trigger_id": secrets.token_hex(8),
            "actions": [{"type": "button", "block_id": "b", "action_id": action_id, "value": value}],
        }
        delivery = await self.slack.dispatch.interaction(payload)
        assert delivery.failure is None, delivery

    async def sees_control(self, user: str, action_id: str, *, after: str = "") -> Shown:
        """Wait for a message in the direct messages with this control."""

        def found() -> Shown | None:
            new = [m for m in self.seen(user) if m["ts"] > after]
            return next((m for m in reversed(new) if f'"action_id": "{action_id}"' in json.dumps(m)), None)

        return await self.slack.until(found, 10)

    async def clicks(self, user: str, message: Shown, action_id: str) -> Delivery:
        """Press a button of a message."""
        delivery = await self.slack.click(user, message["channel"], message["ts"], action_id)
        assert delivery.failure is None, delivery
        return delivery

    async def link_of(self, user: str) -> str:
        """Type `/agent link` and give the address of the button in the direct message."""
        before = self.latest(user)
        await self.types(user, "link")
        card = await self.sees_control(user, "link.open", after=before)
        return next(e["url"] for e in controls(card) if e.get("action_id") == "link.open")

    async def links(self, user: str, account: str) -> None:
        """Link a person whose Slack address is that of the account."""
        before = self.latest(user)
        page = await self.signs_in(await self.link_of(user), account)
        assert "You are linked" in page, page
        await self.sees_control(user, "link.not_me", after=before)

    async def signs_in(self, link: str, account: str, browser: Browser | None = None) -> str:
        """Follow a login link in a new browser, or in this one, and give the text of the page at its end."""
        async with browser or Browser() as own:
            authorize, status, text = await own.submit(link)
            assert status == 303, (status, text)
            return (await own.open(await own.sign_in(authorize, account)))[1]

    def latest(self, user: str) -> str:
        """The ts of the newest direct message, or nothing."""
        return max((m["ts"] for m in self.seen(user)), default="")

    def calls(self, user_sub: str | None = None) -> list[Any]:
        """What the shop was asked, by whom."""
        return [c for c in self.around.shop.journal if user_sub in (None, c.sub)]


def words(shown: Any) -> str:
    """Every text of a message or an answer, as people read it."""
    if isinstance(shown, dict):
        return "\n".join(
            words(value) for name, value in shown.items() if name in _READ or isinstance(value, dict | list)
        )
    if isinstance(shown, list):
        return "\n".join(words(each) for each in shown)
    return str(shown) if isinstance(shown, str) else ""


def controls(message: Shown) -> list[Shown]:
    """The elements of a message that can be pressed."""
    return [e for block in message.get("blocks") or [] for e in block.get("elements", []) if isinstance(e, dict)]


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds that no page of Slack shows."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for is in other processes' hands
            await asyncio.sleep(0.02)


_READ = {"text", "title", "description"}
