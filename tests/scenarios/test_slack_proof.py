"""Signing in with Slack as the proof, with the whole product: the provider, then Slack, in one browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser as Chromium
from yarl import URL

from bot import config
from bot.audit.store import MongoAuditStore
from bot.database import connect, opened
from bot.sandbox.demo import surroundings
from bot.sandbox.slack import SECOND, TEAM
from bot.sandbox.tenant import Browser, PageRefused
from bot.serving import serving
from tests.scenarios.town import ADA, BOB, CAROL, Town

MALLORY = "U0MALLORY"


@pytest.fixture
async def town(tmp_path: Path, database_settings: dict[str, str]) -> AsyncIterator[Town]:
    """Everything, running, with a colleague of bad intent."""
    async with surroundings(tmp_path) as around:
        registered = around.slack.registration
        registered.redirect_uris = (f"{around.public_url}/oauth/slack",)
        proof = {
            "LINK_PROOF": "slack",
            "SLACK_OIDC_ISSUER": around.slack.url,
            "SLACK_CLIENT_ID": registered.client_id,
            "SLACK_CLIENT_SECRET": registered.client_secret,
        }
        settings = config.load({**around.environment, **database_settings, **proof})
        around.slack.add_person("Mallory")
        async with opened(settings) as database, serving(settings, database):
            yield Town(around, settings)


async def to_slack(link: str, account: str, browser: Browser) -> str:
    """Through a link and the login at the provider; the address at Slack to which our callback sends the browser."""
    authorize, status, text = await browser.submit(link)
    assert status == 303, (status, text)
    callback = await browser.sign_in(authorize, account)
    async with (
        aiohttp.ClientSession(cookie_jar=browser.cookies) as session,
        session.get(URL(callback, encoded=True), allow_redirects=False) as answer,
    ):
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"]


async def back(slack_url: str, person: str, team: str = TEAM) -> str:
    """Who is signed in to Slack there, in any browser, agrees; the address at ours to which Slack sends it."""
    async with Browser() as at_slack:
        return await at_slack.sign_in(slack_url, f"{team}:{person}")


async def refusal(browser: Browser, address: str) -> str:
    """The page that refuses this answer."""
    with pytest.raises(PageRefused) as refused:
        await browser.open(address)
    return refused.value.text


async def refused_for(town: Town, user: str) -> list[object]:
    """Why logins of this person's links were refused, as the trail has it."""
    client, database = connect(town.settings.mongodb_uri.get_secret_value(), town.settings.mongodb_database)  # type: ignore[union-attr]
    entries = [entry async for entry in MongoAuditStore(database).entries()]
    client.close()
    return [e.get("reason") for e in entries if e["type"] == "link.refused" and e.get("user") == user]


async def nobody_is_linked(town: Town, *people: str) -> bool:
    """Whether each of them is told that they are not linked."""
    return all(["not linked" in await town.types(user, "status") for user in people])


async def test_ada_links_by_signing_in_to_both(town: Town) -> None:
    """The same address at the provider is not enough here; Slack's word is, and then she can act."""
    async with Browser() as browser:
        on = await to_slack(await town.link_of(ADA), "ada", browser)
        assert on.startswith(f"{town.slack.url}/openid/connect/authorize?")
        assert await nobody_is_linked(town, ADA)
        assert "You are linked" in (await browser.open(await back(on, ADA)))[1]
    await town.sees_control(ADA, "link.not_me")
    await town.types(ADA, "run list_orders")
    await town.sees(ADA, "A-1001", "C0SUPPORT")
    assert [c.sub for c in town.calls()] == ["auth0|ada"]


async def test_t12_a_forwarded_link_gives_the_sender_nothing(town: Town) -> None:
    """Mallory forwards the link, Ada signs in to both: nobody is linked and the trail says why (guard: `is_person`)."""
    async with Browser() as browser:
        on = await to_slack(await town.link_of(MALLORY), "ada", browser)
        page = await refusal(browser, await back(on, ADA))
    assert "This link is another person" in page
    assert await nobody_is_linked(town, MALLORY, ADA)
    assert await refused_for(town, MALLORY) == ["slack_differs"]


async def test_t13_a_stranger_in_my_link_is_refused(town: Town) -> None:
    """Mallory signs in to both through Ada's link: nobody is linked, and no code of any kind makes up for it; Ada's
    link is still hers (guard: `is_person`)."""
    link = await town.link_of(ADA)
    async with Browser() as browser:
        await refusal(browser, await back(await to_slack(link, "mallory", browser), MALLORY))
    assert await nobody_is_linked(town, MALLORY, ADA)
    assert await refused_for(town, ADA) == ["slack_differs"]
    assert "No code is used here" in await town.types(ADA, "code 0000-0000")
    async with Browser() as browser:
        assert "You are linked" in (await browser.open(await back(await to_slack(link, "ada", browser), ADA)))[1]


