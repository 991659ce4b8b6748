"""Replicas that are killed at random moments between the click and the result, and whether anything broke by it.

`python -m tests.faults.crashes --count 1000 --json` prints one line of figures, and ends with 1 where a promise was
broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.audit.chain import Entry, first_bad
from bot.sandbox.slack.dispatch import Dispatch
from tests.bench.orders import child
from tests.faults.office.crash import Crash, Nursery, Phase, flaws, followed, nursery, phase_of
from tests.faults.office.scene import APPROVE, Office, click, free_ports, office

SURVIVORS, PEOPLE = 2, 60
POLICIES = {"pay": 'approval = "self"', "pay_again": 'approval = "self"'}
_SERVICE = 0.01  # seconds that the service takes for its answer
_MEASURED = 5
_BEYOND = 1.1  # of the length of one that nobody disturbs
_ENOUGH = 200  # kills, which hit every phase


@dataclass(slots=True)
class Run:
    """One crash after another, each followed in the background."""

    ground: Office
    mothers: Nursery
    survivor: Dispatch
    chance: random.Random
    crashes: list[Crash] = field(default_factory=list)
    length: float = 0.0
    flaws: list[str] = field(default_factory=list)

    async def carry_out(self, count: int) -> None:
        """So many, and then the looks at what is left of each."""
        self.length = statistics.median([await self._undisturbed() for _ in range(_MEASURED)])
        async with asyncio.TaskGroup() as following:
            for number in range(count):
                crash = await self._crash(number)
                self.crashes.append(crash)
                following.create_task(self._brought_to_its_end(crash))
        await self._judge()

    async def _undisturbed(self) -> float:
        """Seconds from the click until the outcome is at rest and told."""
        who = self.ground.people[-1]
        asked = await self.ground.asks(who, "pay")
        async with self._replica() as (_, way):
            began = time.perf_counter()
            await click(way, who, asked, APPROVE)
            crash = Crash(asked, who, Phase.SAID, began)
            while crash.seconds is None:
                found = await self.ground.store.get(who.slack.workspace, asked.id)
                if found is not None and phase_of(found) is Phase.SAID:
                    crash.seconds = time.perf_counter() - began
                await asyncio.sleep(0.002)
        return crash.seconds

    async def _crash(self, number: int) -> Crash:
        who = self.ground.people[number % (PEOPLE - 1)]
        asked = await self.ground.asks(who, self.chance.choice(list(POLICIES)))
        async with self._replica() as (pid, way):
            clicked = asyncio.create_task(click(way, who, asked, APPROVE))
            await asyncio.sleep(self.chance.uniform(0.0, self.length * _BEYOND))
            await self.mothers.kill(pid)
            at = time.perf_counter()
            with suppress(Exception):
                await clicked
        found = await self.ground.store.get(who.slack.workspace, asked.id)
        assert found is not None
        return Crash(asked, who, phase_of(found), at)

    @asynccontextmanager
    async def _replica(self) -> AsyncIterator[tuple[int, Dispatch]]:
        (port,) = free_ports(1)
        pid = await self.mothers.spawn(self.ground.replica(port))
        async with self.ground.slack_to(f"http://127.0.0.1:{port}") as way:
            try:
                yield pid, way
            finally:
                with suppress(ProcessLookupError):
                    await self.mothers.kill(pid)

    async def _brought_to_its_end(self, crash: Crash) -> None:
        """A click that nobody has heard is made again, as people do."""
        if crash.phase is Phase.PENDING:
            await click(self.survivor, crash.who, crash.asked, APPROVE)
        await followed(self.ground, crash)

    async def _judge(self) -> None:
        entries = [entry async for entry in self.ground.trail.entries()]
        if bad := first_bad(entries):
            self.flaws.append(f"the chain {bad.chain} does not hold at {bad.seq}: {bad.why}")
        of: dict[str, list[Entry]] = {}
        for entry in entries:
            of.setdefault(str(entry.get("approval")), []).append(entry)
        for crash in self.crashes:
            found = await self.ground.store.get(crash.asked.requester.workspace, crash.asked.id)
            assert found is not None
            idempotent = found.action == "pay_again"
            for flaw in flaws(self.ground, crash, found, of.get(found.id, []), idempotent=idempotent):
                self.flaws.append(f"{found.id} ({found.action}, killed {crash.phase}): {flaw}")
        if len(self.crashes) >= _ENOUGH:
            hit = {crash.phase for crash in self.crashes}
            self.flaws += [f"no kill was {phase}" for phase in Phase if phase not in hit]


async def measured(count: int, seed: int, directory: Path | None = None) -> dict[str, Any]:
    """A run by itself: its figures, with the flaws in words under `broken`. `directory` is for its files."""
    began = time.perf_counter()
    async with AsyncExitStack() as stack:
        here = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=directory)))
        ground = await stack.enter_async_context(
            office(here, PEOPLE, POLICIES, idempotent=("pay_again",), delay=_SERVICE)
        )
        mothers = await stack.enter_async_context(nursery())
        desks = [await stack.enter_async_context(child("tests.faults.office.desk")) for _ in range(SURVIVORS)]
        ports = free_ports(SURVIVORS)
        addresses = [
            await one("open", environment=ground.replica(port)) for one, port in zip(desks, ports, strict=True)
        ]
        survivor = await stack.enter_async_context(ground.slack_to(addresses[0]))
        run = Run(ground, mothers, survivor, random.Random(seed))  # noqa: S311 - moments, not secrets
        await run.carry_out(count)
        ends = Counter([(await _end(ground, crash)) for crash in run.crashes])
        took = sorted(crash.seconds for crash in run.crashes if crash.seconds is not None)
        return {
            "figure": "approval_kills",
            "seed": seed,
            "kills": len(run.crashes),
            "length_seconds": round(run.length, 4),
            "phases": {str(phase): sum(crash.phase is phase for crash in run.crashes) for phase in Phase},
            "ends": dict(ends),
            "true_after_seconds": {"median": round(statistics.median(took), 2), "most": round(took[-1], 2)},
            "calls_without_receipt": ground.ledger.wanting["Approval-Receipt"],
            "flaws": len(run.flaws),
            "seconds": round(time.perf_counter() - began, 1),
            "broken": run.flaws,
        }


async def _end(ground: Office, crash: Crash) -> str:
    found = await ground.store.get(crash.asked.requester.workspace, crash.asked.id)
    return str(found.state) if found else "gone"


def main() -> None:
    """Ends with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.crashes", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="how many replicas to kill (1000)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of the moments")
    parser.add_argument("--json", action="store_true", help="one line on stdout")
    asked = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    figures = asyncio.run(measured(asked.count, asked.seed))
    for flaw in figures.pop("broken"):
        sys.stderr.write(f"{flaw}\n")
    if asked.json:
        sys.stdout.write(f"{json.dumps(figures)}\n")
    else:
        sys.stdout.writelines(f"{name}: {value}\n" for name, value in figures.items())
    sys.exit(bool(figures["flaws"]))


if __name__ == "__main__":
    main()
