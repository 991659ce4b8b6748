"""The pages of a login, from the link to the way back, as a browser sees them."""

from __future__ import annotations

import pytest

from oauth.tickets import Stage
from tests.fakes.browser import LOGIN, VISIT, Page, Site
from tests.fakes.house import ADA, ADA_MAIL, BOB, EVE_MAIL
from tests.fakes.provider import ISSUER, SCOPES

EVIL = "<script>alert(1)</script>"


async def test_t14_the_page_names_person_workspace_and_scopes(site: Site) -> None:
    """Before any login it is said whose link it is and what it allows; the only way on is one form, by POST, and its
    fields in a GET go nowhere (guards: names and method in link.html, `add_post` for `Pages.go_on`)."""
    browser, path = site.browser(), f"/link/{await site.home.start()}"
    page = Page(await (await browser.send("GET", path)).text())
    assert all(text in page.text for text in ("Ada", "Corp", *SCOPES))
    assert [form.get("method") for form in page.all("form")] == ["post"]
    assert not [link for link in page.all("a") if "oauth" in str(link.get("href"))]
    assert (await browser.send("GET", path, params={"csrf": page.csrf})).status == 200
    assert site.home.provider.authorized == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_t11_fetching_a_link_consumes_nothing(site: Site, method: str) -> None:
    """Previews and scanners, twenty times over, leave every record as it was; then the person links (guard:
    `Pages.show` only reads)."""
    secret = await site.home.start()
    before = site.home.store.dump()
    for _ in range(20):
        assert (await site.browser().send(method, f"/link/{secret}")).status == 200
    assert site.home.store.dump() == before
    browser = site.browser()
    await browser.go_on(secret)
    assert (await site.comes_back(browser, ADA_MAIL)).status == 200


async def test_a_whole_login_in_the_browser(site: Site) -> None:
    """From the link to the provider and back: the page says who acts as whom, and the login's cookie is gone."""
    browser = site.browser()
    answer = await browser.go_on(await site.home.start())
    assert answer.status == 303
    assert answer.headers["Location"].startswith(f"{ISSUER}authorize?")
    back = await site.comes_back(browser, ADA_MAIL)
    assert "You are linked" in await back.text()
    assert ADA_MAIL in await back.text()
    assert LOGIN not in browser.cookies
    assert await site.home.rooms.links.principal(ADA) is not None


async def test_the_code_is_on_the_page(site: Site) -> None:
    """Another address: the page shows whose account it is and the code, in the element that tests rely on."""
    browser = site.browser()
    await browser.go_on(await site.home.start())
    page = Page(await (await site.comes_back(browser, EVE_MAIL)).text())
    assert EVE_MAIL in page.text
    assert (await site.home.rooms.linking.enter_code(ADA, page.by_id["code"])).identity.email == EVE_MAIL


async def test_looking_again_does_not_disturb_a_login_under_way(site: Site) -> None:
    """A second tab with the same link, or another one, sets no cookie that the way back relies on."""
    browser, ada, bob = site.browser(), await site.home.start(ADA), await site.home.start(BOB)
    await browser.go_on(ada)
    for secret in (ada, bob):
        assert (await browser.send("GET", f"/link/{secret}")).status == 200
    assert "You are linked" in await (await site.comes_back(browser, ADA_MAIL)).text()


@pytest.mark.parametrize("state", ["expired", "superseded", "unlinked", "deactivated", "unknown", "used"])
async def test_t15_a_link_that_is_over_shows_the_way_onward(site: Site, state: str) -> None:
    """A page and not an error: what happened, and what to type in Slack; also for who has its page open yet, and tries
    to go on: one entry, no login (guards: `live` and the stage in `Linking.open_ticket`)."""
    home, browser = site.home, site.browser()
    secret = await home.start()
    page = Page(await (await browser.send("GET", f"/link/{secret}")).text())
    match state:
        case "expired":
            home.clock.forward(minutes=10)
        case "superseded":
            await home.start()
        case "unlinked" | "deactivated":
            await home.rooms.links.unlink(ADA, state)
        case "unknown":
            home.store.kept_tickets.clear()
        case "used":
            await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
    logins = len(home.provider.authorized)
    for method, form in (("POST", {"csrf": page.csrf}), ("GET", None)):
        answer = await browser.send(method, f"/link/{secret}", data=form)
        assert answer.status == 410
        assert "<li>" in await answer.text()
        assert "<code>/agent link</code>" in await answer.text()
    reason = "ticket_used" if state == "used" else "ticket_unknown"
    assert [entry for entry in home.observer.entries() if entry[1] == "denied"] == [("link.refused", "denied", reason)]
    assert len(home.provider.authorized) == logins


