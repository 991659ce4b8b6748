"""Somebody in front of the product's pages who has a keyboard and no mouse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from playwright.async_api import BrowserContext, Locator, Page

from bot.sandbox.slack import TEAM
from oauth import utc_now
from tests.scenarios.town import ADA, Town

_MOST_STOPS = 60


class Later:
    """The bot's clock: the real time, and what somebody has waited on top of it."""

    def __init__(self) -> None:
        self.waited = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.waited


class Visitor:
    """One person's browser window. Controls are reached by Tab and worked by Enter, so what keys cannot do fails."""

    def __init__(self, town: Town, context: BrowserContext, page: Page, later: Later) -> None:
        self.town = town
        self.context = context
        self.page = page
        self.later = later

    async def asks_for_link(self, user: str = ADA) -> str:
        """Type `/agent link`, and the address behind the button in the direct message."""
        return await self.town.link_of(user)

    async def opens(self, address: str) -> None:
        """Press a button in Slack that leads to this address."""
        await self.page.goto(address)

    async def reaches(self, control: Locator) -> None:
        """Tab to a control. Raises AssertionError where no number of Tabs gets there."""
        await control.wait_for()
        for _ in range(_MOST_STOPS):
            if await control.evaluate("at => at === document.activeElement"):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"no Tab reaches {control}")

    async def presses(self, name: str, key: str = "Enter") -> None:
        """Tab to the button or link of this name, and press it."""
        control = self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name))
        await self.reaches(control.first)
        await self.page.keyboard.press(key)

    async def types(self, label: str, text: str) -> None:
        """Tab to the field of this label, and write this into it instead of what was there."""
        await self.reaches(self.page.get_by_label(label, exact=True))
        await self.page.keyboard.press("ControlOrMeta+A")
        await self.page.keyboard.type(text)

    async def goes_to_login(self, key: str = "Enter") -> None:
        """From the link page to the provider's."""
        await self.presses("Continue to sign in", key)
        await self.page.get_by_role("group", name="Your account").wait_for()

    async def signs_in(self, account: str, key: str = "Enter") -> None:
        """Choose an account at the provider, and accept."""
        await self.chooses(self.page.locator(f'[data-person="{account}"]'))
        await self.presses("Accept and continue", key)

    async def shows_second_factor(self, account: str) -> None:
        """Type the code that the provider has sent to somebody's phone."""
        await self.page.get_by_role("heading", name="Your second factor").wait_for()
        code = self.town.tenant.phone(account)[-1].code
        assert code is not None
        await self.types("Code of six digits", code)
        await self.presses("Continue")

    async def signs_in_to_slack(self, user: str) -> None:
        """Say who one is in Slack, and allow the app to know it."""
        await self.chooses(self.page.locator(f'[name="person"][value="{TEAM}:{user}"]'))
        await self.presses("Allow")

    async def agrees_at_third_party(self, account: str) -> None:
        """Choose an account of the calendar's, and let the agent in."""
        await self.chooses(self.page.locator(f'[name="person"][value="{account}"]'))
        await self.presses("Let it in")

    async def chooses(self, wanted: Locator) -> None:
        """Tab to the choice that the page begins with, and go on with the arrows."""
        await wanted.wait_for()
        await self.page.keyboard.press("Tab")
        while not await wanted.evaluate("at => at === document.activeElement"):
            await self.page.keyboard.press("ArrowDown")
        await self.page.keyboard.press("Space")

    def reads_code(self, address: str) -> str:
        """The one-time code in the newest mail to an address."""
        code = self.town.tenant.mail(address)[-1].code
        assert code is not None
        return code

    async def cancels(self) -> None:
        """Turn round at the provider."""
        await self.presses("Cancel")

    async def loses_cookies(self) -> None:
        """What a private window forgets, and what another browser never had."""
        await self.context.clear_cookies()

    async def waits(self, minutes: float) -> None:
        """Let time pass for the bot."""
        self.later.waited += timedelta(minutes=minutes)

    async def meddles(self, addresses: str, change: Callable[[str], str]) -> None:
        """Edit an address on the way, as somebody can who owns the browser. `addresses` may hold asterisks.

        Not by playwright's routes: those do not see what a redirect leads to.
        """
        wire = await self.context.new_cdp_session(self.page)

        async def go_on(paused: dict[str, Any]) -> None:
            url = change(paused["request"]["url"])
            await wire.send("Fetch.continueRequest", {"requestId": paused["requestId"], "url": url})

        wire.on("Fetch.requestPaused", go_on)
        await wire.send("Fetch.enable", {"patterns": [{"urlPattern": addresses}]})

    async def stops_at(self, addresses: str, step: Awaitable[None]) -> str:
        """Take a step that leads to such an address, and give it without its having been visited."""
        wire = await self.context.new_cdp_session(self.page)
        reached: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def stop(paused: dict[str, Any]) -> None:
            await wire.send("Fetch.failRequest", {"requestId": paused["requestId"], "errorReason": "Aborted"})
            reached.set_result(paused["request"]["url"])

        wire.on("Fetch.requestPaused", stop)
        await wire.send("Fetch.enable", {"patterns": [{"urlPattern": addresses}]})
        await step
        address = await asyncio.wait_for(reached, 10)
        await wire.detach()
        return address

    def renames(self, user: str = ADA, **fields: object) -> None:
        """Change somebody's account in Slack."""
        workspace = self.town.slack.workspace
        workspace.admit(replace(workspace.person(user), **fields))  # type: ignore[arg-type]
