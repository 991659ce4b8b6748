"""The login pages on a port of their own, and browsers that remember cookies and follow nothing by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any

from aiohttp import ClientResponse, ClientSession, web

from tests.fakes.house import House
from tests.fakes.provider import ISSUER

LOGIN, VISIT = "__Host-countersign", "__Host-countersign-visit"


class Page(HTMLParser):
    """What a browser makes of a page: its elements, and the text of those with an id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.by_id: dict[str, str] = {}
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the element."""
        self.elements.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id")

    def handle_data(self, data: str) -> None:
        """Remember the text."""
        if self._open:
            self.by_id.setdefault(self._open, data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of one kind."""
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def csrf(self) -> str:
        """The hidden field of the form."""
        return next(str(field["value"]) for field in self.all("input") if field["name"] == "csrf")


class Browser:
    """Cookies, and no redirects that it was not told to follow."""

    def __init__(self, address: str, session: ClientSession) -> None:
        self.address = address
        self.session = session
        self.cookies: dict[str, str] = {}

    async def send(self, method: str, path: str, **how: Any) -> ClientResponse:
        """One request; what is set and deleted is remembered."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers |= how.pop("headers", {})
        answer = await self.session.request(
            method, f"{self.address}{path}", headers=headers, allow_redirects=False, **how
        )
        await answer.read()
        for line in answer.headers.getall("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer

    async def go_on(self, secret: str, **how: Any) -> ClientResponse:
        """Look at a link and press the button."""
        page = Page(await (await self.send("GET", f"/link/{secret}")).text())
        return await self.send("POST", f"/link/{secret}", data={"csrf": page.csrf}, **how)


class Site:
    """The pages, served on a port of their own."""

    def __init__(self, home: House, address: str, session: ClientSession) -> None:
        self.home = home
        self.address = address
        self.session = session

    def browser(self) -> Browser:
        """A browser without cookies."""
        return Browser(self.address, self.session)

    async def comes_back(
        self, browser: Browser, email: str, headers: dict[str, str] | None = None, **query: str
    ) -> ClientResponse:
        """The person signs in at the provider, which sends the browser back."""
        asked = self.home.provider.authorized[-1]
        url = f"{ISSUER}authorize?nonce={asked['nonce']}&code_challenge={asked['challenge']}"
        code = self.home.provider.sign_in(url, email)
        answer = {"state": asked["state"], "code": code} | query
        return await browser.send("GET", "/oauth/callback", params=answer, headers=headers or {})


async def serve(home: House) -> AsyncIterator[Site]:
    """The pages of a house."""
    app = web.Application()
    home.rooms.pages.add_to(app)
    home.rooms.accounts.pages.add_to(app)
    home.rooms.step_ups.pages.add_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession() as session:
        yield Site(home, f"http://127.0.0.1:{runner.addresses[0][1]}", session)
    await runner.cleanup()


def cookie_lines(answer: ClientResponse) -> dict[str, str]:
    """The attributes of each cookie that is set."""
    return {line.partition("=")[0]: line.lower() for line in answer.headers.getall("Set-Cookie", [])}