# the way back


@pytest.mark.parametrize("cookie", [None, "somebody else's", "planted"])
async def test_t18_the_right_state_in_another_browser_is_refused(site: Site, cookie: str | None) -> None:
    """No token call, one entry, and the right browser can still finish (guard: `compare_digest` of the browser in
    `Linking._begun`)."""
    right, wrong = site.browser(), site.browser()
    if cookie == "somebody else's":
        await wrong.go_on(await site.home.start(BOB))
    elif cookie:
        wrong.cookies[LOGIN] = cookie
    await right.go_on(await site.home.start(ADA))
    answer = await site.comes_back(wrong, ADA_MAIL)
    assert answer.status == 403
    assert "another browser" in await answer.text()
    assert site.home.provider.exchanges == 0
    assert [e[2] for e in site.home.observer.entries() if e[0] == "link.refused"] == ["wrong_browser"]
    assert (await site.comes_back(right, ADA_MAIL)).status == 200


async def test_t19_an_answer_works_once(site: Site) -> None:
    """Reloaded, with the cookie put back, it is refused in plain words, and the link stays (guards: the stage in
    `Linking._begun`, the step in `Linking.returned`, and the login that is gone by then in `Logins.finish`)."""
    browser = site.browser()
    await browser.go_on(await site.home.start())
    kept = dict(browser.cookies)
    first = await site.comes_back(browser, ADA_MAIL)
    browser.cookies = kept
    again = await browser.send("GET", str(first.url.relative()))
    assert again.status == 400
    assert "This login is over" in await again.text()
    assert site.home.provider.exchanges == 1
    assert await site.home.rooms.links.principal(ADA) is not None


@pytest.mark.parametrize(
    "query",
    [
        f"&iss={ISSUER}&iss={ISSUER}", "&state=second", "&code=second", "&error=a&error=b", "&x=1&x=2",
        "&long=" + "x" * 4097,
    ],
)  # fmt: skip
async def test_t21_doubled_or_endless_parameters_stop_before_the_token_call(site: Site, query: str) -> None:
    """RFC 6749 section 3.1: nothing may come twice. The login is not spent by it (guard: `doubled` in
    `Pages._answer`)."""
    browser = site.browser()
    await browser.go_on(await site.home.start())
    state = site.home.provider.authorized[-1]["state"]
    answer = await browser.send("GET", f"/oauth/callback?state={state}&code=c&iss={ISSUER}{query}")
    assert answer.status == 400
    assert site.home.provider.exchanges == 0
    assert (await site.comes_back(browser, ADA_MAIL, iss=ISSUER)).status == 200


async def test_t22_a_refusal_of_the_provider_is_a_page(site: Site) -> None:
    """Of an error full of HTML the letters are shown, of its description nothing; the state is spent, one entry says
    so, and the same link can be used again (guard: the cut in `LoginRefused`)."""
    browser, secret = site.browser(), await site.home.start()
    await browser.go_on(secret)
    state = site.home.provider.authorized[-1]["state"]
    answer = await browser.send(
        "GET", "/oauth/callback", params={"state": str(state), "error": EVIL, "error_description": f"because {EVIL}"}
    )
    page = Page(await answer.text())
    assert answer.status == 403
    assert not page.all("script")
    assert "login_refused: scriptalert1script<" in page.text
    assert "because" not in page.text
    assert site.home.store.kept_tickets[ADA.key].stage is Stage.RETURNED
    assert site.home.observer.entries()[-1] == ("link.refused", "denied", "login_refused")
    await browser.go_on(secret)
    assert (await site.comes_back(browser, ADA_MAIL)).status == 200


