"""People who connect their calendar: what they follow, in which browser, and whom it shows at each step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qs, urlsplit

import aiohttp

from bot.sandbox.almanac import Almanac
from bot.sandbox.tenant import Browser
from tests.scenarios.town import Shown, Town, controls


@dataclass(frozen=True, slots=True)
class Calendar:
    """The town with a calendar of somebody else's in it."""

    town: Town

    @property
    def almanac(self) -> Almanac:
        """Where the calendars are."""
        return self.town.around.almanac

    async def link_after(self, user: str, text: str) -> str:
        """Type a command, and give the address of the button in the direct message that it leads to."""
        before = self.town.latest(user)
        await self.town.types(user, text)
        return address(await self.town.sees_control(user, "account.connect", after=before))

    async def goes_to_login(self, browser: Browser, link: str) -> str:
        """Press the button of the link's page; where the provider's login is."""
        login, status, text = await browser.submit(link)
        assert status == 303, (status, text)
        return login

    async def signs_in(self, browser: Browser, link: str, account: str) -> str:
        """The same, and sign in there; where the browser then comes back, unvisited."""
        return await browser.sign_in(await self.goes_to_login(browser, link), account)

    async def is_sent_to(self, browser: Browser, page: str) -> str:
        """Where a page sends this browser, which does not go there."""
        async with (
            aiohttp.ClientSession(cookie_jar=browser.cookies) as session,
            session.get(page, allow_redirects=False) as answer,
        ):
            return answer.headers["Location"]

    async def connects(
        self, link: str, account: str, *, theirs: str | None = None, browser: Browser | None = None
    ) -> str:
        """Follow a link to its end in a new browser or in this one; the text of the page there.

        `account` signs in at the provider, and `theirs` agrees in the calendar, the same where none is given.
        """
        async with browser or Browser() as own:
            back = await own.connect(await self.signs_in(own, link, account), theirs or account)
            return (await own.open(back))[1]


def address(card: Shown) -> str:
    """The address behind the button."""
    return str(next(e["url"] for e in controls(card) if e.get("action_id") == "account.connect"))


def query(url: str) -> dict[str, str]:
    """The parameters of an address, each once."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def heading(page: str) -> str:
    """The heading of a page."""
    found = re.search("<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    assert found is not None, page
    return unescape(found[1])
