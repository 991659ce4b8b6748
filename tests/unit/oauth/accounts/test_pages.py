"""The pages of connecting an account, as browsers see them."""

from __future__ import annotations

import pytest

from oauth import SlackProfile
from tests.fakes.browser import LOGIN, Browser, Page, Site, cookie_lines
from tests.fakes.connecting import COOKIE, SCOPES, Errand, comes_back, looks, presses
from tests.fakes.house import ADA, ADA_MAIL, EVE_MAIL, PEOPLE
from tests.fakes.my_account import CONNECT
from tests.fakes.provider import ISSUER

EVIL = "<script>alert(1)</script>"


async def at_third_party(site: Site, ada: Errand, browser: Browser) -> None:
    """A browser that has shown whose it is."""
    assert (await presses(browser, await ada.link())).status == 303
    back = await comes_back(site, browser, ada.home.my_account.sign_in(ADA_MAIL))
    assert back.headers["Location"].startswith(f"{CONNECT}?ticket=")


async def test_t14_the_page_says_whose_account_is_connected_to_whom(site: Site, ada: Errand) -> None:
    """Person, workspace, the account they are linked to, the third party, its scopes; the only way on is a POST."""
    page = await looks(site.browser(), await ada.link())
    assert all(text in page.text for text in ("Ada", "Corp", ADA_MAIL, "almanac", *SCOPES))
    assert [form.get("method") for form in page.all("form")] == ["post"]
    assert ada.home.my_account.authorized == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_t11_fetching_a_link_changes_nothing(site: Site, ada: Errand, method: str) -> None:
    """Previews, twenty times over, leave every record and the trail as they were (guard: `show` only reads)."""
    secret = await ada.link()
    before = ada.home.account_store.dump(), len(ada.home.observer.recorded)
    for _ in range(20):
        assert (await site.browser().send(method, f"/connect/{secret}")).status == 200
    assert (ada.home.account_store.dump(), len(ada.home.observer.recorded)) == before


async def test_the_whole_way_in_a_browser(site: Site, ada: Errand) -> None:
    """To the login, on to the third party, and to the end: the page says what was connected, and the cookie is gone."""
    browser = site.browser()
    answer = await presses(browser, await ada.link())
    assert answer.headers["Location"].startswith(f"{ISSUER}authorize?")
    await comes_back(site, browser, ada.home.my_account.sign_in(ADA_MAIL))
    end = await comes_back(site, browser, ada.home.my_account.allow())
    text = await end.text()
    assert end.status == 200
    assert all(words in text for words in ("Your almanac account is connected", ADA_MAIL, "Corp"))
    assert COOKIE not in browser.cookies
    assert ada.connected


async def test_a_browser_with_a_window_goes_on_by_a_page(site: Site, ada: Errand) -> None:
    """A form of the provider's may lead to us and no further, so a page takes the browser on; its cookie stays.

    Guard: `Sec-Fetch-Mode` in `come_back`.
    """
    browser = site.browser()
    await presses(browser, await ada.link())
    brought = ada.home.my_account.sign_in(ADA_MAIL)
    onward = await comes_back(site, browser, brought, headers={"Sec-Fetch-Mode": "navigate"})
    page = Page(await onward.text())
    assert onward.status == 200
    assert page.all("a")[0]["href"].startswith(f"{CONNECT}?ticket=")  # type: ignore[union-attr]
    assert str(page.all("meta")[-1]["content"]).startswith(f"0; url={CONNECT}")
    assert COOKIE in browser.cookies


async def test_a_login_in_the_next_tab_is_not_disturbed(site: Site, ada: Errand) -> None:
    """The cookies are others than those of a login link, so one browser can do both at once (guard: `Site.at`)."""
    browser, secret = site.browser(), await ada.home.start()
    await browser.go_on(secret)
    login = browser.cookies[LOGIN]
    await at_third_party(site, ada, browser)
    assert browser.cookies[LOGIN] == login
    assert browser.cookies[COOKIE] != login
    assert (await comes_back(site, browser, ada.home.my_account.allow())).status == 200


