"""Back-channel logout, and pages whose database, provider or trail is away."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from oauth.verify import LOGOUT_EVENT
from tests.fakes.browser import LOGIN, Site, serve
from tests.fakes.house import ADA, ADA_MAIL, BOB, BOB_MAIL, EVE_MAIL, PEOPLE, House
from tests.fakes.provider import CLIENT_ID, ISSUER, sign


@pytest.mark.parametrize("what", ["store", "provider", "trail"])
async def test_t68_a_part_that_is_away_is_a_page_that_says_so(site: Site, what: str) -> None:
    """Database, provider or trail: 503, guarded, with nothing of the failure in it, and later it works."""
    browser, secret = site.browser(), await site.home.start()
    await browser.go_on(secret)
    home = site.home
    home.store.away, home.provider.away, home.observer.away = what == "store", what == "provider", what == "trail"
    answer = await site.comes_back(browser, ADA_MAIL)
    assert answer.status == 503
    assert "cannot be finished now" in await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"
    home.store.away = home.provider.away = home.observer.away = False
    assert await home.rooms.links.principal(ADA) is None
    await browser.go_on(await home.start())
    assert (await site.comes_back(browser, ADA_MAIL)).status == 200


async def test_t17_the_page_says_that_the_account_is_taken(site: Site) -> None:
    """With what to do about it (guard: `Taken` in `Proving._complete`)."""
    await site.home.link(ADA)
    browser = site.browser()
    started = await site.home.rooms.linking.start(BOB, replace(PEOPLE[BOB], email=ADA_MAIL), fresh=True)
    await browser.go_on(str(started.url).rpartition("/")[2])
    answer = await site.comes_back(browser, ADA_MAIL)
    assert answer.status == 409
    assert "linked already" in await answer.text()
    assert "/agent unlink" in await answer.text()


async def test_t17_the_page_says_that_one_person_has_one_account(site: Site) -> None:
    """Ada, linked to another account, signs in as herself: told on the page and in Slack, and nothing is changed
    (guard: the comparison of identities in `Links.make`)."""
    first = await site.home.link(ADA, EVE_MAIL)
    browser = site.browser()
    await browser.go_on(await site.home.start())
    answer = await site.comes_back(browser, ADA_MAIL)
    assert answer.status == 409
    assert "linked to another account" in await answer.text()
    assert "/agent unlink" in await answer.text()
    assert await site.home.rooms.links.principal(ADA) == first
    assert site.home.observer.entries()[-1] == ("link.refused", "denied", "linked_elsewhere")
    assert (site.home.observer.told[-1].slack, site.home.observer.told[-1].reason) == (ADA, "linked_elsewhere")


# back-channel logout


def logout_token(home: House, *, typ: str | None = "logout+jwt", **changed: Any) -> str:
    """A logout token for Ada."""
    now = home.clock().timestamp()
    claims = {"iss": ISSUER, "sub": f"auth0|{ADA_MAIL}", "aud": CLIENT_ID, "iat": now, "exp": now + 120}
    return sign(claims | {"jti": "jti-1", "events": {LOGOUT_EVENT: {}}} | changed, typ=typ)


async def test_t32_a_logout_ends_the_link_and_is_answered(site: Site) -> None:
    """200 with nothing cached; the same token again is 400 (guards: `Links.logged_out`, and `logout_spent` in it)."""
    await site.home.link(ADA)
    await site.home.link(BOB)
    form = {"logout_token": logout_token(site.home)}
    answer = await site.browser().send("POST", "/oauth/backchannel-logout", data=form)
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert [p.identity.email async for p in site.home.rooms.links.principals()] == [BOB_MAIL]
    assert (await site.browser().send("POST", "/oauth/backchannel-logout", data=form)).status == 400


@pytest.mark.parametrize("form", [{}, {"logout_token": ""}, {"logout_token": "x"}, {"logout_token": "a.b.c"}])
async def test_t32_what_is_no_logout_token_is_400(site: Site, form: dict[str, str]) -> None:
    """Nothing, and nonsense (guard: `Pages.log_out` refuses what the verifier does not take)."""
    await site.home.link(ADA)
    answer = await site.browser().send("POST", "/oauth/backchannel-logout", data=form)
    assert answer.status == 400
    assert (await answer.json())["error"] == "invalid_request"
    assert await site.home.rooms.links.principal(ADA) is not None


@pytest.mark.parametrize(
    ("typ", "changed"),
    [
        ("JWT", {}), (None, {}), ("at+jwt", {}), ("logout+jwt", {"events": {}}), ("logout+jwt", {"aud": "other"}),
        ("logout+jwt", {"events": {"https://other.example": {}}}), ("logout+jwt", {"nonce": "n"}),
        ("logout+jwt", {"iss": ISSUER + "x"}), ("logout+jwt", {"jti": None}), ("logout+jwt", {"exp": 1}),
    ],
)  # fmt: skip
async def test_t32_a_wrong_logout_token_is_400(site: Site, typ: str | None, changed: dict[str, Any]) -> None:
    """Well signed, and of another kind, event or client, with a nonce, or over: nobody is logged out, and the right
    one still works (guards: `types`, `events`, `audience`, `nonce`, `issuer`, `jti` and `expiry` in
    `Verifier.logout_token`)."""
    await site.home.link(ADA)
    form = {"logout_token": logout_token(site.home, typ=typ, **changed)}
    answer = await site.browser().send("POST", "/oauth/backchannel-logout", data=form)
    assert answer.status == 400
    assert (await answer.json())["error_description"] == "token_invalid"
    assert await site.home.rooms.links.principal(ADA) is not None
    right = {"logout_token": logout_token(site.home)}
    assert (await site.browser().send("POST", "/oauth/backchannel-logout", data=right)).status == 200


@pytest.mark.parametrize("what", ["store", "trail", "keys"])
async def test_t32_a_logout_that_could_not_be_done_is_sent_again(home: House, what: str) -> None:
    """503 while a part is away, and the same token works afterwards (guards: the 503 of `Pages.log_out`, and that
    a token is spent last in `Links.logged_out`)."""
    await home.link(ADA)
    async for site in serve(home.replica()):
        home.store.away, home.observer.away = what == "store", what == "trail"
        home.provider.away_for_keys = what == "keys"
        form = {"logout_token": logout_token(home)}
        assert (await site.browser().send("POST", "/oauth/backchannel-logout", data=form)).status == 503
        home.store.away = home.observer.away = home.provider.away_for_keys = False
        home.clock.forward(seconds=6)
        assert (await site.browser().send("POST", "/oauth/backchannel-logout", data=form)).status == 200
    assert await home.rooms.links.principal(ADA) is None


async def test_t78_no_secret_reaches_a_page_or_a_log(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Tokens, verifier and nonce of a login that breaks off are nowhere to be read."""
    browser = site.browser()
    await browser.go_on(await site.home.start())
    nonce, verifier = site.home.opened(ADA, "login")
    site.home.observer.away = True
    text = await (await site.comes_back(browser, ADA_MAIL)).text()
    shown = text + "".join(capsys.readouterr())
    grant = site.home.provider.grants[0]
    assert not [s for s in (nonce, verifier, grant.current, browser.cookies[LOGIN]) if re.search(re.escape(s), shown)]
