"""What a click costs: until Slack has its ack, and until the call reaches the service; few and many of them."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.approvals.model import Approval
from bot.sandbox.slack.dispatch import Dispatch
from tests.bench.figures import Bound, Figure, Sizes, milliseconds
from tests.bench.orders import child
from tests.bench.progress import say
from tests.faults import crashes, races
from tests.faults.office.scene import APPROVE, Office, click, free_ports, office

_PEOPLE = 100
_QUIET, _BUSY = 20.0, 100.0  # clicks a second
_AFTER = 3.0  # seconds in which the last calls arrive
_SEED = 20_261_125


@dataclass(slots=True)
class Clicked:
    """Seconds from each click: to its ack, and to its call."""

    acks: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    lost: int = 0


async def clicks(sizes: Sizes, directory: Path) -> AsyncIterator[Figure]:
    """The whole bot in a process of its own, in the sandbox, each person with a token at hand."""
    async with (
        office(directory, _PEOPLE, {"pay": 'approval = "self"'}) as ground,
        child("tests.faults.office.desk") as desk,
    ):
        address = await desk("open", environment=ground.replica(free_ports(1)[0]))
        async with ground.slack_to(address) as slack:
            await _clicked(ground, slack, _PEOPLE, _QUIET)  # each has refreshed once, and every import is done
            quiet = await _clicked(ground, slack, sizes.clicks, _QUIET)
            busy = await _clicked(ground, slack, sizes.clicks, _BUSY)
            say(f"clicks: {sizes.pending} more requests that wait")
            model = await ground.asks(ground.people[0], "pay")
            await ground.alike(model, sizes.pending)
            crowded = await _clicked(ground, slack, sizes.clicks, _QUIET)
    yield Figure(
        "click_to_call",
        Bound(statistics.median(quiet.calls) * 1000, most=30.0),
        "ms, median",
        f"{_QUIET:g} clicks a second",
        also={"lost": Bound(quiet.lost, exactly=0)},
        detail={"call": milliseconds(quiet.calls), "ack": milliseconds(quiet.acks), "clicks": len(quiet.acks)},
    )
    yield Figure(
        "click_ack",
        Bound(milliseconds(busy.acks)["p99_ms"], most=100.0),
        "ms, p99",
        f"{_BUSY:g} clicks a second",
        also={"lost": Bound(busy.lost, exactly=0)},
        detail={"ack": milliseconds(busy.acks), "call": milliseconds(busy.calls), "clicks": len(busy.acks)},
    )
    yield Figure(
        "click_crowded",
        Bound(statistics.median(crowded.calls) / statistics.median(quiet.calls), most=1.2),
        "ratio",
        f"the same with {sizes.pending} more requests that wait, over without",
        also={"lost": Bound(crowded.lost, exactly=0)},
        detail={"call": milliseconds(crowded.calls), "ack": milliseconds(crowded.acks)},
    )


async def _clicked(ground: Office, slack: Dispatch, count: int, rate: float) -> Clicked:
    """So many people agree to what they have asked for, at even distances, whatever becomes of the earlier clicks."""
    asked = [await ground.asks(ground.people[number % _PEOPLE], "pay") for number in range(count)]
    await asyncio.sleep(_AFTER)
    found, began = Clicked(), {}
    started = time.perf_counter()

    async def one(number: int, approval: Approval) -> None:
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        at = began[approval.run] = time.perf_counter()
        delivery = await click(slack, ground.people[number % _PEOPLE], approval, APPROVE)
        found.acks.append(time.perf_counter() - at)
        found.lost += delivery.failure is not None

    await asyncio.gather(*(one(number, approval) for number, approval in enumerate(asked)))
    async with asyncio.timeout(60):
        while not _all(ground, began):  # noqa: ASYNC110 - what is waited for comes from another process
            await asyncio.sleep(0.1)
    found.calls = [ground.ledger.arrivals[run][0] - at for run, at in began.items()]
    await asyncio.sleep(_AFTER)
    return found


def _all(ground: Office, runs: Sequence[str] | dict[str, float]) -> bool:
    return all(run in ground.ledger.arrivals for run in runs)


async def approval_races(sizes: Sizes, directory: Path) -> AsyncIterator[Figure]:
    """Approve, deny, withdraw and expire at once, over three replicas."""
    found = await races.measured(sizes.races, _SEED, directory)
    yield Figure(
        "approval_races",
        Bound(found.pop("flaws"), exactly=0),
        "broken promises",
        f"{sizes.races} requests with all at once, over three replicas",
        also={"races": Bound(found.pop("races"), exactly=sizes.races)},
        detail={name: value for name, value in found.items() if name != "figure"},
    )


async def approval_kills(sizes: Sizes, directory: Path) -> AsyncIterator[Figure]:
    """Replicas that are killed between the click and the result."""
    found = await crashes.measured(sizes.crashes, _SEED, directory)
    yield Figure(
        "approval_kills",
        Bound(found.pop("flaws"), exactly=0),
        "broken promises",
        f"kill -9 of the replica at {sizes.crashes} random moments from the click to the result",
        also={
            "kills": Bound(found.pop("kills"), exactly=sizes.crashes),
            "slowest_card_seconds": Bound(found["true_after_seconds"]["most"], most=30.0),
        },
        detail={name: value for name, value in found.items() if name != "figure"},
    )
