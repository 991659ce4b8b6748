"""Almanac's pages in a real browser: by keyboard, at 320 pixels, in the dark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser, Page

from tests.unit.bot.sandbox.contrast import CONTRAST

LUNCH = {"title": "Lunch with Bob", "date": "2026-12-01", "time": "12:30"}


@pytest.fixture
async def callback(almanac: Any) -> AsyncIterator[str]:
    """A real address to come back to, which sends the browser on to another server, as a tenant does."""

    async def there(_: web.Request) -> web.Response:
        return web.Response(text="back at the application")

    async def here(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{addresses[1]}/there?{request.query_string}"})

    async def icon(_: web.Request) -> web.Response:
        return web.Response(status=204)

    runners, addresses = [], []
    for path, handler in (("/login/callback", here), ("/there", there)):
        server = web.Application()
        server.router.add_get(path, handler)
        server.router.add_get("/favicon.ico", icon)
        runner = web.AppRunner(server)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        addresses.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
    almanac.client.redirect_uris.add(f"{addresses[0]}/login/callback")
    yield f"{addresses[0]}/login/callback"
    for runner in runners:
        await runner.cleanup()


def heard_of(page: Page) -> list[str]:
    """What the console will say, e.g. of a policy that blocks something."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    return heard


async def text_of(url: str) -> tuple[str, str]:
    """A page and its policy."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.text(), answer.headers["Content-Security-Policy"]


async def test_somebody_agrees_by_keyboard(client: Any, chromium: Browser, callback: str) -> None:
    """The policy lets the form lead back to the client, and on from there."""
    page = await chromium.new_page()
    heard = heard_of(page)
    await page.goto(client.url(redirect_uri=callback))
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_text("back at the application").wait_for()
    code = page.url.split("code=")[1].split("&")[0]
    _, given = await client.exchange(code, redirect_uri=callback)
    assert given["scope"] == "events:read"
    _, account, _ = await client.call("GET", "/account", given["access_token"])
    assert account["id"] == "bob"
    assert heard == []


async def test_the_page_wants_an_account_and_cancel_does_not(client: Any, chromium: Browser, callback: str) -> None:
    """Nobody is chosen unless the client has hinted at somebody."""
    page = await chromium.new_page()
    await page.goto(client.url(redirect_uri=callback))
    await page.click("button[value=accept]")
    assert await page.evaluate("document.querySelector('[name=person]:invalid') !== null")
    await page.click("button[value=cancel]")
    await page.wait_for_url("**/there?error=access_denied*")
    await page.goto(client.url(redirect_uri=callback, login_hint="carol@almanac.example"))
    assert await page.get_by_role("radio", name="Carol Reyes").is_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_are_readable_on_a_narrow_screen(
    client: Any, almanac: Any, chromium: Browser, scheme: Any
) -> None:
    """At 320 pixels nothing has to be scrolled sideways, each control has a name, and contrast is 4.5 or more."""
    token = (await client.tokens())["access_token"]
    await client.call("POST", "/events", token, LUNCH | {"title": "x" * 200})
    await client.call("GET", "/events")
    context = await chromium.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page = await context.new_page()
    heard = heard_of(page)
    for url in (client.url(login_hint="ada"), almanac.url, f"{almanac.url}/?account=carol"):
        await page.goto(url)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        assert await page.evaluate(CONTRAST) == []
    await page.goto(client.url())
    assert await page.get_by_role("group", name="Your account at Almanac").count() == 1
    assert await page.get_by_role("checkbox", name="Put events into your calendar").is_checked()
    assert await page.get_by_role("button", name="Let it in").count() == 1
    assert heard == []
    await context.close()


async def test_the_calendar_names_the_token_that_wrote_an_event(client: Any, almanac: Any) -> None:
    """And what else came under which token, newest first, for this account alone."""
    tokens = await client.tokens("ada")
    await client.call("POST", "/events", tokens["access_token"], LUNCH)
    await client.call("GET", "/events")
    text, _ = await text_of(f"{almanac.url}/?account=ada")
    name = almanac.events("ada")[1].token
    assert f"written by <code>{name}</code>" in text
    assert text.index("no token of Almanac") < text.index(f'"who"><code>{name}')
    assert tokens["access_token"] not in text
    others, _ = await text_of(f"{almanac.url}/?account=bob")
    assert "Lunch with Bob" not in others
    assert name not in others


async def test_what_callers_say_is_shown_inert(client: Any, almanac: Any) -> None:
    """A title with markup in it stays text, and nothing on the page is inline."""
    token = (await client.tokens())["access_token"]
    await client.call("POST", "/events", token, LUNCH | {"title": "<script>alert(1)</script>"})
    text, policy = await text_of(almanac.url)
    assert "&lt;script&gt;alert(1)" in text
    assert text.count("<script") == text.count("<script src=") == 1
    assert "style=" not in text
    assert "'unsafe" not in policy


async def test_there_is_no_calendar_of_a_stranger(almanac: Any) -> None:
    """A page that says so, without repeating the name."""
    async with aiohttp.ClientSession() as session, session.get(f"{almanac.url}/?account=%3Cb%3Eeve") as answer:
        assert answer.status == 404
        assert "eve" not in await answer.text()


async def test_a_new_event_appears_by_itself(chromium: Browser, client: Any, almanac: Any) -> None:
    """In a real browser, without a reload or a complaint."""
    page = await chromium.new_page()
    heard = heard_of(page)
    await page.goto(almanac.url)
    await page.evaluate("window.same = true")
    token = (await client.tokens())["access_token"]
    await client.call("POST", "/events", token, LUNCH)
    await page.get_by_role("listitem").filter(has_text="Lunch with Bob").wait_for(timeout=10_000)
    assert await page.evaluate("window.same")
    await page.get_by_role("link", name="Carol Reyes").press("Enter")
    await page.get_by_role("heading", name="Events of Carol Reyes").wait_for()
    assert heard == []
