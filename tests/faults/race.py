"""A ticket that many try to spend at once, at several replicas, by whatever spends one."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import ClientResponse, ClientSession
from yarl import URL

from bot.database import Database
from bot.sandbox.tenant import Browser as Visitor
from bot.sandbox.tenant import Person
from oauth.tickets import hashed
from tests.fakes.browser import Browser, Page

PEOPLE = tuple(Person(name, name.title(), f"{name}@corp.example") for name in ("ada", "bob", "carol", "dan", "eve"))
RACERS, BROWSERS = 100, 3
_REASON = re.compile("Reason: <code>([^<:]+)")


@dataclass(frozen=True, slots=True)
class Heat:
    """One ticket and how it is raced for. Each workspace has five people, so that neighbours share a chain.

    Without `honest` nobody comes back with the cookie that belongs to the state. With `late` one more browser begins
    anew while the others race, and so either takes the ticket from them or finds it used.
    """

    number: int
    proof: Literal["email", "code"]
    honest: bool = True
    late: bool = False

    @property
    def person(self) -> Person:
        """The account that signs in."""
        return PEOPLE[self.number % len(PEOPLE)]

    @property
    def slack(self) -> dict[str, str]:
        """Who types in Slack."""
        return {"team": f"T{self.number // len(PEOPLE):03}", "user": f"U{self.person.id.upper()}"}

    @property
    def key(self) -> str:
        """The key of the link."""
        return ":".join(self.slack.values())


@dataclass(frozen=True, slots=True)
class Login:
    """What the provider has given a browser to come back with, and the browser's cookies."""

    query: dict[str, str] = field(repr=False)
    cookies: dict[str, str] = field(repr=False)


@dataclass(slots=True)
class Tally:
    """What all answers said: who was linked, which pages refused and why, which commands did, and how long it took."""

    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    linked: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    pages: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    redemptions: list[float] = field(default_factory=list, repr=False)

    def version(self, key: str) -> str:
        """The version of the only link that may come of a person's ticket."""
        return hashed(self.secrets[key])[:24]


@dataclass(frozen=True, slots=True)
class Race:
    """Runs heats at these addresses. All share one session, whose limit bounds the crowd.

    The database is only asked whose login counts: of several browsers the last one owns the ticket, and in a race
    none of them can tell who that was.
    """

    addresses: tuple[str, ...]
    session: ClientSession
    database: Database
    tally: Tally = field(default_factory=Tally)

    async def run(self, heat: Heat) -> None:
        """From `/agent link` to the last answer."""
        self.tally.secrets[heat.key] = secret = await self._asks(heat)
        logins = await asyncio.gather(*(self._signs_in(heat, secret, at) for at in range(BROWSERS)))
        found = await self.database["tickets"].find_one({"_id": heat.key}) or {}
        (owner,) = (login for login in logins if hashed(login.query["state"]) == found["state_hash"])
        late = await self._looks(secret, heat.number) if heat.late else None
        if heat.proof == "email":
            entrants = _entrants(heat, owner, [login for login in logins if login is not owner])
            racers = [self._timed(self._returns(heat, login, at)) for at, login in enumerate(entrants)]
        else:
            code = await self._returns(heat, owner, heat.number)
            assert code is not None, self.tally.pages
            racers = [self._timed(self._types(heat, code, at)) for at in range(RACERS)]
        begun, *_ = await asyncio.gather(self._presses(heat, late, secret), *racers)
        if begun is not None:
            code = await self._returns(heat, begun, heat.number)
            if code is not None:
                await self._types(heat, code, heat.number)

    async def _asks(self, heat: Heat) -> str:
        """`/agent link`: the secret in the direct message."""
        said = {**heat.slack, "email": heat.person.email if heat.proof == "email" else None}
        async with self.session.post(f"{self._at(heat.number)}/typed/link", json=said) as answer:
            return str((await answer.json())["url"]).rpartition("/")[2]

    async def _signs_in(self, heat: Heat, secret: str, at: int) -> Login:
        """In a browser of its own, up to the way back."""
        browser, page = await self._looks(secret, at)
        answer = await self._press(browser, page, secret)
        assert answer.status == 303, await answer.text()
        return await self._through(heat, browser, answer)

    async def _through(self, heat: Heat, browser: Browser, answer: ClientResponse) -> Login:
        async with Visitor() as visitor:
            back = await visitor.sign_in(answer.headers["Location"], heat.person.id)
        return Login(dict(URL(back).query), browser.cookies)

    async def _looks(self, secret: str, at: int) -> tuple[Browser, Page]:
        """Open the link."""
        browser = Browser(self._at(at), self.session)
        return browser, Page(await (await browser.send("GET", f"/link/{secret}")).text())

    async def _press(self, browser: Browser, page: Page, secret: str) -> ClientResponse:
        return await browser.send("POST", f"/link/{secret}", data={"csrf": page.csrf})

    async def _presses(self, heat: Heat, late: tuple[Browser, Page] | None, secret: str) -> Login | None:
        """Begin anew in mid-race; None where the ticket is spent already."""
        if late is None:
            return None
        answer = await self._press(*late, secret)
        if answer.status == 303:
            return await self._through(heat, late[0], answer)
        self._refused(await answer.text())
        return None

    async def _returns(self, heat: Heat, login: Login, at: int) -> str | None:
        """Come back from the provider; the code, where the page shows one."""
        browser = Browser(self._at(at), self.session)
        browser.cookies = dict(login.cookies)
        answer = await browser.send("GET", "/oauth/callback", params=login.query)
        text = await answer.text()
        if answer.status != 200:
            self._refused(text)
            return None
        if "You are linked" in text:
            self.tally.linked[heat.key].append("page")
        return Page(text).by_id.get("code")

    async def _types(self, heat: Heat, code: str, at: int) -> None:
        """`/agent code`."""
        async with self.session.post(f"{self._at(at)}/typed/code", json={**heat.slack, "code": code}) as answer:
            said = await answer.json()
        if "version" in said:
            self.tally.linked[heat.key].append("command")
        else:
            self.tally.commands[said["refused"]] += 1

    async def _timed(self, redemption: Awaitable[object]) -> None:
        """Count it, and how many seconds it took."""
        began = time.perf_counter()
        await redemption
        self.tally.redemptions.append(time.perf_counter() - began)

    def _refused(self, text: str) -> None:
        found = _REASON.search(text)
        self.tally.pages[found[1] if found else "none given"] += 1

    def _at(self, number: int) -> str:
        return self.addresses[number % len(self.addresses)]


def _entrants(heat: Heat, owner: Login, others: list[Login]) -> list[Login]:
    """Who comes back: the owner again and again, the browsers that lost the ticket to it, and thieves of its state."""
    thieves = [Login(owner.query, {}), Login(owner.query, others[0].cookies)]
    honest = [owner] * (RACERS - len(others) - len(thieves))
    return [*honest, *others, *thieves] if heat.honest else thieves * (RACERS // len(thieves))
