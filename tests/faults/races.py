"""Approve, deny, withdraw and expire at once, over three replicas: one verdict each, at most one execution each.

`python -m tests.faults.races --count 10000 --json` prints one line of figures, and ends with 1 where a promise was
broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.approvals.model import Approval, State
from bot.audit.chain import Entry, first_bad
from bot.sandbox.slack.dispatch import Dispatch
from oauth import Principal
from tests.bench.orders import Child, child
from tests.faults.office.scene import APPROVE, DENY, WITHDRAW, Office, click, free_ports, office

REPLICAS, TEAMS, PEOPLE = 3, 20, 120
_TOGETHER = 12  # races at a time
_SPREAD = 0.006  # seconds, in which all of a race begin
_SETTLED = 45.0  # seconds, in which the rounds bring all to its end
_EXPIRE = "expire"
_VERDICTS = {"approval.approved", "approval.denied", "approval.expired", "approval.cancelled"}
_ENDS = {
    State.DONE: "approval.approved",
    State.FAILED: "approval.approved",
    State.DENIED: "approval.denied",
    State.EXPIRED: "approval.expired",
    State.CANCELLED: "approval.cancelled",
}


def policies() -> dict[str, str]:
    """One for oneself, and for each team of three one that needs one of the first two, and one that needs two."""
    found = {"own": 'approval = "self"'}
    for team in range(TEAMS):
        users = [f'"U0P{3 * team + one:03}"' for one in range(3)]
        found[f"by_one_{team}"] = f'approval = "other"\napprovers = [{", ".join(users[:2])}]'
        found[f"by_two_{team}"] = f'approval = "other"\napprovers = [{", ".join(users)}]\nquorum = 2'
    return found


@dataclass(frozen=True, slots=True)
class Act:
    """What one of a race does, at which replica, so many seconds after its beginning; `expire` is a round's."""

    at: int
    what: str
    who: Principal | None
    after: float


@dataclass(frozen=True, slots=True)
class Race:
    """One request, and all that is done to it at once."""

    approval: Approval
    acts: tuple[Act, ...]


@dataclass(slots=True)
class Course:
    """Three replicas, Slack on the way to each, and what came of it all."""

    ground: Office
    replicas: list[Child]
    ways: list[Dispatch]
    chance: random.Random
    turns: list[asyncio.Lock] = field(default_factory=lambda: [asyncio.Lock() for _ in range(REPLICAS)])
    races: list[Race] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)

    async def run(self, count: int) -> None:
        """So many races, a few at a time, and then the looks at what is left of each."""
        gate = asyncio.Semaphore(_TOGETHER)

        async def one(number: int) -> None:
            async with gate:
                self.races.append(await self._race(number))

        await asyncio.gather(*(one(number) for number in range(count)))
        await self._settled()
        await self._judge()

    async def _race(self, number: int) -> Race:
        people = self.ground.people
        requester = people[3 * TEAMS + number % (len(people) - 3 * TEAMS)]
        name = self.chance.choice(("own", "by_one_{}", "by_two_{}")).format(number % TEAMS)
        race = Race(approval := await self.ground.asks(requester, name), tuple(self._acts(name, requester)))
        await asyncio.gather(*(self._act(approval, act) for act in race.acts))
        return race

    def _acts(self, name: str, requester: Principal) -> Iterator[Act]:
        """Double clicks and both buttons of everybody who may, a withdrawal, and a clock that is ahead."""
        voters = [requester]
        if name != "own":
            first = 3 * int(name.rpartition("_")[2])
            voters = list(self.ground.people[first : first + (3 if name.startswith("by_two") else 2)])
        wishes = [(APPROVE, who) for who in voters for _ in range(2)]
        wishes += [(DENY, self.chance.choice(voters))] if self.chance.random() < 0.5 else []
        wishes += [(WITHDRAW, requester)] if self.chance.random() < 0.5 else []
        for what, who in wishes:
            yield self._act_of(what, who)
        if self.chance.random() < 0.5:
            yield self._act_of(_EXPIRE, None)

    def _act_of(self, what: str, who: Principal | None) -> Act:
        return Act(self.chance.randrange(REPLICAS), what, who, self.chance.uniform(0.0, _SPREAD))

    async def _act(self, approval: Approval, act: Act) -> None:
        await asyncio.sleep(act.after)
        if act.who is None:
            async with self.turns[act.at]:  # a process carries out one order after the other
                await self.replicas[act.at](_EXPIRE, workspace=approval.requester.workspace, ids=[approval.id])
            return
        delivery = await click(self.ways[act.at], act.who, approval, act.what)
        if delivery.failure is not None:
            self.flaws.append(f"{approval.id}: {act.what} had no ack ({delivery.failure})")

    async def _settled(self) -> None:
        """Until nothing is open any more and every card says so; whoever voted in a quorum of two may have to wait."""
        deadline = time.monotonic() + _SETTLED
        while time.monotonic() < deadline:
            found = [await self._now(race) for race in self.races[-200:]]
            if all(one.audited and one.told and one.state.final for one in found if one.votes or one.state.final):
                return
            await asyncio.sleep(0.5)

    async def _now(self, race: Race) -> Approval:
        found = await self.ground.store.get(race.approval.requester.workspace, race.approval.id)
        assert found is not None
        return found

    async def _judge(self) -> None:
        entries = [entry async for entry in self.ground.trail.entries()]
        if bad := first_bad(entries):
            self.flaws.append(f"the chain {bad.chain} does not hold at {bad.seq}: {bad.why}")
        of: dict[str, list[Entry]] = {}
        for entry in entries:
            of.setdefault(str(entry.get("approval")), []).append(entry)
        for race in self.races:
            now = await self._now(race)
            self.ends[str(now.state)] += 1
            for flaw in _flaws(now, of.get(now.id, []), self.ground.ledger.arrivals.get(now.run, [])):
                self.flaws.append(f"{now.id} ({now.action}, {now.state}): {flaw}")


