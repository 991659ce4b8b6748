"""The bot while it listens: started in order, and stopped so that nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from bot.app import build
from bot.bot import Bot
from bot.config import Settings
from bot.database import Database, opened
from bot.errors import ConfigurationError
from bot.parts import Clock
from oauth import utc_now

log = structlog.get_logger(__name__)


@asynccontextmanager
async def serving(settings: Settings, database: Database, *, clock: Clock = utc_now) -> AsyncIterator[tuple[Bot, str]]:
    """The bot while it listens; gives it and its own address. Raises ConfigurationError."""
    bot = await build(settings, database, clock=clock)
    runner = web.AppRunner(bot.web, access_log=None, handle_signals=False, shutdown_timeout=10.0)
    try:
        await bot.start()
        await runner.setup()
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except OSError as error:
            why, at = os.strerror(error.errno or 0), f"{settings.host}:{settings.port}"
            raise ConfigurationError([f"HOST, PORT: cannot listen on {at} ({why}). Choose another."]) from None
        yield bot, f"http://{settings.host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()  # no new requests; those under way are answered
        await bot.stop()


async def serve(settings: Settings) -> None:
    """`countersign run`: until SIGTERM or SIGINT. Raises ConfigurationError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with opened(settings) as database, serving(settings, database) as (_, address):
        log.info("listening", address=address, public_url=settings.public_url)
        await stop.wait()
        log.info("stopping")
