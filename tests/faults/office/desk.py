"""A replica: the whole bot, in a process of its own, which also does what only time would make it do."""

from __future__ import annotations

import asyncio
import contextlib
import os
from contextlib import AsyncExitStack
from typing import Any

from bot import config, logs
from bot.approvals.store import MongoApprovalStore
from bot.bot import Bot
from bot.database import connect
from bot.parts import vault
from bot.serving import serving
from tests.bench.orders import Job, carried_out


async def serve() -> None:
    """Until the input ends. The first order is `open`; its answer is the address."""
    async with AsyncExitStack() as stack:
        jobs: dict[str, Job] = {}

        async def open_(environment: dict[str, str]) -> str:
            settings = config.load(environment)
            client, database = connect(environment["MONGODB_URI"], environment["MONGODB_DATABASE"])
            stack.callback(client.close)
            bot, address = await stack.enter_async_context(serving(settings, database))
            store = MongoApprovalStore(database, vault(settings))
            jobs["expire"] = lambda workspace, ids: _expired(bot, store, workspace, ids)
            jobs["sweep"] = bot.runner.sweep
            jobs["usage"] = lambda: sum(os.times()[:2])
            return address

        jobs["open"] = open_
        await carried_out(jobs)


async def _expired(bot: Bot, store: MongoApprovalStore, workspace: str, ids: list[str]) -> None:
    """What a round does whose clock says that their time is over."""

    async def expire(id_: str) -> Any:
        approval = await store.get(workspace, id_)
        if approval is not None:
            await bot.approvals.expire(approval)

    await asyncio.gather(*(expire(id_) for id_ in ids))


if __name__ == "__main__":
    logs.configure("error", "json")
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(serve())