@pytest.mark.parametrize("state", ["expired", "superseded", "used", "unlinked", "unknown"])
async def test_t15_a_link_that_is_over_shows_the_way_onward(site: Site, ada: Errand, state: str) -> None:
    """A page and not an error, also for who has the link's page open yet: what happened, and what to do in Slack."""
    home, browser = ada.home, site.browser()
    secret = await ada.link()
    page = await looks(browser, secret)
    match state:
        case "expired":
            home.clock.forward(minutes=10)
        case "superseded":
            await ada.link(scopes=SCOPES | {"events:delete"})
        case "used":
            await ada.to_login(secret)
            await ada.signed_in()
            await ada.allowed()
        case "unlinked":
            await home.rooms.links.unlink(ADA, "unlink")
        case "unknown":
            home.account_store.kept.clear()
    for method, form in (("POST", {"csrf": page.csrf}), ("GET", None)):
        answer = await browser.send(method, f"/connect/{secret}", data=form)
        assert answer.status == (403 if state == "unlinked" else 410)
        assert "<li>Go back to Slack.</li>" in await answer.text()
    refused = [entry for entry in ada.entries() if entry[1] == "denied"]
    assert len(refused) == 1


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({}, {}), ({}, {"csrf": "0" * 64}), ({"Origin": "https://evil.example"}, None), ({"Cookie": ""}, None),
        ({"Sec-Fetch-Site": "cross-site"}, None), ({"Cookie": f"{COOKIE}-visit=other"}, None),
    ],
)  # fmt: skip
async def test_t57_a_form_that_is_not_ours_is_refused(
    site: Site, ada: Errand, headers: dict[str, str], form: dict[str, str] | None
) -> None:
    """403, an entry under the person whose link it is, and no login (guard: `own_form` in `go_on`)."""
    browser, secret = site.browser(), await ada.link()
    data = {"csrf": (await looks(browser, secret)).csrf} if form is None else form
    answer = await browser.send("POST", f"/connect/{secret}", headers=headers, data=data)
    assert answer.status == 403
    assert "The form was not sent from its page" in await answer.text()
    assert ada.home.my_account.authorized == []
    assert ada.entries()[-1] == ("link.refused", "denied", "connect_almanac_request_forged")
    assert ada.home.observer.recorded[-1].slack == ADA


async def test_t57_the_form_of_a_login_link_is_none_of_this_page(site: Site, ada: Errand) -> None:
    """Its token is for another link and under another cookie."""
    browser, secret, login = site.browser(), await ada.link(), await ada.home.start()
    page = Page(await (await browser.send("GET", f"/link/{login}")).text())
    assert (await browser.send("POST", f"/connect/{secret}", data={"csrf": page.csrf})).status == 403


@pytest.mark.parametrize("step", ["login", "third party"])
async def test_t18_another_browser_is_refused_with_a_page(site: Site, ada: Errand, step: str) -> None:
    """Whoever was sent an address is told so, and the right browser can still finish."""
    right, wrong = site.browser(), site.browser()
    await presses(right, await ada.link())
    brought = ada.home.my_account.sign_in(ADA_MAIL)
    if step == "third party":
        await comes_back(site, right, brought)
        brought = ada.home.my_account.allow()
    answer = await comes_back(site, wrong, brought)
    assert answer.status == 403
    assert "This is another browser" in await answer.text()
    assert ada.home.my_account.completions == 0
    assert (await comes_back(site, right, brought)).status in {200, 303}


async def test_t25_a_cookie_from_before_is_replaced(site: Site, ada: Errand) -> None:
    """A secret that was planted in the browser is worth nothing afterwards (guard: `new_secret` in `go_on`)."""
    browser = site.browser()
    browser.cookies[COOKIE] = "planted"
    await presses(browser, await ada.link())
    assert browser.cookies[COOKIE] != "planted"
    browser.cookies[COOKIE] = "planted"
    assert (await comes_back(site, browser, ada.home.my_account.sign_in(ADA_MAIL))).status == 403


async def test_t12_somebody_else_at_the_provider_is_told_why(site: Site, ada: Errand) -> None:
    """The page says that the link is another person's, and what to do; no account of theirs is asked for."""
    browser = site.browser()
    await presses(browser, await ada.link())
    answer = await comes_back(site, browser, ada.home.my_account.sign_in(EVE_MAIL))
    text = await answer.text()
    assert answer.status == 403
    assert "This link is another person&#39;s" in text
    assert "If somebody sent it to you" in text
    assert ada.home.my_account.connects == []


