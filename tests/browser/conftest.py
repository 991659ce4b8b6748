"""A workspace in a browser window, for the tests that look at its page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser

from tests.browser.desk import Desk
from tests.unit.bot.sandbox.slack.listener import Listener


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
