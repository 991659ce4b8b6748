"""Slack's block for an account elsewhere, as people see and use it in the page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import expect

from bot.sandbox.slack.web_api import SCOPES
from tests.browser.desk import Desk
from tests.browser.test_workspace_access import CONTRAST
from tests.unit.bot.sandbox.slack.listener import Heard, actions, button, plain

REQUEST, UPDATE = "apps.user.connection.requestAuth", "apps.user.connection.update"
CONNECT = "auth_provider_connect_v"


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    """The workspace, for an app that has declared everything."""
    desk.slack.workspace.connections.declare("127.0.0.1")
    desk.slack.api.scopes = (*SCOPES, "users:write")
    return desk


def block(desk: Desk, **more: Any) -> dict[str, Any]:
    return {
        "type": "auth_provider",
        "value": "v",
        "name": plain("Your account"),
        "is_connected": False,
        "description": plain("<b>Sign in</b> once"),
        "auth_url": f"{desk.slack.url}/ui/start",
        "connected_identity": plain("ada@example.com"),
        "connected_context": plain("Work"),
        "fallback": [actions(button("old.way", text=plain("Sign in the old way"), url=f"{desk.slack.url}/ui/start"))],
        **more,
    }


async def test_the_block_leads_to_the_login_and_shows_the_state(desk: Desk) -> None:
    """One way and not two: the link opens beside the page, the app hears of it, and then it says “Connected”."""
    pressed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def hear(heard: Heard) -> web.Response:
        if "payload" in heard.form:
            pressed.set_result(heard.payload["actions"][0]["action_id"])
        return web.Response()

    desk.listener.answering = hear
    await desk.post(block(desk), channel="D0ADA")
    ada = await desk.sits(more="&channel=D0ADA")
    shown = ada.page.get_by_role("group", name="Your account")
    await expect(shown).to_contain_text("Not connected")
    await expect(shown).to_contain_text("<b>Sign in</b> once")
    await expect(shown).not_to_contain_text("ada@example.com")
    await expect(ada.page.get_by_text("Sign in the old way")).to_have_count(0)
    way = shown.get_by_role("link", name="Connect: Your account")
    async with ada.page.context.expect_page() as opened:
        await way.click()
    assert (await opened.value).url.endswith("/ui/start")
    async with asyncio.timeout(5):
        assert await pressed == CONNECT
    await desk.calls.ok(UPDATE, user_id="U0ADA", status="connected")
    await expect(shown).to_contain_text("ada@example.com Work")
    await expect(shown.get_by_text("Connected", exact=True)).to_be_visible()
    await expect(way).to_have_count(0)


async def test_the_window_is_used_by_keyboard(desk: Desk) -> None:
    """Its one link has the focus, it turns with the state, and what it offers then can be reached."""
    ada = await desk.sits()
    trigger = desk.slack.workspace.new_trigger("U0ADA")
    again = {"type": "overflow", "action_id": "again", "options": [{"text": plain("Sign in again"), "value": "1"}]}
    provider = block(desk, accessory=again, disconnect_url=f"{desk.slack.url}/ui/start")
    del provider["type"], provider["fallback"]
    await desk.calls.ok(REQUEST, trigger_id=trigger, primary_provider=provider)
    window = ada.page.get_by_role("dialog")
    await expect(window.get_by_role("link", name="Connect: Your account")).to_be_focused()
    await desk.calls.ok(UPDATE, user_id="U0ADA", status="connected")
    await expect(window.get_by_text("Connected", exact=True)).to_be_visible()
    await expect(window.get_by_role("link", name="Disconnect: Your account")).to_be_visible()
    await expect(window.locator('[data-action-id="again"]')).to_be_visible()
    await ada.page.keyboard.press("Escape")
    await expect(window).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("connected", [True, False])
async def test_the_block_can_be_read(desk: Desk, scheme: Any, connected: bool) -> None:
    """WCAG's 4.5 to 1 for each of its texts, and nothing beyond the edge of a small screen."""
    await desk.post(block(desk, is_connected=connected, disconnect_url=f"{desk.slack.url}/ui/start"), channel="D0ADA")
    ada = await desk.sits(more="&channel=D0ADA")
    await ada.page.emulate_media(color_scheme=scheme)
    await expect(ada.page.get_by_role("group", name="Your account")).to_be_visible()
    assert await ada.page.evaluate(CONTRAST) == []
    await ada.page.set_viewport_size({"width": 320, "height": 640})
    assert await ada.page.evaluate("document.documentElement.scrollWidth") == 320
