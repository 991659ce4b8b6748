"""The pages of sign-in and installation in a real browser: by keyboard, on a narrow screen, in the dark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser

from tests.unit.bot.sandbox.contrast import CONTRAST
from tests.unit.bot.sandbox.slack.visitor import App


@pytest.fixture
async def back(app: App) -> AsyncIterator[str]:
    """A real address to come back to."""

    async def here(_: web.Request) -> web.Response:
        return web.Response(text="back")

    server = web.Application()
    server.router.add_get("/back", here)
    server.router.add_get("/favicon.ico", here)  # a browser asks for it whenever it likes, and a 404 is a complaint
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/back"
    app.slack.registration.redirect_uris = (address,)
    yield address
    await runner.cleanup()


@pytest.mark.parametrize(
    ("flow", "chosen"), [("sign_in", "T0COUNTER:U0CAROL"), ("install", "T0NORTH")], ids=["sign in", "install"]
)
async def test_somebody_allows_by_keyboard(app: App, chromium: Browser, back: str, flow: str, chosen: str) -> None:
    """Tab to the choices, arrows to the third, Enter on the button; the policy lets the browser go back."""
    page = await chromium.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    await page.goto(getattr(app, flow)(redirect_uri=back))
    for key in ("Tab", "ArrowDown", "ArrowDown"):
        await page.keyboard.press(key)
    assert await page.evaluate("document.activeElement.value") == chosen
    for key in ("Tab", "Enter"):
        await page.keyboard.press(key)
    await page.wait_for_url(f"{back}?code=*&state=the+state")
    assert heard == []


async def test_somebody_cancels_without_choosing(app: App, chromium: Browser, back: str) -> None:
    """The browser does not insist on a choice for that, but does for allowing."""
    page = await chromium.new_page()
    await page.goto(app.install(redirect_uri=back))
    await page.click("button[value=accept]")
    assert await page.evaluate("document.querySelector('[name=workspace]:invalid') !== null")
    await page.click("button[value=cancel]")
    await page.wait_for_url(f"{back}?error=access_denied*")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("flow", "group", "choice"),
    [("sign_in", "Sandbox", "Mallory"), ("install", "A whole organization", "Grid")],
    ids=["sign in", "install"],
)
async def test_the_page_is_readable_on_a_narrow_screen(
    app: App, chromium: Browser, scheme: Any, flow: str, group: str, choice: str
) -> None:
    """At 320 pixels nothing has to be scrolled sideways, each control has a name, and contrast is 4.5 or more."""
    app.slack.add_person("Mallory", team="T0OTHER", confirmed=False)
    context = await chromium.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page = await context.new_page()
    await page.goto(getattr(app, flow)())
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    assert await page.evaluate(CONTRAST) == []
    assert await page.get_by_role("group", name=group).get_by_role("radio", name=choice).count() == 1
    assert await page.get_by_role("button", name="Allow").count() == 1
    await context.close()
