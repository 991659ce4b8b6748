"""Sign in with Slack as a browser sees it: from the provider on to Slack, and back with its answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse

from oauth import SlackUser
from oauth.tickets import Stage
from tests.fakes.browser import LOGIN, Browser, Page, Site, serve
from tests.fakes.house import ADA, ADA_MAIL, BOB, BOB_MAIL, House
from tests.fakes.slack_openid import FakeSlackOpenId


@pytest.fixture
async def site(home_with_slack: House) -> AsyncIterator[Site]:
    """The pages as they are behind https."""
    async for found in serve(home_with_slack):
        yield found


async def goes_to_slack(site: Site, browser: Browser, secret: str, email: str = ADA_MAIL) -> ClientResponse:
    """Through the link and the login at the provider, as far as we send the browser then."""
    await browser.go_on(secret)
    return await site.comes_back(browser, email)


async def comes_back(
    slack: FakeSlackOpenId, browser: Browser, address: str, person: SlackUser | None, **more: Any
) -> ClientResponse:
    """Who is signed in to Slack goes on there, and Slack sends the browser back."""
    brought = await slack.sign_in(address, person)
    return await browser.send("GET", "/oauth/slack", params=brought | more)


async def test_a_whole_login_in_the_browser(site: Site, slack: FakeSlackOpenId) -> None:
    """The provider, then Slack, then a page that says who acts as whom; the login's cookie lives as long as that."""
    browser = site.browser()
    on = await goes_to_slack(site, browser, await site.home.start())
    assert on.status == 303
    assert on.headers["Location"].startswith(f"{slack.issuer}/openid/connect/authorize?")
    assert LOGIN in browser.cookies
    assert await site.home.rooms.links.principal(ADA) is None
    back = await comes_back(slack, browser, on.headers["Location"], ADA)
    assert back.status == 200
    assert "You are linked" in await back.text()
    assert LOGIN not in browser.cookies
    assert await site.home.rooms.links.principal(ADA) is not None


async def test_a_browser_that_navigates_gets_a_page_that_goes_on(site: Site, slack: FakeSlackOpenId) -> None:
    """It names who must sign in there, has the same address twice, by itself and as a link, and keeps the cookie."""
    browser = site.browser()
    await browser.go_on(await site.home.start())
    on = await site.comes_back(browser, ADA_MAIL, {"Sec-Fetch-Mode": "navigate"})
    page = Page(await on.text())
    (address,) = [str(link["href"]) for link in page.all("a")]
    (refresh,) = [str(meta["content"]) for meta in page.all("meta") if meta.get("http-equiv") == "refresh"]
    assert on.status == 200
    assert refresh == f"0; url={address}"
    assert all(name in page.text for name in ("Ada", "Corp", ADA_MAIL))
    assert LOGIN in browser.cookies
    assert (await comes_back(slack, browser, address, ADA)).status == 200


async def test_t13_another_person_sees_what_to_do(site: Site, slack: FakeSlackOpenId) -> None:
    """A page with a way onward for either: the link's person, and who was sent it. The same link works after it
    (guard: the comparison of `is_person` in `SlackLogins.finish`)."""
    browser, secret = site.browser(), await site.home.start()
    on = await goes_to_slack(site, browser, secret, BOB_MAIL)
    back = await comes_back(slack, browser, on.headers["Location"], BOB)
    text = await back.text()
    assert back.status == 403
    assert "This link is another person" in text
    assert "sign in to Slack as yourself" in text
    assert "<code>/agent link</code>" in text
    assert "slack_differs" in text
    assert await site.home.rooms.links.principal(ADA) is None
    on = await goes_to_slack(site, browser, secret)
    assert (await comes_back(slack, browser, on.headers["Location"], ADA)).status == 200


@pytest.mark.parametrize("cookie", [None, "planted"])
async def test_t18_slacks_answer_in_another_browser_is_refused(
    site: Site, slack: FakeSlackOpenId, cookie: str | None
) -> None:
    """Bob lets Ada follow his login's address at Slack: 403, no call, no link (guard: the comparison of `browser_hash`
    in `Linking._begun`)."""
    right, wrong = site.browser(), site.browser()
    if cookie:
        wrong.cookies[LOGIN] = cookie
    on = await goes_to_slack(site, right, await site.home.start(), BOB_MAIL)
    answer = await comes_back(slack, wrong, on.headers["Location"], ADA)
    assert answer.status == 403
    assert "another browser" in await answer.text()
    assert slack.forms == []
    assert await site.home.rooms.links.principal(ADA) is None


