"""The demo's own pages, which are no part of the product but what people meet first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser

from bot.sandbox.demo import running
from tests.browser.pages import axe, step_ups
from tests.browser.pages.test_pages import SCHEMES, WINDOWS
from tests.browser.pages.visitor import Later, Visitor
from tests.browser.pages.ways import opens_link
from tests.scenarios.town import ADA, Town


async def tenant(visitor: Visitor) -> None:
    """The identity provider's login page."""
    await opens_link(visitor)
    await visitor.goes_to_login()


async def second_factor(visitor: Visitor) -> None:
    """The page on which the code from the phone is typed, after a wrong one."""
    await step_ups.opens_link(visitor)
    await visitor.goes_to_login()
    await visitor.signs_in("ada")
    await visitor.types("Code of six digits", "12345")
    await visitor.presses("Continue")
    await visitor.page.get_by_role("alert").wait_for()


async def phones(visitor: Visitor) -> None:
    """The phones of the demo."""
    await second_factor(visitor)
    await visitor.opens(visitor.town.tenant.phone_url)
    await visitor.page.get_by_role("heading", name="Ada Lindqvist").wait_for()


async def workspace(visitor: Visitor) -> None:
    """A channel of the workspace in which somebody has used the bot."""
    await visitor.town.links(ADA, "ada")
    await visitor.town.types(ADA, "run list_orders")
    await visitor.opens(f"{visitor.town.slack.url}/?user=U0ADA&channel=C0SUPPORT")
    await visitor.page.locator("body[data-live=on]").wait_for()
    await visitor.page.get_by_text("A-1001").first.wait_for()


async def consent(visitor: Visitor) -> None:
    """The third party's page on which somebody lets the provider in."""
    almanac, tenant = visitor.town.around.almanac, visitor.town.tenant
    asked = {
        "client_id": almanac.client.client_id,
        "redirect_uri": tenant.vault.callback_url,
        "response_type": "code",
        "scope": "events:read events:write",
        "state": "one",
    }
    await visitor.opens(f"{almanac.url}/oauth/authorize?{urlencode(asked)}")
    await visitor.page.get_by_role("button", name="Let it in").wait_for()


async def calendar(visitor: Visitor) -> None:
    """The third party's calendar of an account, which somebody without its tokens has asked for."""
    almanac = visitor.town.around.almanac
    await visitor.opens(f"{almanac.url}/events")
    await visitor.opens(almanac.url)
    await visitor.page.get_by_text("401").wait_for()


@axe.needed
@pytest.mark.parametrize("way", [tenant, second_factor, phones, workspace, consent, calendar])
async def test_axe_has_nothing_against_it(
    chromium: Browser, tmp_path: Path, way: Callable[[Visitor], Awaitable[None]]
) -> None:
    """No rule of WCAG 2.2 at levels A and AA and no best practice is broken, light and dark, wide and narrow."""
    async with running(tmp_path) as (around, settings):
        context = await chromium.new_context(viewport={"width": 1280, "height": 800})
        page = await context.new_page()
        await way(Visitor(Town(around, settings), context, page, Later()))
        amiss = []
        for scheme in SCHEMES:
            for width, height in WINDOWS:
                await page.emulate_media(color_scheme=scheme)
                await page.set_viewport_size({"width": width, "height": height})
                amiss += [f"{scheme}, {width}: {what}" for what in await axe.violations(page, strictly=False)]
        assert amiss == []
        await context.close()
