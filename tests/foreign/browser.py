"""A browser as far as a login needs one: cookies, redirects followed by hand, and forms filled in as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

_MOST = 20


@dataclass(slots=True)
class Form:
    """A form of a page: its method, where it goes, and what it carries by itself."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser ends up at."""

    url: URL
    status: int
    text: str
    headers: dict[str, str]

    @property
    def forms(self) -> list[Form]:
        """The forms on it."""
        reader = _Reader()
        reader.feed(self.text)
        return reader.forms

    @property
    def code(self) -> str:
        """The text of the element with `id="code"`."""
        reader = _Reader()
        reader.feed(self.text)
        return reader.code.strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.code = ""
        self._inside: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(found.get("method", "get").lower(), found.get("action", "")))
        elif tag == "input" and self.forms and found.get("name"):
            self.forms[-1].fields[found["name"]] = found.get("value", "")
        if found.get("id") == "code":
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            self.code += data


class Browser:
    """One browser with cookies of its own."""

    def __init__(self) -> None:
        # Host names are numbers here, and every port of a host shares its cookies, as in a real browser.
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.visited: list[URL] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._session.close()

    async def open(self, url: URL | str, *, stop_before: str | None = None) -> Page:
        """Fetch a page and follow its redirects; with `stop_before` only up to an address that begins so."""
        return await self._go("get", URL(str(url), encoded=True), None, stop_before)

    async def submit(self, page: Page, *, stop_before: str | None = None, **typed: str) -> Page:
        """Send the page's only form with what was typed."""
        (form,) = page.forms
        return await self.send(page, form, stop_before=stop_before, **typed)

    async def send(self, page: Page, form: Form, *, stop_before: str | None = None, **typed: str) -> Page:
        """Send one form of the page with what was typed."""
        target = page.url.join(URL(form.action)) if form.action else page.url
        return await self._go(form.method, target, form.fields | typed, stop_before)

    async def sign_in(self, page: Page, account: str, *, stop_before: str | None = None) -> Page:
        """From the link page, or the provider's, through login and consent to wherever that leads.

        A refusal is an end too, whatever its page offers.
        """
        for _ in range(_MOST):
            if page.status != 200 or not page.forms or (stop_before and str(page.url).startswith(stop_before)):
                return page
            (form,) = page.forms
            typed = {"account": account} if "account" in form.fields else {}
            page = await self.submit(page, stop_before=stop_before, **typed)
        raise AssertionError(f"the login does not end: {self.visited[-_MOST:]}")

    async def sign_out(self, issuer: str) -> None:
        """Sign out at the provider, up to its answer to that (OpenID Connect RP-Initiated Logout section 2)."""
        page = await self.open(f"{issuer}/session/end")
        page = await self.submit(page, stop_before=f"{issuer}/session/end/success", logout="yes")
        assert page.status == 0, page.text

    async def _go(self, method: str, url: URL, data: dict[str, str] | None, stop_before: str | None) -> Page:
        for _ in range(_MOST):
            if stop_before and str(url).startswith(stop_before):
                return Page(url, 0, "", {})
            self.visited.append(url)
            async with self._session.request(method, url, data=data, allow_redirects=False) as answer:
                if answer.status not in {301, 302, 303, 307}:
                    return Page(url, answer.status, await answer.text(), dict(answer.headers))
                if answer.status in {301, 302, 303}:
                    method, data = "get", None
                url = url.join(URL(answer.headers["Location"], encoded=True))
        raise AssertionError(f"the redirects do not end: {self.visited[-_MOST:]}")
