"""A real browser for the tests that look at pages: Debian's chromium, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.desk import Desk
from tests.unit.bot.sandbox.slack.listener import Listener

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A browser of this test alone; the machine must have one, playwright's own download is not used."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no chromium on this machine: with Debian, apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield browser
        await browser.close()


@pytest.fixture
async def desk(chromium: Browser, tmp_path: Path) -> AsyncIterator[Desk]:
    """A workspace, a bot and a browser window; at the end no page may have complained of anything."""
    listener = Listener()
    runner = await listener.start()
    async with aiohttp.ClientSession() as http:
        context = await chromium.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(10_000)
        made = Desk(tmp_path, listener, http, context)
        await made.slack.start()
        try:
            yield made
            assert [complaint for seat in made.seats for complaint in seat.complaints] == []
        finally:
            await context.close()
            await made.slack.stop()
            await runner.cleanup()
