"""What every test may ask for: a real database server, an empty database, a clock set by hand, a browser."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from bot.database import Database, EmbeddedServer, connect


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded server of this run alone, on a free port.

    It lives on a loop of its own in a thread, since each test has its own loop and the server outlives them.
    """
    directory: Path = tmp_path_factory.mktemp("database")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = EmbeddedServer(directory)
    try:
        yield asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


@pytest.fixture
async def mongo_database(mongo_uri: str) -> AsyncIterator[Database]:
    """An empty database, gone after the test."""
    client, database = connect(mongo_uri, f"test_{secrets.token_hex(6)}")
    yield database
    await client.drop_database(database.name)
    client.close()


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        """Move it, e.g. `forward(minutes=10)`."""
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> HandClock:
    """A clock at noon of some day."""
    return HandClock(datetime(2030, 1, 2, 12, 0, tzinfo=UTC))


@pytest.fixture
def fresh_id() -> Callable[[], str]:
    """Ids that do not repeat within a test run."""
    return lambda: secrets.token_hex(8)


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser; the machine must have one, playwright's own download is not used."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no chromium on this machine: with Debian, apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield browser
        await browser.close()


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A browser of this test alone."""
    async with launched() as browser:
        yield browser
