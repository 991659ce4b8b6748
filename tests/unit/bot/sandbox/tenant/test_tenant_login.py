"""The login page: what is on it, who may send it, and what comes of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import aiohttp
import pytest

from bot.sandbox.tenant import PEOPLE, Browser, PageRefused


class Seen(HTMLParser):
    """Every tag of a page, with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.tags if t == tag and all(a.get(n) == v for n, v in wanted.items())]


async def test_the_page_has_one_form_with_everybody_and_a_way_out(app: Any) -> None:
    """The hooks that people's scripts rely on: one form, `person` radios, accept and cancel."""
    async with Browser() as browser:
        _, text = await browser.open(app.url())
    seen = Seen(text)
    assert len(seen.all("form", method="post")) == len(seen.all("form")) == 1
    radios = seen.all("input", type="radio", name="person")
    assert [radio["value"] for radio in radios] == ["ada", "bob", "carol", "dan", "mallory"]
    assert [radio["data-person"] for radio in radios] == [radio["value"] for radio in radios]
    assert [button["value"] for button in seen.all("button")] == ["accept", "cancel"]


async def test_the_page_names_who_asks_and_for_what(app: Any) -> None:
    """Application, the host it goes back to, the API and each scope are there to be agreed to."""
    async with Browser() as browser:
        _, text = await browser.open(app.url())
    for words in ("Countersign", "127.0.0.1:8300", "https://shop.example.com", "orders:read", "orders:refund"):
        assert words in text
    assert "while you are away" in text
    assert all(person.email in text for person in PEOPLE)


async def test_the_page_promises_no_more_than_was_asked(app: Any) -> None:
    """A narrower request makes a shorter list."""
    async with Browser() as browser:
        _, text = await browser.open(app.url(scope="openid orders:read"))
    assert "orders:read" in text
    assert "orders:refund" not in text
    assert "while you are away" not in text


async def test_nothing_on_the_page_is_inline_and_the_policy_says_so(app: Any) -> None:
    """No script at all, styles from a file, and a form that leads here or to the application only."""
    async with Browser() as browser, aiohttp.ClientSession(cookie_jar=browser.cookies) as session:
        address, _ = await browser.open(app.url())
        async with session.get(address) as answer:
            policy, text = answer.headers["Content-Security-Policy"], await answer.text()
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Cache-Control"] == "no-store"
    seen = Seen(text)
    assert not seen.all("script")
    assert not seen.all("style")
    assert not any("style" in attrs or any(name.startswith("on") for name in attrs) for _, attrs in seen.tags)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "script-src" not in rules
    assert rules["form-action"] == "'self' http://127.0.0.1:8300"
    assert rules["frame-ancestors"] == "'none'"


async def test_the_hinted_person_is_marked(app: Any) -> None:
    """`login_hint` takes an address, in any case, and a subject."""
    for hint in ("BOB@example.com", "auth0|bob"):
        async with Browser() as browser:
            _, text = await browser.open(app.url(login_hint=hint))
        marked = [radio["value"] for radio in Seen(text).all("input", name="person") if "checked" in radio]
        assert marked == ["bob"]


async def test_an_unknown_hint_marks_nobody_and_is_not_shown(app: Any) -> None:
    """The hint comes from the request, so it never becomes part of the page."""
    async with Browser() as browser:
        _, text = await browser.open(app.url(login_hint="<b>eve@example.com"))
    assert not [radio for radio in Seen(text).all("input", name="person") if "checked" in radio]
    assert "eve@example.com" not in text


async def test_whoever_was_here_last_is_marked_next_time(app: Any) -> None:
    """The browser has a session, as at a real provider, and still asks for consent."""
    async with Browser() as browser:
        await browser.sign_in(app.url(), "carol")
        _, text = await browser.open(app.url())
    marked = [radio["value"] for radio in Seen(text).all("input", name="person") if "checked" in radio]
    assert marked == ["carol"]


