"""Whose login by code it is: the browser that asked last, and the way that was begun last."""

from __future__ import annotations

import pytest

from tests.conftest import HandClock
from tests.fakes.browser import LOGIN, VISIT, Site
from tests.fakes.house import ADA, ADA_MAIL, BOB, BOB_MAIL, EVE_MAIL, PUBLIC_URL, House
from tests.fakes.own_login import own_login
from tests.fakes.provider import ISSUER
from tests.fakes.typist import WRONG, Typist, newest, typist, waiting


@pytest.fixture
def home(clock: HandClock) -> House:
    """An empty house that takes codes on its own page."""
    return own_login(clock)


@pytest.mark.parametrize("cookie", [None, "", "planted", "\ud800", "of Bob"])
async def test_t58_a_code_in_another_browser_is_refused(site: Site, cookie: str | None) -> None:
    """Without the cookie of the browser that asked, or with another: no guess, one entry, and the right browser goes on
    (guard: the comparison in `Embedded.newest`)."""
    ada, home = await waiting(site), site.home
    mallory = Typist(site.browser(), dict(ada.fields))
    mallory.browser.cookies = {name: value for name, value in ada.browser.cookies.items() if name != LOGIN}
    if cookie == "of Bob":
        bob = typist(site)
        await bob.asks(await home.start(BOB), BOB_MAIL)
        cookie = bob.browser.cookies[LOGIN]
    if cookie is not None:
        mallory.browser.cookies[LOGIN] = cookie.encode(errors="replace").decode()
    assert (await mallory.opens("/link/code")).status == 403
    mallory.fields = dict(ada.fields)
    answer = await mallory.types(newest(home))
    assert answer.status == 403
    assert "another browser" in await answer.text()
    assert home.provider.tried == []
    assert home.observer.entries()[-1] == ("link.refused", "denied", "wrong_browser")
    assert home.observer.recorded[-1].slack == ADA
    assert home.store.kept_tickets[ADA.key].guesses == 0
    await ada.types(WRONG)
    assert len(home.provider.tried) == 1


async def test_of_several_browsers_the_last_one_counts(site: Site) -> None:
    """A second browser with the same link takes it over; the first one's code opens nothing any more."""
    first, second, home = typist(site), typist(site), site.home
    secret = await home.start()
    await first.asks(secret, ADA_MAIL)
    code = newest(home)
    await second.asks(secret, EVE_MAIL)
    assert (await first.types(code)).status == 403
    assert home.provider.tried == []


async def test_t25_a_planted_cookie_is_rotated(site: Site) -> None:
    """Who planted it cannot take over the login (guard: the fresh secret in `EmbeddedPages.send`)."""
    ada, mallory = typist(site), typist(site)
    ada.browser.cookies = {LOGIN: "planted", VISIT: "planted"}
    await ada.asks(await site.home.start(), ADA_MAIL)
    assert "planted" not in ada.browser.cookies.values()
    mallory.browser.cookies = ada.browser.cookies | {LOGIN: "planted"}
    mallory.fields = ada.fields
    assert (await mallory.types(site.home.provider.mails[-1][1])).status == 403
    assert site.home.provider.tried == []


async def test_another_tab_with_the_link_does_not_disturb_the_code(site: Site) -> None:
    """Looking at the link again, or at another one, spoils neither the form nor its cookie."""
    ada, home = typist(site), site.home
    secret, other = await home.start(), await home.start(BOB)
    await ada.asks(secret, ADA_MAIL)
    for path in (f"/link/{secret}", f"/link/{other}", "/link"):
        assert (await ada.browser.send("GET", path)).status == 200
    assert "You are linked" in await (await ada.types(home.provider.mails[-1][1])).text()


async def test_a_code_takes_over_from_the_provider_and_back(site: Site) -> None:
    """Of two ways begun in one browser the last one counts (guard: `state_hash` in `Embedded.send`)."""
    ada, home = typist(site), site.home
    secret = await home.start()
    await ada.browser.go_on(secret)
    asked = home.provider.authorized[-1]
    await ada.asks(secret, ADA_MAIL)
    late = await ada.browser.send("GET", "/oauth/callback", params={"state": str(asked["state"]), "code": "c"})
    assert late.status == 400
    assert home.provider.exchanges == 0
    await ada.chooses("provider")
    assert "You are linked" in await (await site.comes_back(ada.browser, ADA_MAIL)).text()


async def test_a_code_ends_the_grant_of_an_earlier_login(site: Site) -> None:
    """What waited for its proof in the same link is revoked, and its code is worth nothing."""
    ada, home = typist(site), site.home
    secret = await home.start()
    await ada.asks(secret, EVE_MAIL)
    await ada.types(newest(home))
    assert len(home.provider.living) == 1
    await ada.asks(secret, ADA_MAIL)
    assert home.provider.living == []
    assert "You are linked" in await (await ada.types(newest(home))).text()


async def test_the_code_page_leads_back_where_no_code_is_waited_for(site: Site) -> None:
    """After the other way was taken, going back shows the link page, to begin anew."""
    ada = typist(site)
    await ada.asks(await site.home.start(), ADA_MAIL)
    await ada.chooses("provider")
    back = await ada.browser.send("GET", "/link/code")
    assert (back.status, back.headers["Location"]) == (303, f"{PUBLIC_URL}/link")
    assert (await ada.browser.send("GET", "/link")).status == 200
    assert (await site.browser().send("GET", "/link/code")).status == 410


async def test_the_other_way_is_open_from_the_code_page(site: Site) -> None:
    """It goes to the provider with the address filled in, and ends in a link; the code is worth nothing any more."""
    ada, home = typist(site), site.home
    await ada.asks(await home.start(), EVE_MAIL)
    form = dict(ada.fields)
    onward = await ada.chooses("provider")
    assert onward.headers["Location"].startswith(f"{ISSUER}authorize?")
    assert home.provider.authorized[-1]["login_hint"] == EVE_MAIL
    ada.fields = form
    assert (await ada.types(home.provider.mails[-1][1])).status == 400
    assert home.observer.entries()[-1] == ("link.refused", "denied", "state_unknown")
    assert home.provider.tried == []
    assert "You are linked" in await (await site.comes_back(ada.browser, ADA_MAIL)).text()


async def test_a_second_factor_is_asked_for_at_the_provider(site: Site) -> None:
    """`mfa_required` is no dead end: the login goes on there, and ends in a link (guard: the look at `mfa_required` in
    `Embedded.enter`)."""
    ada, home = typist(site), site.home
    home.provider.second_factor.add(ADA_MAIL)
    await ada.asks(await home.start(), ADA_MAIL)
    onward = await ada.types(home.provider.mails[-1][1])
    assert onward.status == 303
    assert onward.headers["Location"].startswith(f"{ISSUER}authorize?")
    assert home.provider.authorized[-1]["login_hint"] == ADA_MAIL
    assert home.observer.entries()[-1] == ("login.embedded", "denied", "mfa_required")
    assert home.provider.living == []
    assert "You are linked" in await (await site.comes_back(ada.browser, ADA_MAIL)).text()


async def test_the_way_on_is_there_at_every_step(site: Site) -> None:
    """Whatever has gone wrong with codes, the provider's page is one press away and links."""
    ada = await waiting(site)
    for _ in range(4):
        await ada.types(WRONG)
        assert [one["value"] for one in ada.page.all("button")][-1] == "provider"
    onward = await ada.chooses("provider")
    assert onward.headers["Location"].startswith(f"{ISSUER}authorize?")
    assert "You are linked" in await (await site.comes_back(ada.browser, ADA_MAIL)).text()
