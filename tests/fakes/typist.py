"""Somebody who signs in on our own page: an address, a code, and the buttons beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse

from tests.fakes.browser import Browser, Page, Site
from tests.fakes.house import ADA_MAIL, House

NOBODY = "nobody@corp.example"
WRONG = "000000"


@dataclass
class Typist:
    """One browser. What the last page held unasked is what the next form sends, as a browser does."""

    browser: Browser
    fields: dict[str, str] = field(default_factory=dict)
    page: Page = field(default_factory=lambda: Page(""))

    async def opens(self, path: str) -> ClientResponse:
        """Look at a page."""
        return await self._read(await self.browser.send("GET", path))

    async def asks(self, secret: str, email: str, **how: Any) -> ClientResponse:
        """Open a link and ask for a code; of a redirect the page behind it is opened, and its answer given."""
        await self.opens(f"/link/{secret}")
        return await self._sends(f"/link/{secret}", {"way": "email", "email": email}, **how)

    async def types(self, code: str, **how: Any) -> ClientResponse:
        """Type a code."""
        return await self._sends("/link/code", {"way": "code", "otp": code}, **how)

    async def chooses(self, way: str, **how: Any) -> ClientResponse:
        """Press another button of the code's page."""
        return await self._sends("/link/code", {"way": way}, **how)

    async def _sends(self, path: str, typed: dict[str, str], **how: Any) -> ClientResponse:
        answer = await self.browser.send("POST", path, data=self.fields | typed, **how)
        if answer.status == 303 and answer.headers["Location"].endswith("/link/code"):
            return await self.opens("/link/code")
        return await self._read(answer)

    async def _read(self, answer: ClientResponse) -> ClientResponse:
        self.page = Page(await answer.text())
        hidden = [one for one in self.page.all("input") if one.get("type") == "hidden"]
        if hidden:
            self.fields = {str(one["name"]): str(one["value"]) for one in hidden}
        return answer


async def waiting(site: Site, email: str = ADA_MAIL) -> Typist:
    """Somebody whose code is on its way."""
    one = typist(site)
    await one.asks(await site.home.start(), email)
    return one


def newest(home: House) -> str:
    """The code in the last mail."""
    return str(home.provider.mails[-1][1])


def denied(home: House) -> list[str]:
    """The reasons of what was refused in logins by code."""
    entries = home.observer.entries()
    return [str(reason) for kind, outcome, reason in entries if (kind, outcome) == ("login.embedded", "denied")]


def typist(site: Site) -> Typist:
    """Somebody with a browser without cookies."""
    return Typist(site.browser())
