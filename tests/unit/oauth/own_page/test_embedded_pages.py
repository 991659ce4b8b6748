"""Login on our own page as a browser sees it: what it offers, and what it says of what was typed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import HandClock
from tests.fakes.browser import Page, Site, serve
from tests.fakes.house import ADA, ADA_MAIL, EVE_MAIL, House
from tests.fakes.own_login import own_login
from tests.fakes.provider import ISSUER
from tests.fakes.typist import typist


@pytest.fixture
def home(clock: HandClock) -> House:
    """An empty house that takes codes on its own page."""
    return own_login(clock)


async def test_the_page_offers_both_ways_and_says_which_is_stronger(site: Site) -> None:
    """One form; the address that Slack knows is filled in; the provider's own page is there without an address."""
    ada = typist(site)
    await ada.opens(f"/link/{await site.home.start()}")
    (email,) = [one for one in ada.page.all("input") if one.get("name") == "email"]
    assert (email["type"], email["value"], email["autocomplete"]) == ("email", ADA_MAIL, "email")
    ways = {str(one["value"]): one for one in ada.page.all("button")}
    assert list(ways) == ["email", "provider"]
    assert "formnovalidate" in ways["provider"]
    assert "the stronger way" in ada.page.text
    assert [form["method"] for form in ada.page.all("form")] == ["post"]


@pytest.mark.parametrize("way", [{}, {"way": "provider"}, {"way": "other"}, {"email": EVE_MAIL}])
async def test_whoever_does_not_ask_for_a_code_goes_to_the_provider(site: Site, way: dict[str, str]) -> None:
    """Only the one button sends a code; anything else is the stronger way."""
    browser, secret = site.browser(), await site.home.start()
    page = Page(await (await browser.send("GET", f"/link/{secret}")).text())
    answer = await browser.send("POST", f"/link/{secret}", data={"csrf": page.csrf} | way)
    assert answer.headers["Location"].startswith(f"{ISSUER}authorize?")
    assert site.home.provider.asked == []


async def test_it_is_off_until_it_is_wanted(clock: Any) -> None:
    """Without the setting the page has no field, its route is none, and a form that asks for a code gets the provider's
    page."""
    home = own_login(clock, embedded_login=False)
    async for site in serve(home):
        ada, secret = typist(site), await home.start()
        await ada.opens(f"/link/{secret}")
        assert [one["type"] for one in ada.page.all("input")] == ["hidden"]
        answer = await ada.browser.send(
            "POST", f"/link/{secret}", data=ada.fields | {"way": "email", "email": ADA_MAIL}
        )
        assert answer.headers["Location"].startswith(f"{ISSUER}authorize?")
        assert (await ada.browser.send("GET", "/link/code")).status == 410
        assert home.provider.asked == []


async def test_t11_looking_at_the_page_changes_nothing(site: Site) -> None:
    """However often it is loaded, the newest code stays the newest, and no guess is spent (guard: `Embedded.newest`
    only reads)."""
    ada = typist(site)
    await ada.asks(await site.home.start(), ADA_MAIL)
    before = site.home.store.dump()
    for method in ("GET", "HEAD") * 5:
        assert (await ada.browser.send(method, "/link/code")).status == 200
    assert site.home.store.dump() == before
    assert len(site.home.provider.asked) == 1


async def test_t56_what_was_typed_is_inert(site: Site) -> None:
    """An address full of HTML is shown as it is, beside the words that it is none (guard: `autoescape` in
    `_templates`)."""
    ada = typist(site)
    answer = await ada.asks(await site.home.start(), "<img src=x onerror=alert(1)>\"'@corp.example")
    assert answer.status == 400
    assert "&lt;img src=x" in ada.page.text
    assert not ada.page.all("img")


@pytest.mark.parametrize(
    "typed",
    ["", " ", "ada", "ada@", "@corp.example", "ada@corp@example", "a da@corp.example", "ada@corp..example", "ada@-x.de",
     "ada@corp.example\r\nBcc: eve@corp.example", "ädä@corp.example", "a" * 250 + "@b.de"],
)  # fmt: skip
async def test_what_is_no_address_is_said_under_the_field(site: Site, typed: str) -> None:
    """Without a call, without a code of the three, and with what was typed left as it was."""
    ada, secret = typist(site), await site.home.start()
    before = site.home.store.dump()
    answer = await ada.asks(secret, typed)
    assert answer.status == 400
    (email,) = [one for one in ada.page.all("input") if one.get("name") == "email"]
    assert (email["aria-invalid"], email["aria-describedby"], email["value"]) == ("true", "problem", typed)
    assert [one["role"] for tag, one in ada.page.elements if one.get("id") == "problem"] == ["alert"]
    assert site.home.provider.asked == []
    assert site.home.store.dump() == before


async def test_an_address_may_have_spaces_around_it(site: Site) -> None:
    """As a phone's keyboard puts them there."""
    await typist(site).asks(await site.home.start(), f" {ADA_MAIL} ")
    assert [asked[0] for asked in site.home.provider.asked] == [ADA_MAIL]


@pytest.mark.parametrize("typed", ["", "abcdef", "123", "1234567890123", "１２３４５６", "12345a"])
async def test_what_can_be_no_code_costs_no_guess(site: Site, typed: str) -> None:
    """It is said under the field; nothing is sent on."""
    ada = typist(site)
    await ada.asks(await site.home.start(), ADA_MAIL)
    answer = await ada.types(typed)
    assert answer.status == 400
    (otp,) = [one for one in ada.page.all("input") if one.get("name") == "otp"]
    assert (otp["aria-invalid"], otp["aria-describedby"]) == ("true", "problem")
    assert site.home.provider.tried == []
    assert site.home.store.kept_tickets[ADA.key].guesses == 0


async def test_a_code_may_be_typed_in_groups(site: Site) -> None:
    """As mail programs and people write it."""
    ada = typist(site)
    await ada.asks(await site.home.start(), ADA_MAIL)
    code = site.home.provider.mails[-1][1]
    assert "You are linked" in await (await ada.types(f" {code[:3]} {code[3:]}-")).text()