async def test_a_login_comes_back_with_code_and_state(app: Any, came_back: Any) -> None:
    """And with nothing else."""
    async with Browser() as browser:
        answer = came_back(await browser.sign_in(app.url(state="a b&c=d"), "ada"))
    assert answer.keys() == {"code", "state"}
    assert answer["state"] == "a b&c=d"


async def test_cancelling_comes_back_with_a_refusal(app: Any, came_back: Any) -> None:
    """Nobody needs to be chosen for that, and no grant comes of it."""
    async with Browser() as browser:
        answer = came_back(await browser.cancel(app.url()))
    assert answer["error"] == "access_denied"
    assert answer["state"] == "the state"
    assert "code" not in answer


async def test_looking_at_the_page_changes_nothing(app: Any, came_back: Any) -> None:
    """A preview that fetches the page does not use it up."""
    async with Browser() as browser, aiohttp.ClientSession(cookie_jar=browser.cookies) as session:
        address, _ = await browser.open(app.url())
        for _ in range(3):
            async with session.get(address) as answer:
                assert answer.status == 200
        assert "code" in came_back((await browser.submit(address, person="ada", action="accept"))[0])


async def test_a_page_is_sent_once(app: Any) -> None:
    """A second click, or the way back, gives no second code."""
    async with Browser() as browser, aiohttp.ClientSession(cookie_jar=browser.cookies) as session:
        address, text = await browser.open(app.url())
        await browser.submit(address, person="ada", action="accept")
        async with session.post(address, data=_fields(text) | {"person": "ada", "action": "accept"}) as answer:
            assert answer.status == 400
            assert "This login is over" in await answer.text()


async def test_a_page_left_open_expires(app: Any, clock: Any) -> None:
    """After ten minutes the login has to be begun again."""
    async with Browser() as browser:
        address, _ = await browser.open(app.url())
        clock.forward(minutes=9, seconds=59)
        await browser.open(address)
        clock.forward(seconds=1)
        with pytest.raises(PageRefused) as refused:
            await browser.open(address)
    assert refused.value.status == 400


async def test_another_browser_cannot_use_the_page(app: Any) -> None:
    """Neither its address nor its hidden fields are enough without the cookie."""
    async with Browser() as browser, Browser() as other:
        address, text = await browser.open(app.url())
        await other.open(app.url())
        with pytest.raises(PageRefused):
            await other.open(address)
        async with aiohttp.ClientSession(cookie_jar=other.cookies) as session:
            form = _fields(text) | {"person": "mallory", "action": "accept"}
            async with session.post(address, data=form, allow_redirects=False) as answer:
                assert answer.status == 400


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({"csrf": ""}, {}),
        ({"csrf": "0" * 64}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Origin": "null"}),
    ],
)
async def test_a_form_sent_from_elsewhere_is_refused(
    app: Any, changes: dict[str, str], headers: dict[str, str]
) -> None:
    """The cookie alone does not make a login (RFC 6749 section 10.12), and the page stays good for its owner."""
    async with Browser() as browser, aiohttp.ClientSession(cookie_jar=browser.cookies) as session:
        address, text = await browser.open(app.url())
        form = _fields(text) | {"person": "ada", "action": "accept"} | changes
        async with session.post(address, data=form, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 403
        assert "code=" in (await browser.submit(address, person="ada", action="accept"))[0]


@pytest.mark.parametrize("fields", [{"action": "accept"}, {"action": "accept", "person": "eve"}, {"person": "ada"}])
async def test_nobody_is_signed_in_unless_chosen_and_accepted(app: Any, fields: dict[str, str]) -> None:
    """A missing or unknown person, or a form without a decision, gives no code."""
    async with Browser() as browser:
        address, _ = await browser.open(app.url())
        _, status, text = await browser.submit(address, **fields)
    assert status == 400
    assert "Nobody was chosen" in text


async def test_the_browser_says_who_is_not_there(app: Any) -> None:
    """A misspelt name in a test is found at once."""
    async with Browser() as browser:
        with pytest.raises(LookupError, match="eve is not on the login page"):
            await browser.sign_in(app.url(), "eve")


def _fields(text: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', text))
