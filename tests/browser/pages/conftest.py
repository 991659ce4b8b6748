"""Each page of the table, reached once and then looked at by several tests."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Response, expect

from bot import config, keyring
from bot.database import opened
from bot.sandbox.demo import Surroundings, surroundings
from bot.serving import serving
from tests.browser.pages.table import PAGES, Shown
from tests.browser.pages.visitor import Later, Visitor
from tests.conftest import launched
from tests.scenarios.town import Town


@dataclass(frozen=True, slots=True)
class Seen:
    """A page of the table in somebody's window; `complaints` are what the console said, e.g. of a blocked script."""

    shown: Shown
    page: Page
    complaints: list[str]


def heard_of(page: Page) -> list[str]:
    """What goes wrong in a page from here on. That the page itself is a refusal is no complaint; what it needs is."""
    heard: list[str] = []

    def answered(response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            heard.append(f"{response.status} {response.url}")

    def said(message: ConsoleMessage) -> None:
        if not message.text.startswith("Failed to load resource"):
            heard.append(message.text)

    page.on("response", answered)
    page.on("console", said)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def window() -> AsyncIterator[Browser]:
    """One browser for the whole table."""
    async with launched() as browser:
        yield browser


def app_at_slack(around: Surroundings) -> dict[str, str]:
    """Register the bot's addresses at Slack, and give its settings of the app there."""
    registered = around.slack.registration
    registered.redirect_uris = tuple(f"{around.public_url}/{path}" for path in ("oauth/slack", "slack/oauth_redirect"))
    return {
        "SLACK_OIDC_ISSUER": around.slack.url,
        "SLACK_CLIENT_ID": registered.client_id,
        "SLACK_CLIENT_SECRET": registered.client_secret,
    }


def database_settings(mongo_uri: str) -> dict[str, str]:
    """Settings that name an empty database."""
    return {
        "MONGODB_URI": mongo_uri,
        "MONGODB_DATABASE": f"test_{secrets.token_hex(6)}",
        "TOKEN_KEYS": json.dumps(keyring.new_token_keys()),
        "AUDIT_KEY": json.dumps(keyring.new_audit_key()),
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PAGES, ids=lambda shown: shown.name)
async def seen(
    request: pytest.FixtureRequest, window: Browser, mongo_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Seen]:
    """A page of the table, reached by keys in a product of its own."""
    shown: Shown = request.param
    later = Later()
    async with AsyncExitStack() as stack:
        around = await stack.enter_async_context(surroundings(tmp_path_factory.mktemp(shown.name)))
        more = {**app_at_slack(around), **shown.settings, **database_settings(mongo_uri)}
        settings = config.load({**around.environment, **more})
        database = await stack.enter_async_context(opened(settings))
        await stack.enter_async_context(serving(settings, database, clock=later))
        context = await stack.enter_async_context(await window.new_context(viewport={"width": 1280, "height": 800}))
        context.set_default_timeout(10_000)
        page = await context.new_page()
        complaints = heard_of(page)
        await shown.way(Visitor(Town(around, settings), context, page, later))
        await expect(page.get_by_role("heading", level=1)).to_have_text(shown.heading)
        yield Seen(shown, page, complaints)