def _flaws(now: Approval, entries: Sequence[Entry], calls: Sequence[float]) -> Iterator[str]:
    """What is not as it must be with one request at its end."""
    kinds = Counter(str(entry["type"]) for entry in entries if entry["type"] != "action.refused")
    if len(calls) > 1:
        yield f"was executed {len(calls)} times"
    if len(calls) != kinds["action.started"] or kinds["action.started"] != kinds["action.finished"]:
        yield f"{len(calls)} calls, {kinds['action.started']} begun and {kinds['action.finished']} ended on record"
    if now.state is State.PENDING and now.policy.quorum > 1 and now.agreed < now.policy.quorum:
        return  # one of two has agreed, and the other has not come
    if now.state not in _ENDS:
        yield "is not at its end"
        return
    verdicts = {kind for kind in kinds if kind in _VERDICTS}
    needed = now.policy.quorum if _ENDS[now.state] == "approval.approved" else 1
    if kinds[_ENDS[now.state]] != needed:
        yield f"{kinds[_ENDS[now.state]]} entries of its verdict"
    others = verdicts - {_ENDS[now.state]} - ({"approval.approved"} if now.policy.quorum > 1 else set())
    if others:
        yield f"two verdicts: {', '.join(sorted(verdicts))}"
    if bool(calls) is not (_ENDS[now.state] == "approval.approved"):
        yield f"{len(calls)} calls"
    if not now.told or any(copy.shown != now.revision for copy in now.copies):
        yield "its card does not say so"


@asynccontextmanager
async def course(directory: Path, seed: int) -> AsyncIterator[Course]:
    """While it is needed."""
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(office(directory, PEOPLE, policies()))
        replicas = [await stack.enter_async_context(child("tests.faults.office.desk")) for _ in range(REPLICAS)]
        ports = free_ports(REPLICAS)
        addresses = await asyncio.gather(
            *(one("open", environment=ground.replica(port)) for one, port in zip(replicas, ports, strict=True))
        )
        ways = [await stack.enter_async_context(ground.slack_to(address, wait=30.0)) for address in addresses]
        yield Course(ground, replicas, ways, random.Random(seed))  # noqa: S311 - moments, not secrets


async def measured(count: int, seed: int, directory: Path | None = None) -> dict[str, Any]:
    """A run by itself: its figures, with the flaws in words under `broken`. `directory` is for its files."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=directory) as here:
        async with course(Path(here), seed) as run:
            await run.run(count)
            acts: Mapping[str, int] = Counter(act.what for race in run.races for act in race.acts)
            return {
                "figure": "approval_races",
                "seed": seed,
                "races": len(run.races),
                "replicas": REPLICAS,
                "acts": dict(acts),
                "ends": dict(run.ends),
                "calls": sum(map(len, run.ground.ledger.arrivals.values())),
                "calls_without_receipt": run.ground.ledger.wanting["Approval-Receipt"],
                "flaws": len(run.flaws),
                "seconds": round(time.perf_counter() - began, 1),
                "broken": run.flaws,
            }


def main() -> None:
    """Ends with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.races", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many races (10000)")
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
