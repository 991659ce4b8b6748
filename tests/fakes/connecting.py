"""Ada, who is linked and wants her calendar connected, with the steps of that in short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse

from oauth import Principal
from oauth.accounts.tickets import Answer, Step
from oauth.linking import Started
from tests.fakes.browser import Browser, Page, Site
from tests.fakes.house import ADA_MAIL, PEOPLE, House
from tests.fakes.my_account import multi_resource

SCOPES = frozenset({"events:read", "events:write"})
COOKIE = "__Host-countersign-connect"


@dataclass
class Errand:
    """One person's way to a connected account in a house."""

    home: House
    who: Principal

    @classmethod
    async def of(cls, home: House, **whom: Any) -> Errand:
        """Somebody is linked, at a tenant whose refresh tokens reach the My Account API."""
        who = await home.link(**whom)
        multi_resource(home.provider)
        return cls(home, who)

    async def start(self, **how: Any) -> Started:
        """Ask for something that needs the account."""
        connection = how.pop("connection", "almanac")
        known = {"scopes": SCOPES, "waiting": "what was asked"} | how
        return await self.home.rooms.accounts.asking.start(
            self.who, PEOPLE[self.who.slack], connection, known["scopes"], waiting=known["waiting"]
        )

    async def link(self, **how: Any) -> str:
        """The secret of a link."""
        started = await self.start(**how)
        assert started.url is not None
        return started.url.rpartition("/")[2]

    async def to_login(self, secret: str, browser: str = "browser-1") -> None:
        """Go on from the link's page in this browser."""
        await self.home.rooms.accounts.connecting.go_on(secret, browser)

    async def signed_in(self, email: str = ADA_MAIL, browser: str = "browser-1", **changes: Any) -> Step:
        """Sign in at the provider and come back."""
        return await self.back(browser, self.home.my_account.sign_in(email) | changes)

    async def at_third_party(self, **how: Any) -> str:
        """A link whose browser has shown whose it is, and is at the third party now."""
        secret = await self.link(**how)
        await self.to_login(secret)
        await self.signed_in()
        return secret

    async def allowed(self, browser: str = "browser-1", **changes: Any) -> Step:
        """Agree at the third party and come back."""
        return await self.back(browser, self.home.my_account.allow() | changes)

    async def back(self, browser: str | None, brought: dict[str, Any]) -> Step:
        """The browser comes back with this."""
        return await self.home.rooms.accounts.connecting.returned(Answer(browser=browser, **brought))

    @property
    def connected(self) -> bool:
        """Whether the person's account is connected."""
        return (self.who.sub, "almanac") in self.home.my_account.accounts

    def entries(self) -> list[tuple[str, str, str | None]]:
        """What is on record about connecting."""
        return [entry for entry in self.home.observer.entries() if (entry[2] or "").startswith("connect")]


async def looks(browser: Browser, secret: str) -> Page:
    """The page of a link."""
    answer = await browser.send("GET", f"/connect/{secret}")
    assert answer.status == 200, await answer.text()
    return Page(await answer.text())


async def presses(browser: Browser, secret: str, **how: Any) -> ClientResponse:
    """Look at a link and press the button."""
    return await browser.send("POST", f"/connect/{secret}", data={"csrf": (await looks(browser, secret)).csrf}, **how)


async def comes_back(site: Site, browser: Browser, brought: dict[str, str], **how: Any) -> ClientResponse:
    """The provider sends the browser back with this."""
    return await browser.send("GET", "/oauth/connect", params=brought, **how)
