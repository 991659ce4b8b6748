"""The pages of authenticating once more, as browsers see them."""

from __future__ import annotations

import pytest

from oauth import Evidence
from tests.fakes.browser import LOGIN, Browser, Page, Site, cookie_lines
from tests.fakes.house import ADA, ADA_MAIL, EVE_MAIL
from tests.fakes.provider import ISSUER
from tests.fakes.step_up import ABOUT, COOKIE, SUBJECT, Errand, comes_back, looks, presses

EVIL = "<script>alert(1)</script>"


async def test_t14_the_page_says_for_whom_and_about_what(site: Site, ada: Errand) -> None:
    """The account and the decision, and the only way on is one POST; not the subject, which is nobody's to read."""
    page = await looks(site.browser(), await ada.link())
    assert all(text in page.text for text in (ADA_MAIL, ABOUT))
    assert SUBJECT not in page.text
    assert [form.get("method") for form in page.all("form")] == ["post"]
    assert ada.login.authorized == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_t11_fetching_a_link_changes_nothing(site: Site, ada: Errand, method: str) -> None:
    """Previews, twenty times over, leave every record and the trail as they were (guard: `show` only reads)."""
    secret = await ada.link()
    before = ada.home.step_up_store.dump(), len(ada.home.observer.recorded)
    for _ in range(20):
        assert (await site.browser().send(method, f"/step-up/{secret}")).status == 200
    assert (ada.home.step_up_store.dump(), len(ada.home.observer.recorded)) == before


async def test_the_whole_way_in_a_browser(site: Site, ada: Errand) -> None:
    """To the login and back: the page says what it was for, the cookie is gone, and there is evidence."""
    browser = site.browser()
    answer = await presses(browser, await ada.link())
    assert (answer.status, answer.headers["Location"].startswith(f"{ISSUER}authorize?")) == (303, True)
    end = await comes_back(browser, ada.login.sign_in(ADA_MAIL))
    text = await end.text()
    assert end.status == 200
    assert all(words in text for words in ("You have signed in", ADA_MAIL, ABOUT))
    assert COOKIE not in browser.cookies
    assert await ada.take() == Evidence(int(ada.home.clock().timestamp()), ("mfa",))


async def test_a_login_in_the_next_tab_is_not_disturbed(site: Site, ada: Errand) -> None:
    """The cookies are others than those of a login link (guard: `Site.at`)."""
    browser, secret = site.browser(), await ada.home.start()
    await browser.go_on(secret)
    login = browser.cookies[LOGIN]
    await presses(browser, await ada.link())
    assert browser.cookies[LOGIN] == login
    assert browser.cookies[COOKIE] != login
    assert (await comes_back(browser, ada.login.sign_in(ADA_MAIL))).status == 200


@pytest.mark.parametrize(
    ("state", "status"), [("expired", 410), ("superseded", 410), ("used", 410), ("unlinked", 403), ("unknown", 410)]
)
async def test_t15_a_link_that_is_over_shows_the_way_onward(site: Site, ada: Errand, state: str, status: int) -> None:
    """A page and not an error, also for who has the link's page open yet; only what was pressed is on record."""
    browser = site.browser()
    secret = await ada.link()
    page = await looks(browser, secret)
    match state:
        case "expired":
            ada.home.clock.forward(minutes=5)
        case "superseded":
            ada.home.clock.forward(seconds=10)
            await ada.link()
        case "used":
            await ada.to_login(secret)
            await ada.signed_in()
        case "unlinked":
            await ada.home.rooms.links.unlink(ADA, "unlink")
        case "unknown":
            ada.home.step_up_store.kept.clear()
    for method, form in (("POST", {"csrf": page.csrf}), ("GET", None)):
        answer = await browser.send(method, f"/step-up/{secret}", data=form)
        assert answer.status == status
        assert "<li>Go back to Slack" in await answer.text()
    assert len(ada.reasons()) == 1


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
    answer = await browser.send("POST", f"/step-up/{secret}", headers=headers, data=data)
    assert answer.status == 403
    assert "The form was not sent from its page" in await answer.text()
    assert ada.login.authorized == []
    assert ada.entries()[-1] == ("link.refused", "denied", "step_up_request_forged")
    assert ada.home.observer.recorded[-1].slack == ADA


async def test_t18_another_browser_is_refused_with_a_page(site: Site, ada: Errand) -> None:
    """Whoever was sent the address is told so, and the right browser can still finish."""
    right, wrong = site.browser(), site.browser()
    await presses(right, await ada.link())
    brought = ada.login.sign_in(ADA_MAIL)
    answer = await comes_back(wrong, brought)
    assert answer.status == 403
    assert "This is another browser" in await answer.text()
    assert await ada.take() is None
    assert (await comes_back(right, brought)).status == 200


async def test_t25_a_cookie_from_before_is_replaced(site: Site, ada: Errand) -> None:
    """A secret that was planted in the browser is worth nothing afterwards (guard: `new_secret` in `go_on`)."""
    browser = site.browser()
    browser.cookies[COOKIE] = "planted"
    await presses(browser, await ada.link())
    assert browser.cookies[COOKIE] != "planted"
    browser.cookies[COOKIE] = "planted"
    assert (await comes_back(browser, ada.login.sign_in(ADA_MAIL))).status == 403


