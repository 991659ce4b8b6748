"""Sign in with Slack as the proof, against a certified provider that plays Slack's OpenID side."""

from __future__ import annotations

from pathlib import Path

from tests.foreign import people
from tests.foreign.browser import Browser, Page
from tests.foreign.people import control
from tests.foreign.product import World, world
from tests.foreign.test_linking_again import living, reasons
from tests.foreign.test_whole_job import asked, assert_no_secret_is_left, assert_trail_holds

SHOW = "run show_order order_id=A-1"


async def signs_in(built: World, link: str, browser: Browser, *, slack: str) -> Page:
    """Ada's login, and after it the one at Slack under an account of this name."""
    assert built.slack_openid is not None
    at_slack = built.slack_openid.issuer
    page = await browser.sign_in(await browser.open(link), "ada", stop_before=at_slack)
    return await browser.sign_in(await browser.open(page.url), slack)


async def test_who_is_oneself_in_slack_is_linked(mongo_uri: str, tmp_path: Path) -> None:
    """Signed in at both as herself Ada is linked, without any code, and acts; no secret of either login is left
    (guard: `_send_to_slack` in `Proving.proven_or_waiting`)."""
    async with world(mongo_uri, tmp_path, slack="proof") as built, Browser() as browser:
        ada = built.workspace.person("ada")
        link = await built.login_link(ada)
        page = await signs_in(built, link, browser, slack="ada")
        assert "You are linked" in page.text
        assert not page.code
        await ada.sees_control("link.not_me")
        assert "Countess" in await asked(ada, SHOW)
        back = next(url for url in browser.visited if url.path == "/oauth/slack")
        assert built.slack_openid is not None
        (given,) = await built.slack_openid.issued()
        secrets = (back.query["code"], given["access_token"], given["id_token"], people.CLIENT_SECRET)
        await assert_no_secret_is_left(built, link.rpartition("/")[2], *secrets)
        assert (await browser.open(back)).status == 400
        await assert_trail_holds(built)


async def test_t12_who_is_somebody_else_in_slack_is_not_linked(mongo_uri: str, tmp_path: Path) -> None:
    """Mallory's account in this workspace, and one with Ada's id in another: refused each time, the grant is revoked
    and Ada told (guards: `user` and `team` in `is_person`)."""
    async with world(mongo_uri, tmp_path, slack="proof") as built:
        ada = built.workspace.person("ada")
        after = ""
        for account in ("mallory", "carol"):
            async with Browser() as browser:
                page = await signs_in(built, await built.login_link(ada), browser, slack=account)
            assert (page.status, "slack_differs" in page.text) == (403, True)
            after = (await ada.sees("as another person than this link was for", after=after))["ts"]
            assert "not linked" in await ada.types("status")
        assert await living(built) == [False, False]
        assert await reasons(built, "link.refused") == ["slack_differs"] * 2
        assert await built.shop.calls() == []
        await assert_trail_holds(built)


async def test_again_in_the_same_session_with_one_click(mongo_uri: str, tmp_path: Path) -> None:
    """The new grant ends with the former; the page says so, sends a fresh link with one click, and that one links
    (guard: "fresh" beside `grant_shared` in `oauth/words.py`)."""
    async with world(mongo_uri, tmp_path, slack="proof") as built, Browser() as browser:
        ada = built.workspace.person("ada")
        assert "You are linked" in (await built.signs_in(await built.login_link(ada), "ada", browser)).text
        page = await built.signs_in(await built.login_link(ada), "ada", browser)
        assert (page.status, "grant_shared" in page.text) == (409, True)
        assert await living(built) == [False, False]
        before = (await ada.messages())[-1]["ts"]
        assert (await browser.submit(page)).status == 200
        card = await ada.sees_control("link.open", after=before)
        page = await built.signs_in(control(card, "link.open")["url"], "ada", browser)
        assert "You are linked" in page.text
        assert "Countess" in await asked(ada, SHOW)
        assert (await living(built))[-1]
        assert await reasons(built, "link.refused") == ["grant_shared"]
        await assert_trail_holds(built)
