"""A login that has to be made anew, and the second factor: asked for, shown, and only then said of somebody."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from bot.sandbox.tenant import Browser, PageRefused

MFA = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"


def phone(app: Any, person: str = "ada") -> Callable[[], str]:
    """Looks at somebody's phone."""
    return lambda: str(app.tenant.phone(person)[-1].code)


async def claims_after(app: Any, claims_of: Any, callback: str) -> dict[str, Any]:
    """What the ID token says of this login."""
    status, body = await app.exchange(callback.split("code=")[1].split("&")[0])
    assert status == 200, body
    claims: dict[str, Any] = claims_of(body["id_token"])[0]
    return claims


async def test_the_second_factor_is_asked_for_and_said(app: Any, claims_of: Any) -> None:
    """Somebody reads the code from their phone, types it, and the token says `mfa`."""
    async with Browser() as browser:
        callback = await browser.sign_in(app.url(max_age="0", acr_values=MFA), "ada", phone(app))
    claims = await claims_after(app, claims_of, callback)
    assert (claims["amr"], claims["acr"]) == (["mfa"], MFA)
    assert claims["auth_time"] == claims["iat"]


async def test_nothing_is_said_of_a_factor_that_was_not_shown(app: Any, came_back: Any) -> None:
    """Whoever has only chosen themselves gets no code for the application (guard: the look at `with_mfa` in
    `decide`)."""
    async with Browser() as browser:
        with pytest.raises(PageRefused) as caught:
            await browser.sign_in(app.url(acr_values=MFA), "ada")
    assert caught.value.status == 200
    assert "Your second factor" in caught.value.text


async def test_without_being_asked_nobody_is_bothered(app: Any, claims_of: Any) -> None:
    """No message, no page, no `amr`."""
    claims = claims_of((await app.tokens())["id_token"])[0]
    assert "amr" not in claims
    assert app.tenant.phone("ada") == []


async def submitted(browser: Browser, page: str, **fields: str) -> tuple[int, str]:
    """Send the one form of this page."""
    _, status, text = await browser.submit(page, **fields)
    return status, text


async def factor_page(app: Any, browser: Browser) -> str:
    """The address of the page on which the code is typed."""
    address, _ = await browser.open(app.url(acr_values=MFA))
    address, status, _ = await browser.submit(address, person="ada", action="accept")
    assert (status, "/u/mfa?state=" in address) == (200, True)
    return address


async def test_a_wrong_code_is_said_and_three_void_it(app: Any, came_back: Any) -> None:
    """Then not even the right one counts, until another is sent."""
    async with Browser() as browser:
        page, first = await factor_page(app, browser), phone(app)()
        wrong = "000000" if first != "000000" else "111111"
        for said in ("not the newest code", "not the newest code", "third wrong code", "third wrong code"):
            status, text = await submitted(browser, page, code=wrong, action="verify")
            assert (status, said in text) == (200, True)
        assert "third wrong code" in (await submitted(browser, page, code=first, action="verify"))[1]
        assert "Another code was sent" in (await submitted(browser, page, action="again"))[1]
        typed = f"{phone(app)()[:3]} {phone(app)()[3:]}"
        address, _, _ = await browser.submit(page, code=typed, action="verify")
    assert "code" in came_back(address)


async def test_a_code_lasts_five_minutes(app: Any, clock: Any) -> None:
    """The page says so."""
    async with Browser() as browser:
        page = await factor_page(app, browser)
        clock.forward(minutes=5)
        assert "has expired" in (await submitted(browser, page, code=phone(app)(), action="verify"))[1]


async def test_bobs_code_is_not_adas(app: Any) -> None:
    """Each phone has its own."""
    async with Browser() as adas, Browser() as bobs:
        page = await factor_page(app, adas)
        await bobs.sign_in(app.url(acr_values=MFA), "bob", phone(app, "bob"))
        status, text = await submitted(adas, page, code=phone(app, "bob")(), action="verify")
    assert (status, "not the newest code" in text) == (200, True)


async def test_cancelling_there_is_a_refusal(app: Any, came_back: Any) -> None:
    """And the page is over."""
    async with Browser() as browser:
        page = await factor_page(app, browser)
        address, _, _ = await browser.submit(page, action="cancel")
        assert came_back(address)["error"] == "access_denied"
        with pytest.raises(PageRefused):
            await browser.open(page)


async def test_another_browser_cannot_type_it(app: Any) -> None:
    """Nor look at the page (guard: `of_this_browser`)."""
    async with Browser() as right, Browser() as wrong:
        page = await factor_page(app, right)
        with pytest.raises(PageRefused) as caught:
            await wrong.open(page)
    assert "begun in another browser" in caught.value.text


async def test_the_page_is_for_whoever_has_said_who_they_are(app: Any) -> None:
    """Before that there is nobody whose factor it could be (guard: `person` in `_waiting`)."""
    async with Browser() as browser:
        login, _ = await browser.open(app.url(acr_values=MFA))
        with pytest.raises(PageRefused):
            await browser.open(login.replace("/u/login", "/u/mfa"))


async def test_the_phones_are_shown(app: Any) -> None:
    """By name, with the newest code and what has become of it."""
    async with Browser() as browser:
        await browser.sign_in(app.url(acr_values=MFA), "ada", phone(app))
        await factor_page(app, browser)
    text = await (await app.http.get(app.tenant.phone_url)).text()
    assert "Ada Lindqvist" in text
    assert re.findall(r'class="code">(\d{6})<', text)[0] == phone(app)()
    assert "replaced by a newer one" in text or "used" in text
    assert 'href="/u/phone"' in text


@pytest.mark.parametrize(
    ("asked", "anew"),
    [
        ({}, False),
        ({"max_age": "3600"}, False),
        ({"max_age": "60"}, True),
        ({"max_age": "0"}, True),
        ({"prompt": "login"}, True),
        ({"prompt": "login consent"}, True),
    ],
)
async def test_a_session_keeps_its_time_unless_it_will_not_do(
    app: Any, claims_of: Any, clock: Any, asked: dict[str, str], anew: bool
) -> None:
    """`auth_time` is when somebody has authenticated, and not when they went on (guard: `authenticated`)."""
    async with Browser() as browser:
        await browser.sign_in(app.url(), "ada")
        first = int(clock().timestamp())
        clock.forward(minutes=10)
        claims = await claims_after(app, claims_of, await browser.sign_in(app.url(**asked), "ada"))
    assert claims["auth_time"] == (claims["iat"] if anew else first)


async def test_somebody_else_in_the_same_browser_has_a_session_of_their_own(
    app: Any, claims_of: Any, clock: Any
) -> None:
    """Whose time begins there."""
    async with Browser() as browser:
        await browser.sign_in(app.url(), "ada")
        clock.forward(minutes=10)
        claims = await claims_after(app, claims_of, await browser.sign_in(app.url(), "bob"))
    assert claims["auth_time"] == claims["iat"]


async def test_a_grant_of_an_old_session_lasts_as_long_as_any(app: Any, clock: Any) -> None:
    """It begins with its login page, not with the session (guard: `opened_at`)."""
    async with Browser() as browser:
        await browser.sign_in(app.url(), "ada")
        clock.forward(days=20)
        callback = await browser.sign_in(app.url(), "ada")
        _, body = await app.exchange(callback.split("code=")[1].split("&")[0])
    clock.forward(days=14)
    assert (await app.refresh(body["refresh_token"]))[0] == 200
