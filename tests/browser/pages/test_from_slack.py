"""The whole way from a command in Slack to the last page, without a mouse."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from bot.sandbox.demo import running
from tests.browser.pages.visitor import Later, Visitor
from tests.scenarios.town import Town


@pytest.mark.parametrize("key", ["Enter", "Space"])
async def test_linking_needs_no_mouse(chromium: Browser, tmp_path: Path, key: str) -> None:
    """Type the command, Tab to the direct messages and to the button there, sign in, and be linked."""
    async with running(tmp_path) as (around, settings):
        context = await chromium.new_context(viewport={"width": 1280, "height": 800})
        ada = Visitor(Town(around, settings), context, await context.new_page(), Later())
        slack = ada.page
        await ada.opens(f"{around.slack.url}/?user=U0ADA")
        await slack.locator("body[data-live=on]").wait_for()
        await ada.reaches(slack.get_by_label("Message", exact=True))
        await slack.keyboard.type("/agent link")
        await slack.keyboard.press("Escape")
        await slack.keyboard.press("Enter")
        await expect(slack.get_by_text("I sent you a login link").last).to_be_visible()
        await ada.reaches(slack.locator('[data-channel="D0ADA"]'))
        await slack.keyboard.press(key)
        await ada.reaches(slack.locator('[data-action-id="link.open"]').last)
        async with context.expect_page() as opened:
            await slack.keyboard.press("Enter")  # it is a link, and those take no Space
        login = Visitor(ada.town, context, await opened.value, ada.later)
        await login.goes_to_login(key)
        await login.signs_in("ada", key)
        await expect(login.page.get_by_role("heading", name="You are linked")).to_be_visible()
        await expect(slack.locator('[data-action-id="link.not_me"]')).to_be_visible()
        assert [family.person for family in around.tenant.families()] == ["ada"]
        await context.close()
