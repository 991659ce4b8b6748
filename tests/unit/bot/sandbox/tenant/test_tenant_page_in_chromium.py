"""The login page in a real browser: by keyboard, at 320 pixels, in the dark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page

from tests.unit.bot.sandbox.contrast import CONTRAST


@pytest.fixture
async def callback(app: Any) -> AsyncIterator[str]:
    """A real address to come back to."""

    async def here(_: web.Request) -> web.Response:
        return web.Response(text="back")

    server = web.Application()
    server.router.add_get("/oauth/callback", here)
    server.router.add_get("/favicon.ico", here)  # a browser asks for it whenever it likes, and a 404 is a complaint
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/oauth/callback"
    app.tenant.application.redirect_uris.add(address)
    yield address
    await runner.cleanup()


async def complaints(page: Page) -> list[str]:
    """What the console will say, e.g. of a policy that blocks something."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    return heard


async def test_somebody_signs_in_by_keyboard(app: Any, chromium: Browser, callback: str) -> None:
    """Tab to the people, arrows to Carol, Enter on the button; the policy lets the browser go back."""
    page = await chromium.new_page()
    heard = await complaints(page)
    await page.goto(app.url(redirect_uri=callback))
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    assert await page.evaluate("document.activeElement.dataset.person") == "carol"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{callback}?code=*")
    assert heard == []


async def test_somebody_cancels_without_choosing(app: Any, chromium: Browser, callback: str) -> None:
    """The browser does not insist on a choice for that, but does for accepting."""
    page = await chromium.new_page()
    await page.goto(app.url(redirect_uri=callback))
    await page.click("button[value=accept]")
    assert await page.evaluate("document.querySelector('[name=person]:invalid') !== null")
    await page.click("button[value=cancel]")
    await page.wait_for_url(f"{callback}?error=access_denied*")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_is_readable_on_a_narrow_screen(app: Any, chromium: Browser, scheme: Any) -> None:
    """At 320 pixels nothing has to be scrolled sideways, each control has a name, and contrast is 4.5 or more."""
    context = await chromium.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page = await context.new_page()
    await page.goto(app.url(login_hint="ada@example.com", organization="org_sandbox"))
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    assert await page.evaluate(CONTRAST) == []
    assert await page.get_by_role("radio", name="Ada Lindqvist").is_checked()
    assert await page.get_by_role("group", name="Your account").count() == 1
    assert await page.get_by_role("button", name="Accept and continue").count() == 1
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_mailbox_is_readable_on_a_narrow_screen(app: Any, chromium: Browser, scheme: Any) -> None:
    """At 320 pixels: a heading for each address, contrast of 4.5 or more, and a key press to look again."""
    for address in ("ada@example.com", "ada@example.com", f"{'very' * 12}.long@example.com"):
        await app.start(address)
    await app.start("bob@example.com", send=None)
    context = await chromium.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page = await context.new_page()
    heard = await complaints(page)
    await page.goto(app.tenant.mailbox_url)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    assert await page.evaluate(CONTRAST) == []
    assert await page.get_by_role("heading", level=1, name="Mailbox of the sandbox").count() == 1
    assert await page.get_by_role("region", name="ada@example.com").get_by_role("listitem").count() == 2
    await app.start("carol@example.com")
    await page.get_by_role("link", name="Look again").press("Enter")
    await page.get_by_role("region", name="carol@example.com").wait_for()
    assert app.tenant.mail("carol@example.com")[0].code in await page.inner_text("main")
    assert heard == []
    await context.close()
