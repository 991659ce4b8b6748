"""Ada, who has to sign in once more, with the steps of that in short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse

from oauth import Evidence, Principal
from oauth.step_up.model import Answer, Step
from tests.fakes.browser import Browser, Page
from tests.fakes.house import ADA_MAIL, House
from tests.fakes.step_up_login import FakeStepUpLogin

SUBJECT, ABOUT = "c0ffee:C1", "Approve refund_order"
COOKIE = "__Host-countersign-step-up"


@dataclass
class Errand:
    """One person's way to evidence in a house."""

    home: House
    who: Principal

    @property
    def login(self) -> FakeStepUpLogin:
        """The provider's."""
        return self.home.step_up_login

    async def link(self, subject: str = SUBJECT, about: str = ABOUT) -> str:
        """The secret of a link."""
        url = await self.home.rooms.step_ups.asking.start(self.who, subject, about)
        assert url is not None
        return url.rpartition("/")[2]

    async def to_login(self, secret: str, browser: str = "browser-1") -> None:
        """Go on from the link's page in this browser."""
        await self.home.rooms.step_ups.stepping.go_on(secret, browser)

    async def signed_in(self, email: str = ADA_MAIL, browser: str = "browser-1", **changes: Any) -> Step:
        """Sign in at the provider and come back."""
        return await self.back(browser, self.login.sign_in(email) | changes)

    async def stepped_up(self, subject: str = SUBJECT) -> str:
        """The whole way; the secret of its link."""
        secret = await self.link(subject)
        await self.to_login(secret)
        await self.signed_in()
        return secret

    async def back(self, browser: str | None, brought: dict[str, Any]) -> Step:
        """The browser comes back with this."""
        return await self.home.rooms.step_ups.stepping.returned(Answer(browser=browser, **brought))

    async def take(self, subject: str = SUBJECT, who: Principal | None = None) -> Evidence | None:
        """What there is to be taken."""
        return await self.home.rooms.step_ups.asking.take(who or self.who, subject)

    def entries(self) -> list[tuple[str, str, str | None]]:
        """What is on record about it."""
        return [entry for entry in self.home.observer.entries() if (entry[2] or "").startswith("step_up")]

    def reasons(self) -> list[str | None]:
        """Why something was refused."""
        return [reason for type_, _, reason in self.entries() if type_ == "link.refused"]


async def looks(browser: Browser, secret: str) -> Page:
    """The page of a link."""
    answer = await browser.send("GET", f"/step-up/{secret}")
    assert answer.status == 200, await answer.text()
    return Page(await answer.text())


async def presses(browser: Browser, secret: str, **how: Any) -> ClientResponse:
    """Look at a link and press the button."""
    return await browser.send("POST", f"/step-up/{secret}", data={"csrf": (await looks(browser, secret)).csrf}, **how)


async def comes_back(browser: Browser, brought: dict[str, str], **how: Any) -> ClientResponse:
    """The provider sends the browser back with this."""
    return await browser.send("GET", "/oauth/step-up", params=brought, **how)
