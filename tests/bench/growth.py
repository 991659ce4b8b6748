"""The same call with a thousand links in the database and with a million."""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import bson
from motor.motor_asyncio import AsyncIOMotorClient

from bot.database import Database, EmbeddedServer
from oauth import MongoLinkStore
from oauth.records import Document
from tests.bench.figures import Bound, Figure, Sizes, milliseconds
from tests.bench.ground import ground, replicas
from tests.bench.people import Registry
from tests.bench.progress import say
from tests.bench.reads import BLOCK, ratio

_FEW, _ASKED_FOR = 1_000, 10_000
_BATCH = 2_000
_MOST_GROWTH = 8.0
_WARM = 5
_ROUNDS, _MOST_FOR_A_ROUND = 100, 1.5


async def links(sizes: Sizes, directory: Path) -> AsyncIterator[Figure]:
    """Both databases are on one server, each has its own replica, and their blocks take turns."""
    counts = {"few": min(_FEW, sizes.links), "many": sizes.links}
    chance = random.Random(1)  # noqa: S311 - the same people in each run
    asked_for = {name: chance.sample(range(count), min(_ASKED_FOR, count)) for name, count in counts.items()}
    taken: dict[str, dict[str, list[float]]] = {name: {"broker": [], "find_one": []} for name in counts}
    before, after, sought = {}, {}, {}
    async with ground(directory) as here:
        began = time.perf_counter()
        async with _loading(directory / "links") as client:
            for name, count in counts.items():
                await _fill(client[name], here.registry, count, set(asked_for[name]))
        filled = time.perf_counter() - began
        async with (
            _served(directory / "links") as mongo_uri,
            replicas(replace(here.given, mongo_uri=mongo_uri, database="few"), 1, sweeping=False) as (few,),
            replicas(replace(here.given, mongo_uri=mongo_uri, database="many"), 1, sweeping=False) as (many,),
        ):
            for number in range(-_WARM, sizes.blocks):
                for name, replica in (("few", few), ("many", many)):
                    if number == 0:
                        before[name] = await replica("memory")
                    for what, seconds in taken[name].items():
                        measured = await replica("read", what=what, numbers=chance.choices(asked_for[name], k=BLOCK))
                        if number >= 0:
                            seconds.extend(measured)
            for name, replica in (("few", few), ("many", many)):
                sought[name] = await replica("rounds", times=_ROUNDS)
                after[name] = await replica("memory")
        size = len(bson.encode(here.registry.valid(0)))
    yield Figure(
        "links",
        Bound(ratio(taken["many"]["broker"], taken["few"]["broker"]), most=1.2),
        "ratio of medians",
        f"the same call with {counts['few']} links",
        also={
            "memory_growth_mib": Bound(after["many"] - before["many"], most=_MOST_GROWTH),
            "round_for_what_was_left": Bound(ratio(sought["many"], sought["few"]), most=_MOST_FOR_A_ROUND),
        },
        detail={
            "links": counts["many"],
            "people_asked_for": len(asked_for["many"]),
            "bytes_each": size,
            "calls": len(taken["many"]["broker"]),
            "many": milliseconds(taken["many"]["broker"]),
            "few": milliseconds(taken["few"]["broker"]),
            "find_one_ratio": ratio(taken["many"]["find_one"], taken["few"]["find_one"]),
            "memory_mib": {name: {"before": before[name], "after": after[name]} for name in counts},
            "fill_seconds": filled,
        },
    )


async def _fill(database: Database, registry: Registry, count: int, asked_for: set[int]) -> None:
    """Indexes come last, which takes a third of the time."""
    for first in range(0, count, _BATCH):
        numbers = range(first, min(first + _BATCH, count))
        sealed = [registry.valid(number) for number in numbers if number in asked_for]
        others = registry.filler([number for number in numbers if number not in asked_for])
        await database["links"].insert_many(sealed + others, ordered=False)
        if first % 100_000 == 0 and first:
            say(f"links: {first} of {count} are in the database")
    say(f"links: {count} are in the database; now their indexes")
    await MongoLinkStore(database).ensure_indexes()


@asynccontextmanager
async def _loading(directory: Path) -> AsyncIterator[AsyncIOMotorClient[Document]]:
    """A server that does not wait for the disk, without which the indexes take ten times as long; a patient client."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.embedded", "--host", "127.0.0.1", "--port", port,
        "--storage-path", str(directory), "--oplog-max-entries", "1000", "--log-level", "ERROR",
        stdin=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    client = AsyncIOMotorClient[Document](f"mongodb://127.0.0.1:{port}/?retryWrites=false", tz_aware=True)
    try:
        yield client
    finally:
        client.close()
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _served(directory: Path) -> AsyncIterator[str]:
    """As the product runs it."""
    server = EmbeddedServer(directory)
    try:
        yield await server.start()
    finally:
        await server.stop()