async def test_t18_another_browser_brings_back_nothing(town: Town) -> None:
    """Mallory, signed in as himself at the provider through Ada's link, lets her follow the address at Slack: her
    browser is not the login's (guard: the comparison of `browser_hash` in `Linking._begun`)."""
    async with Browser() as mallory, Browser() as ada:
        answer = await back(await to_slack(await town.link_of(ADA), "mallory", mallory), ADA)
        assert "another browser" in await refusal(ada, answer)
    assert await nobody_is_linked(town, MALLORY, ADA)
    assert await refused_for(town, ADA) == ["wrong_browser"]


async def test_t19_an_answer_of_slacks_works_once_and_for_its_own_login(town: Town) -> None:
    """Replayed, with an invented state, or with that of a colleague's login: refused, and the link stays (guard:
    `sealed_slack` is taken in `Proving.by_slack`; the state and the cookie in `Linking._begun`)."""
    async with Browser() as browser, Browser() as other:
        answer = URL(await back(await to_slack(await town.link_of(ADA), "ada", browser), ADA), encoded=True)
        bobs = URL(await back(await to_slack(await town.link_of(BOB), "bob", other), BOB), encoded=True)
        for state in ("invented", bobs.query["state"]):
            await refusal(browser, str(answer.update_query(state=state)))
        assert await nobody_is_linked(town, ADA, BOB)
        kept = {cookie.key: cookie.value for cookie in browser.cookies}
        assert "You are linked" in (await browser.open(str(answer)))[1]
        browser.cookies.update_cookies(kept, URL(town.around.public_url))
        assert "This login is over" in await refusal(browser, str(answer))
    assert "not linked" not in await town.types(ADA, "status")


async def test_t20_a_code_of_another_login_is_refused(town: Town) -> None:
    """Mallory, in the middle of Ada's link, has got hold of a code that Slack made for Ada in another login (guard: the
    `nonce` in `Verifier.id_token`)."""
    async with Browser() as mallory, Browser() as ada:
        his = URL(await back(await to_slack(await town.link_of(ADA), "mallory", mallory), MALLORY), encoded=True)
        hers = URL(await back(await to_slack(await town.link_of(CAROL), "ada", ada), ADA), encoded=True)
        page = await refusal(mallory, str(his.update_query(code=hers.query["code"])))
    assert "token_invalid: nonce" in page
    assert await nobody_is_linked(town, MALLORY, ADA)


async def test_t59_the_same_user_id_of_another_workspace_is_somebody_else(town: Town) -> None:
    """A Bob with Bob's own user id, of a workspace next door, signs in through Bob's link (guard: the workspace in
    `is_person`)."""
    async with Browser() as browser:
        on = URL(await to_slack(await town.link_of(BOB), "bob", browser), encoded=True)
        page = await refusal(browser, await back(str(on.update_query(team=SECOND.id)), BOB, SECOND.id))
    assert "slack_differs" in page
    assert await nobody_is_linked(town, BOB)


async def test_t22_who_cancels_at_slack_can_begin_anew(town: Town) -> None:
    """The page says so, and the same link works (guard: the look for an error in `code_of`)."""
    link = await town.link_of(ADA)
    async with Browser() as browser, Browser() as at_slack:
        cancelled = await at_slack.cancel(await to_slack(link, "ada", browser))
        page = await refusal(browser, cancelled)
        assert "You were not signed in" in page
        assert "login_refused: access_denied" in page
        assert await refused_for(town, ADA) == ["login_refused"]
        assert "You are linked" in (await browser.open(await back(await to_slack(link, "ada", browser), ADA)))[1]


async def test_a_real_browser_goes_the_whole_way(town: Town, chromium: Chromium) -> None:
    """From the link's button to the provider, to Slack and back, by hand, past each page's own policy."""
    context = await chromium.new_context()
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    await page.goto(await town.link_of(ADA))
    await page.get_by_role("button", name="Continue to sign in").click()
    await page.locator('input[name="person"][value="ada"]').check()
    await page.get_by_role("button", name="Accept").click()
    await page.wait_for_url(f"{town.slack.url}/openid/connect/authorize?*")
    await page.locator(f'input[name="person"][value="{TEAM}:{ADA}"]').check()
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_role("heading", name="You are linked").wait_for()
    assert complaints == []
    await context.close()
