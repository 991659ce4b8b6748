"""Refreshes that are killed, at each suspension or at random moments, and whether anything was lost by it.

`python -m tests.faults.kills --count 500 --json` prints one line of figures and ends with 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import random
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.database import EmbeddedServer
from oauth import utc_now
from tests.faults.aftermath import OF_A_REFRESH, Aftermath, Kill
from tests.faults.doomed import Fate
from tests.faults.scene import Scene, scene
from tests.faults.tally import Tally

OVERLAP = 30
_SIDES = ("leaving", "returning")
_THROUGH = 2
_MEASURED = 9
_ENOUGH = 200  # kills, which hit every phase
_IMPATIENT = 5  # for one link in so many somebody asks at once; all others are left to the replicas' rounds


class Run:
    """Kills one refresh after another, each of a link of its own, while what became of the former is followed."""

    def __init__(self, ground: Scene, following: asyncio.TaskGroup, *, left: bool = False) -> None:
        self.tally = Tally(ground)
        self._ground = ground
        self._following = following
        self._left = left

    async def once(self, **how: Any) -> Fate:
        """One refresh, ended as `Order` says."""
        linked = await self._ground.link(left=self._left)
        fate = await self._ground.carry_out(replace(self._ground.order(linked), **how))
        if fate.killed:
            kill = Kill(linked, fate, utc_now())
            self.tally.kills += 1
            self._following.create_task(self._followed(kill, impatient=self.tally.kills % _IMPATIENT == 0))
        else:
            self.tally.unharmed.append(linked)
        return fate

    async def _followed(self, kill: Kill, *, impatient: bool) -> None:
        self.tally.outcomes.append(await Aftermath(self._ground).follow(kill, impatient=impatient))
        # Settled; and the tenant writes down all its grants before each answer, which would take longer and longer.
        self._ground.tenant.state.families.pop(kill.linked.family.id, None)


async def at_each_suspension(ground: Scene, *, left: bool = False) -> Tally:
    """Before and after whatever a refresh waits for, until one gets through twice running.

    Each process has just started: so it has the provider's addresses to read, and its keys after the answer. With
    `left` one process has died over each of these links before, and this is the one that takes over.
    """
    async with asyncio.TaskGroup() as following:
        run, through = Run(ground, following, left=left), 0
        for number in itertools.count(1):
            fates = [await run.once(suspension=number, side=side, takeover=left) for side in _SIDES]
            if any(fate.killed for fate in fates):
                run.tally.suspensions, through = number, 0
            elif (through := through + 1) == _THROUGH:
                break
    await run.tally.close()
    return run.tally


async def at_random(ground: Scene, count: int, chance: random.Random) -> Tally:
    """At moments that are spread evenly over the length of a refresh, which is measured in between."""
    async with asyncio.TaskGroup() as following:
        run = Run(ground, following)
        lengths = deque([(await run.once(warm=True)).seconds for _ in range(_MEASURED)], _MEASURED)
        for number in range(count):
            if number % _MEASURED == 0:  # it takes longer while others recover
                lengths.append((await run.once(warm=True)).seconds)
                run.tally.length = statistics.median(lengths)
            await run.once(warm=True, seconds=chance.uniform(0.0, run.tally.length))
    await run.tally.close()
    if count >= _ENOUGH:
        run.tally.flaws += [f"no kill was {phase}" for phase in OF_A_REFRESH if not run.tally.phases[phase]]
    return run.tally


@asynccontextmanager
async def prepared(overlap: int) -> AsyncIterator[Scene]:
    """A scene with a database server of its own."""
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedServer(Path(directory) / "database")
        try:
            async with scene(await server.start(), Path(directory), overlap) as ground:
                yield ground
        finally:
            await server.stop()


async def measured(count: int, seed: int, overlap: int) -> Tally:
    """A run by itself."""
    async with prepared(overlap) as ground:
        return await at_random(ground, count, random.Random(seed))  # noqa: S311 - moments, not secrets


def main() -> None:
    """Ends with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="how many refreshes to kill (500)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of the moments")
    parser.add_argument(
        "--overlap", action=argparse.BooleanOptionalAction, default=True, help="a rotated token works on"
    )
    parser.add_argument("--json", action="store_true", help="one line on stdout")
    asked = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # requests that break off are what this is about
    began = time.perf_counter()
    tally = asyncio.run(measured(asked.count, asked.seed, OVERLAP if asked.overlap else 0))
    figures = {"figure": "refresh_kills", "seed": asked.seed, **tally.figures()}
    figures["seconds"] = round(time.perf_counter() - began, 1)
    for flaw in tally.flaws:
        sys.stderr.write(f"{flaw}\n")
    if asked.json:
        sys.stdout.write(f"{json.dumps(figures)}\n")
    else:
        sys.stdout.writelines(f"{name}: {value}\n" for name, value in figures.items())
    sys.exit(bool(tally.flaws))


if __name__ == "__main__":
    main()
