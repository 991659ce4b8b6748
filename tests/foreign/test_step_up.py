"""One more login at a certified provider: it asks anew, and its ID token says when and how."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from oauth import Principal
from tests.foreign import test_identity
from tests.foreign.browser import Browser, Page
from tests.foreign.test_identity import ADA, House

SUBJECT = "c0ffee:C1"
house = test_identity.house


async def steps_up(found: House, principal: Principal, account: str, browser: Browser) -> Page:
    """From a link to the page at the end of it."""
    url = await found.rooms.step_ups.asking.start(principal, SUBJECT, "Approve refund_order")
    assert url is not None
    return await browser.sign_in(await browser.open(url), account)


async def test_it_asks_anew_and_says_when_and_how(house: House) -> None:
    """Also in the browser that has a session there, since `max_age=0` lets that not do; nothing that lasts comes of
    it."""
    async with Browser() as browser:
        assert "You are linked" in (await house.signs_in(await house.link(), "ada", browser)).text
        principal = await house.rooms.links.principal(ADA)
        assert principal is not None
        before = len(browser.visited)
        page = await steps_up(house, principal, "ada", browser)
        assert (page.status, "You have signed in" in page.text) == (200, True), page.text
        assert any(url.path.startswith("/interaction/") for url in browser.visited[before:])
    evidence = await house.rooms.step_ups.asking.take(principal, SUBJECT)
    assert evidence is not None
    assert evidence.amr == ("pwd", "mfa")
    assert await house.states() == ["live", "none"]


async def test_somebody_else_there_is_nobody_here(house: House) -> None:
    """Mallory signs in through Ada's link."""
    principal = await house.linked()
    async with Browser() as browser:
        page = await steps_up(house, principal, "mallory", browser)
    assert (page.status, "account_differs" in page.text) == (403, True)
    assert await house.rooms.step_ups.asking.take(principal, SUBJECT) is None


async def test_the_request_is_handed_over(house: House) -> None:
    """So no browser takes anything out of it (RFC 9126)."""
    login = house.rooms.step_ups.login
    address = await login.authenticate_url(state="s", nonce="n", verifier="v" * 43, login_hint=None)
    assert set(parse_qs(urlsplit(address).query)) == {"client_id", "request_uri"}