async def test_t19_an_answer_works_once(site: Site, slack: FakeSlackOpenId) -> None:
    """Reloaded, with the cookie put back, it is refused in plain words, and the link stays (guard: `sealed_slack` is
    taken in `Proving.by_slack`)."""
    browser = site.browser()
    on = await goes_to_slack(site, browser, await site.home.start())
    kept = dict(browser.cookies)
    first = await comes_back(slack, browser, on.headers["Location"], ADA)
    browser.cookies = kept
    again = await browser.send("GET", str(first.url.relative()))
    assert again.status == 400
    assert "This login is over" in await again.text()
    assert len(slack.forms) == 1
    assert await site.home.rooms.links.principal(ADA) is not None


@pytest.mark.parametrize(
    "query", ["&state=second", "&code=second", "&error=a&error=b", "&x=1&x=2", "&long=" + "x" * 4097]
)
async def test_t22_doubled_or_endless_parameters_stop_before_the_token_call(
    site: Site, slack: FakeSlackOpenId, query: str
) -> None:
    """RFC 6749 section 3.1: nothing may come twice. The login is not spent by it (guard: `Pages._answer`)."""
    browser = site.browser()
    on = await goes_to_slack(site, browser, await site.home.start())
    brought = await slack.sign_in(on.headers["Location"], ADA)
    answer = await browser.send("GET", f"/oauth/slack?state={brought['state']}&code={brought['code']}{query}")
    assert answer.status == 400
    assert slack.forms == []
    assert (await browser.send("GET", "/oauth/slack", params=brought)).status == 200


async def test_t22_a_refusal_of_slack_is_a_page(site: Site, slack: FakeSlackOpenId) -> None:
    """Of an error full of HTML the letters are shown, of its description nothing, and the same link can be used again
    (guard: the cut in `LoginRefused`)."""
    browser, secret = site.browser(), await site.home.start()
    on = await goes_to_slack(site, browser, secret)
    evil = "<script>alert(1)</script>"
    answer = await comes_back(slack, browser, on.headers["Location"], None, error=evil, error_description="because")
    text = await answer.text()
    assert answer.status == 403
    assert "login_refused: scriptalert1script<" in text
    assert "because" not in text
    assert not Page(text).all("script")
    assert site.home.store.kept_tickets[ADA.key].stage is Stage.RETURNED
    on = await goes_to_slack(site, browser, secret)
    assert (await comes_back(slack, browser, on.headers["Location"], ADA)).status == 200


async def test_t71_while_slack_is_away_there_is_a_page(site: Site, slack: FakeSlackOpenId) -> None:
    """503 with a way onward, and the same link works afterwards."""
    browser, secret = site.browser(), await site.home.start()
    slack.away = {"openid.connect.token"}
    on = await goes_to_slack(site, browser, secret)
    answer = await comes_back(slack, browser, on.headers["Location"], ADA)
    assert answer.status == 503
    assert "once more" in await answer.text()
    slack.away = set()
    on = await goes_to_slack(site, browser, secret)
    assert (await comes_back(slack, browser, on.headers["Location"], ADA)).status == 200


async def test_t55_every_answer_is_guarded(site: Site, slack: FakeSlackOpenId) -> None:
    """The way to Slack and the way back have the headers of every page (guard: `Site.guarded`)."""
    browser = site.browser()
    on = await goes_to_slack(site, browser, await site.home.start())
    back = await comes_back(slack, browser, on.headers["Location"], ADA)
    await browser.go_on(await site.home.start(BOB))
    navigated = await site.comes_back(browser, BOB_MAIL, {"Sec-Fetch-Mode": "navigate"})
    assert "On to Slack" in await navigated.text()
    for answer in (on, back, navigated, await browser.send("GET", "/oauth/slack")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


async def test_without_this_proof_there_is_no_such_way_back(home: House) -> None:
    """Where nobody is sent to Slack nobody comes back from it."""
    async for site in serve(home):
        assert (await site.browser().send("GET", "/oauth/slack?state=s&code=c")).status == 404
