"""A workspace with a bot behind it, each on a free port; its clock is set by hand and its pauses take no time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.sandbox.slack import CommandHint, Registration, SandboxSlack
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import SECRET, TOKEN, Calls, Listener
from tests.unit.bot.sandbox.slack.page import Page
from tests.unit.bot.sandbox.slack.visitor import BACK, CLIENT, CLIENT_SECRET, App


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """The bot."""
    made = Listener()
    runner = await made.start()
    yield made
    await runner.cleanup()


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the workspace would have waited before each retry."""
    return []


@pytest.fixture
async def slack(
    tmp_path: Path, clock: HandClock, listener: Listener, pauses: list[float]
) -> AsyncIterator[SandboxSlack]:
    """The workspace, running."""

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    made = SandboxSlack(
        tmp_path,
        signing_secret=SECRET,
        bot_token=TOKEN,
        events_url=listener.url,
        commands=(CommandHint("/agent"),),
        registration=Registration(CLIENT, CLIENT_SECRET, (BACK,)),
        clock=clock,
        sleep=sleep,
    )
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of its own, without cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
def calls(slack: SandboxSlack, http: aiohttp.ClientSession) -> Calls:
    """The bot's Web API client."""
    return Calls(slack, http)


@pytest.fixture
def page(slack: SandboxSlack, http: aiohttp.ClientSession) -> Page:
    """The page."""
    return Page(slack, http)


@pytest.fixture
def app(slack: SandboxSlack, http: aiohttp.ClientSession) -> App:
    """The app's side of OAuth."""
    return App(slack, http)