@pytest.mark.parametrize(
    ("says", "email", "heading"),
    [
        ({}, EVE_MAIL, "This link is another person&#39;s"),
        ({"amr": ["pwd"]}, ADA_MAIL, "A second factor is needed"),
        ({"auth_time": 1}, ADA_MAIL, "You signed in too long ago"),
        ({"auth_time": None}, ADA_MAIL, "The login was not accepted"),
        ({"nonce": "another"}, ADA_MAIL, "The login was not accepted"),
    ],
)
async def test_each_refusal_is_a_page_with_the_next_step(
    site: Site, ada: Errand, says: dict[str, object], email: str, heading: str
) -> None:
    """What it was, that nothing was approved, and what to do now; one entry."""
    ada.login.says = says
    browser = site.browser()
    await presses(browser, await ada.link())
    answer = await comes_back(browser, ada.login.sign_in(email))
    text = await answer.text()
    assert answer.status in {400, 403}
    assert f"<h1>{heading}</h1>" in text
    assert "nothing was approved" in text
    assert "<li>" in text
    assert len(ada.reasons()) == 1
    assert await ada.take() is None


async def test_t22_what_comes_back_in_an_error_is_inert(site: Site, ada: Errand) -> None:
    """HTML in codes and descriptions is shown as nothing; the link can be opened again with one click."""
    browser = site.browser()
    await presses(browser, await ada.link())
    state = str(ada.login.authorized[-1]["state"])
    answer = await comes_back(browser, {"state": state, "error": EVIL, "error_description": EVIL})
    text = await answer.text()
    assert answer.status == 403
    assert EVIL not in text
    (onward,) = [link for link in Page(text).all("a") if link.get("class") == "onward"]
    assert (await browser.send("GET", str(onward["href"]))).status == 200


@pytest.mark.parametrize(
    "query", ["state=a&state=b&code=c", "code=c", "", f"state={'x' * 5000}&code=c", "state=a&code=b&code=c"]
)
async def test_t22_a_doubled_or_missing_parameter_is_refused(site: Site, ada: Errand, query: str) -> None:
    """400, one entry, and nobody's link is touched (guard: `answer_in`)."""
    answer = await site.browser().send("GET", f"/oauth/step-up?{query}")
    assert answer.status == 400
    assert ada.entries() == [("link.refused", "denied", "step_up_state_unknown")]


async def test_t22_a_doubled_code_is_nobodys(site: Site, ada: Errand) -> None:
    """Right state and cookie, two codes: none is tried, and the browser can come back rightly (guard: `doubled`)."""
    browser = site.browser()
    await presses(browser, await ada.link())
    brought = ada.login.sign_in(ADA_MAIL)
    query = f"state={brought['state']}&code={brought['code']}&code=another"
    assert (await browser.send("GET", f"/oauth/step-up?{query}")).status == 400
    assert (await comes_back(browser, brought)).status == 200


async def test_t55_every_page_is_guarded(site: Site, ada: Errand) -> None:
    """Policy, no sniffing, no referrer, no store; cookies of the host alone; the link leaves the address bar."""
    browser, secret = site.browser(), await ada.link()
    shown = await browser.send("GET", f"/step-up/{secret}")
    begun = await presses(browser, secret)
    back = await comes_back(browser, {"state": "x", "code": "y"})
    end = await comes_back(browser, ada.login.sign_in(ADA_MAIL))
    for answer in (shown, begun, back, end):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for name, line in {**cookie_lines(shown), **cookie_lines(begun)}.items():
        assert name.startswith("__Host-")
        assert all(part in line for part in ("httponly", "secure", "samesite=lax", "path=/"))
    script = next(one for one in Page(await shown.text()).all("script"))
    assert script["data-to"] == "/step-up"
    assert (await browser.send("GET", "/step-up")).status == 410  # it has done its work by now


async def test_the_page_is_there_when_it_is_loaded_again(site: Site, ada: Errand) -> None:
    """After its link has left the address bar; in a browser that knows of none it says so."""
    browser = site.browser()
    page = await looks(browser, await ada.link())
    again = Page(await (await browser.send("GET", "/step-up")).text())
    assert again.csrf != page.csrf
    assert ABOUT in again.text
    assert (await site.browser().send("GET", "/step-up")).status == 410


async def test_t56_what_it_is_about_is_inert(site: Site, ada: Errand) -> None:
    """On the link's page and on the last one."""
    browser: Browser = site.browser()
    secret = await ada.link(about=EVIL)
    shown = (await looks(browser, secret)).text
    await presses(browser, secret)
    end = await (await comes_back(browser, ada.login.sign_in(ADA_MAIL))).text()
    for text in (shown, end):
        assert EVIL not in text
        assert "&lt;script&gt;" in text


async def test_a_failure_of_ours_is_a_page_without_its_text(site: Site, ada: Errand) -> None:
    """The store is away, or the trail."""
    browser = site.browser()
    await presses(browser, await ada.link())
    ada.home.observer.away = True
    answer = await comes_back(browser, {"state": "x", "code": "y"})
    assert (answer.status, "TrailAway" in await answer.text()) == (503, False)
    ada.home.step_up_store.away = True
    answer = await browser.send("GET", "/step-up/x")
    assert answer.status == 503
    assert "You cannot be signed in now" in await answer.text()
