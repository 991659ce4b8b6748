"""A browser without a window, for tests and scenarios: it reads the login page's own form and sends that."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_HOPS = 10


class PageRefused(Exception):
    """A page was not what the visit needed. `status` and `text` are what came instead."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(f"HTTP {status}")


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, what it holds unasked, which people can be chosen in it, and what is ticked."""

    action: str = ""
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    people: dict[str, bool] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)
    ticked: list[str] = field(default_factory=list)


class Browser:
    """Keeps cookies, as one browser of one person does. Make a new one for each; close it, or use `async with`.

    `cookies` may be shared by several calls and looked at; what a page of another server sets is kept too.
    """

    def __init__(self) -> None:
        # Unsafe: a strict jar keeps no cookie of an address without a name, and 127.0.0.1 is one.
        self.cookies = aiohttp.CookieJar(unsafe=True)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def open(self, url: str) -> tuple[str, str]:
        """Fetch a page, following redirects; gives its address and its text. Raises PageRefused unless it is 200."""
        address, status, text = await self._follow("GET", url, None)
        if status != 200:
            raise PageRefused(status, text)
        return address, text

    async def sign_in(self, authorize_url: str, person: str, second_factor: Callable[[], str] | None = None) -> str:
        """Choose `person` ("ada") on the login page and accept. Gives the address of the callback, unvisited.

        `second_factor` looks for the code on their phone, once it was sent. Raises PageRefused where there is no such
        page, also where a second factor is asked for and there is none; and LookupError where nobody of that name is
        on it.
        """
        page, form = await self._login_page(authorize_url)
        if isinstance(form, str):
            return form
        if person not in form.people:
            raise LookupError(f"{person} is not on the login page; {', '.join(form.people)} are")
        if second_factor is None:
            return await self._send(page, form, person=person, action="accept")
        fields = form.fields | {"person": person, "action": "accept"}
        asked, _, text = await self._follow(form.method.upper(), str(URL(page).join(URL(form.action))), fields)
        return await self._send(asked, _form(text), code=second_factor(), action="verify")

    async def cancel(self, authorize_url: str) -> str:
        """Cancel on the login page. Gives the address of the callback, unvisited."""
        page, form = await self._login_page(authorize_url)
        return form if isinstance(form, str) else await self._send(page, form, action="cancel")

    async def connect(self, url: str, account: str, *, without: Collection[str] = (), action: str = "accept") -> str:
        """Follow a connect ticket to the third party, agree there as `account`, but for the scopes in `without`.

        The way to the ticket, by redirects, may begin at any server. Gives the address at which the tenant sends the
        browser back to the application, unvisited; with `action` set to `cancel` that has an error. Raises PageRefused,
        and LookupError where nobody of that name is there.
        """
        consent, form = await self._login_page(url)
        for _ in range(_MOST_HOPS):
            if not isinstance(form, str):
                break
            consent, form = await self._login_page(form)
        if isinstance(form, str) or account not in form.people:
            raise LookupError(f"{account} is not on a page of {URL(consent).authority}")
        ticked = {name: "on" for name in form.ticked if name.removeprefix("scope ") not in without}
        back = await self._send(consent, form, person=account, action=action, **ticked)
        address, status, text = await self._follow("GET", back, None)
        if status not in _REDIRECTS:
            raise PageRefused(status, text)
        return address

    async def submit(self, url: str, **fields: str) -> tuple[str, int, str]:
        """Send the one form of a page, e.g. the bot's link page, up to a redirect that leaves its server.

        Gives the address at which it ended, with status and text; of a redirect not followed, the address only.
        """
        page, text = await self.open(url)
        return await self._follow("POST", str(URL(page).join(URL(_form(text).action))), _form(text).fields | fields)

    async def _login_page(self, url: str) -> tuple[str, Form | str]:
        """The page and its form, or the callback where the tenant answered without one."""
        address, status, text = await self._follow("GET", url, None)
        if status in _REDIRECTS:
            return address, address
        if status != 200:
            raise PageRefused(status, text)
        return address, _form(text)

    async def _send(self, page: str, form: Form, **fields: str) -> str:
        target = str(URL(page).join(URL(form.action)))
        address, status, text = await self._follow(form.method.upper(), target, form.fields | fields)
        if status not in _REDIRECTS:
            raise PageRefused(status, text)
        return address

    async def _follow(self, method: str, url: str, form: dict[str, str] | None) -> tuple[str, int, str]:
        """Follow redirects within one server; one that leaves it is given back with its status."""
        session = self._session = self._session or aiohttp.ClientSession(cookie_jar=self.cookies)
        here = URL(url, encoded=True)
        for _ in range(_MOST_HOPS):
            async with session.request(method, here, data=form, allow_redirects=False) as answer:
                if answer.status not in _REDIRECTS:
                    return str(here), answer.status, await answer.text()
                target = here.join(URL(answer.headers["Location"], encoded=True))
                if target.origin() != here.origin():
                    return str(target), answer.status, ""
                method, form, here = "GET", None, target
        raise PageRefused(310, "The page redirects without end.")


def _form(text: str) -> Form:
    """The one form of a page. Raises LookupError where there is none, or more than one."""
    reader = _Reader()
    reader.feed(text)
    if len(reader.forms) != 1:
        raise LookupError(f"The page has {len(reader.forms)} forms, not one")
    return reader.forms[0]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
        elif self.forms and tag == "input":
            self._input(self.forms[-1], given)
        elif self.forms and tag == "button":
            self.forms[-1].buttons.append(given.get("value", ""))

    @staticmethod
    def _input(form: Form, given: dict[str, str]) -> None:
        if given.get("type") == "hidden":
            form.fields[given.get("name", "")] = given.get("value", "")
        elif given.get("name") == "person":
            form.people[given.get("value", "")] = "checked" in given
        elif given.get("type") == "checkbox" and "checked" in given:
            form.ticked.append(given.get("name", ""))