async def test_t22_doubled_parameters_are_a_page_and_spend_nothing(site: Site) -> None:
    """HTML in what comes twice is on no page, and the ticket waits on for the one answer (guard: `doubled` in
    `Pages._answer`)."""
    browser = site.browser()
    await browser.go_on(await site.home.start())
    before = site.home.store.dump()
    state = str(site.home.provider.authorized[-1]["state"])
    query = [("state", state), ("error", EVIL), ("error", EVIL), ("error_description", EVIL), (EVIL, EVIL)]
    answer = await browser.send("GET", "/oauth/callback", params=query)
    page = Page(await answer.text())
    assert answer.status == 400
    assert not page.all("script")
    assert "alert(1)" not in page.text
    assert site.home.store.kept_tickets[ADA.key].stage is Stage.STARTED
    assert site.home.store.dump() == before
    assert (await site.comes_back(browser, ADA_MAIL)).status == 200


@pytest.mark.parametrize(
    "query", ["", "?code=c", "?state=", "?state=%ED%A0%80&code=c", "?state=%00&code=c", "?state=%FF"]
)
async def test_t19_a_callback_out_of_nowhere_is_refused(site: Site, query: str) -> None:
    """Without a state, or with one that nobody began: one entry, no call (guards: the look for `state` in
    `Pages._answer`, and for its ticket in `Linking._begun`)."""
    answer = await site.browser().send("GET", f"/oauth/callback{query}")
    assert answer.status == 400
    assert site.home.observer.entries() == [("link.refused", "denied", "state_unknown")]
    assert site.home.provider.exchanges == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}, {"X-Forwarded-Proto": "http"},
        {"Forwarded": "host=evil.example"}, {"Referer": "https://evil.example/"},
    ],
)  # fmt: skip
async def test_t23_no_header_or_parameter_moves_an_address(site: Site, headers: dict[str, str]) -> None:
    """Where the browser is sent, and what the form is for, is fixed, from the link to the way back; `returnTo` means
    nothing (guard: `public_url` is all that `Site` takes an address from)."""
    browser, secret = site.browser(), await site.home.start()
    aside = dict.fromkeys(("returnTo", "redirect_uri", "url"), "https://evil.example")
    shown = await browser.send("GET", f"/link/{secret}", params=aside, headers=headers)
    page = Page(await shown.text())
    answer = await browser.send("POST", f"/link/{secret}", params=aside, headers=headers, data={"csrf": page.csrf})
    assert answer.status == 303
    assert answer.headers["Location"].startswith(f"{ISSUER}authorize?")
    refused = await browser.send("GET", "/oauth/callback", params=aside, headers=headers)
    onward = Page(await refused.text())
    assert [link["href"] for link in onward.all("a")] == [f"/link/{secret}"]
    back = await site.comes_back(browser, ADA_MAIL, headers, **aside)
    assert back.status == 200
    for said in (shown, answer, refused, back):
        assert "evil" not in await said.text() + str(said.headers)


async def test_t25_a_planted_cookie_is_rotated(site: Site) -> None:
    """What was there before the login is not what the login is tied to (guard: `new_secret` in `Pages.go_on`, and for
    the visit in `Pages._link_page`)."""
    browser = site.browser()
    browser.cookies = {LOGIN: "planted", VISIT: "planted"}
    await browser.go_on(await site.home.start())
    assert "planted" not in browser.cookies.values()
    mallory = site.browser()
    mallory.cookies = {LOGIN: "planted", VISIT: "planted"}
    assert (await site.comes_back(mallory, ADA_MAIL)).status == 403
    first = browser.cookies[LOGIN]
    await browser.go_on(await site.home.start())
    assert browser.cookies[LOGIN] != first