@pytest.mark.parametrize("step", ["login", "third party"])
async def test_t22_what_comes_back_in_an_error_is_inert(site: Site, ada: Errand, step: str) -> None:
    """HTML in codes and descriptions is shown as nothing, or escaped; the link can be opened again with one click."""
    browser = site.browser()
    await presses(browser, await ada.link())
    state = str(ada.home.my_account.authorized[-1]["state"])
    if step == "third party":
        await comes_back(site, browser, ada.home.my_account.sign_in(ADA_MAIL))
        state = ada.home.my_account.refuse()["state"]
    answer = await comes_back(site, browser, {"state": state, "error": EVIL, "error_description": EVIL})
    text = await answer.text()
    assert answer.status == 403
    assert EVIL not in text
    page = Page(text)
    (onward,) = [link for link in page.all("a") if link.get("class") == "onward"]
    assert (await browser.send("GET", str(onward["href"]))).status == 200


@pytest.mark.parametrize(
    "query",
    ["state=a&state=b&connect_code=c", "connect_code=c", "", f"state={'x' * 5000}&code=c", "state=a&code=b&code=c"],
)
async def test_t22_a_doubled_or_missing_parameter_is_refused(site: Site, ada: Errand, query: str) -> None:
    """400, one entry, and nobody's link is touched (guard: `doubled` in `come_back`)."""
    answer = await site.browser().send("GET", f"/oauth/connect?{query}")
    assert answer.status == 400
    assert ada.entries() == [("link.refused", "denied", "connect_state_unknown")]


async def test_t22_a_doubled_code_is_nobodys(site: Site, ada: Errand) -> None:
    """Right state and cookie, two codes: none of them is tried, and the browser can come back rightly (guard:
    `doubled`)."""
    browser = site.browser()
    await presses(browser, await ada.link())
    brought = ada.home.my_account.sign_in(ADA_MAIL)
    query = f"state={brought['state']}&code={brought['code']}&code=another"
    assert (await browser.send("GET", f"/oauth/connect?{query}")).status == 400
    assert (await comes_back(site, browser, brought)).status == 303


async def test_t55_every_page_is_guarded(site: Site, ada: Errand) -> None:
    """Policy, no sniffing, no referrer, no store; cookies of the host alone; the link leaves the address bar."""
    browser, secret = site.browser(), await ada.link()
    shown = await browser.send("GET", f"/connect/{secret}")
    begun = await presses(browser, secret)
    back = await comes_back(site, browser, {"state": "x", "code": "y"})
    for answer in (shown, begun, back):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for name, line in {**cookie_lines(shown), **cookie_lines(begun)}.items():
        assert name.startswith("__Host-")
        assert all(part in line for part in ("httponly", "secure", "samesite=lax", "path=/"))
    script = next(one for one in Page(await shown.text()).all("script"))
    assert script["data-to"] == "/connect"
    again = Page(await (await browser.send("GET", "/connect")).text())
    assert again.csrf != Page(await shown.text()).csrf


async def test_the_page_without_a_link_says_so(site: Site, ada: Errand) -> None:
    """Loaded in a browser that knows of none."""
    assert (await site.browser().send("GET", "/connect")).status == 410


async def test_t56_names_from_slack_and_the_provider_are_inert(site: Site, ada: Errand) -> None:
    """On the link's page, on the way, and on the last one."""
    profile = SlackProfile(EVIL, EVIL, ADA_MAIL)
    started = await ada.home.rooms.accounts.asking.start(
        ada.who, profile, "almanac", frozenset({EVIL.replace(" ", "")}), waiting="w"
    )
    secret = str(started.url).rpartition("/")[2]
    browser = site.browser()
    shown = await (await browser.send("GET", f"/connect/{secret}")).text()
    await presses(browser, secret)
    brought = ada.home.my_account.sign_in(ADA_MAIL)
    onward = await comes_back(site, browser, brought, headers={"Sec-Fetch-Mode": "navigate"})
    end = await comes_back(site, browser, ada.home.my_account.allow())
    for text in (shown, await onward.text(), await end.text()):
        assert EVIL not in text
    assert "&lt;script&gt;" in shown
    assert PEOPLE[ADA].user_name not in shown


async def test_a_failure_of_ours_is_a_page_without_its_text(site: Site, ada: Errand) -> None:
    """The trail is away at the form: no login is begun, and no text of an exception reaches a browser."""
    ada.home.account_store.away = True
    answer = await site.browser().send("GET", "/connect/x")
    assert answer.status == 503
    assert "The account cannot be connected now" in await answer.text()
