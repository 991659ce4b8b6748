"""A replica of the benchmark as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from contextlib import AsyncExitStack
from typing import Any

from bot import logs
from tests.bench import herd, reads, rounds, unlinking
from tests.bench.orders import Job, carried_out
from tests.bench.worker import Worker
from tests.faults.replica import Given
from tests.faults.standing import standing

_SWEEP = 3.0
_JOBS: dict[str, Job] = {
    "read": reads.read,
    "commands": reads.commands,
    "memory": reads.memory,
    "rounds": reads.rounds,
    "walk": herd.walk,
    "bare": herd.bare,
    "ask": rounds.ask,
    "ask_naively": rounds.ask_naively,
    "race": unlinking.race,
}


async def work() -> None:
    """Until the input ends. The first order is `open`."""
    async with AsyncExitStack() as stack:
        jobs: dict[str, Job] = {}

        async def open_(given: dict[str, Any], sweeping: bool) -> None:
            shared = Given.from_line(json.dumps(given))
            worker = Worker(shared, await stack.enter_async_context(standing(shared)))
            if sweeping:
                worker.standing.tasks.every(_SWEEP, worker.rooms.sweep, "sweep")
            jobs.update({name: functools.partial(job, worker) for name, job in _JOBS.items()})

        jobs["open"] = open_
        await carried_out(jobs)


if __name__ == "__main__":
    logs.configure("warning", "json")
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(work())
