"""A link that ends while a hundred callers are refreshing it.

A call that is under way may have seen the link a moment before its end and be answered a moment after it: that the
provider honours nothing of that grant any more is what keeps it from being of use.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from oauth import IdentityError
from tests.bench import people
from tests.bench.figures import Bound, Figure, Sizes, milliseconds
from tests.bench.ground import REPLICAS, ground, replicas
from tests.bench.progress import say
from tests.bench.worker import Worker

CALLERS, LATE_CALLERS = 100, 30
_DELAY = 0.05
_HALF_LATER = 0.1  # seconds over which half of the callers are spread; the others begin at once


async def unlink_race(sizes: Sizes, directory: Path) -> AsyncIterator[Figure]:
    """The moment of the end is anywhere in the refresh, and so is the replica that ends it."""
    chance = random.Random(1)  # noqa: S311 - moments, not secrets
    done, left, alive = [], 0, 0
    async with ground(directory) as here, replicas(here.given) as crew:
        await here.warm(crew, [sizes.unlinks + one for one in range(len(crew))])
        for number in range(sizes.unlinks):
            await here.provider("begin", delay=_DELAY)
            await here.add_expired([number])
            begins = [0.0] * (CALLERS // 2) + [chance.uniform(0.0, _HALF_LATER) for _ in range(CALLERS // 2)]
            after = chance.uniform(0.0, 1.5 * _DELAY)
            orders = [
                {"number": number, "begins": begins[at :: len(crew)], "unlink": None if at else after}
                for at in range(len(crew))
            ]
            turn = number % len(crew)
            crew_ = crew[turn:] + crew[:turn]
            parts = await asyncio.gather(*(one("race", **order) for one, order in zip(crew_, orders, strict=True)))
            late = {"number": number, "begins": [0.0] * (LATE_CALLERS // len(crew)), "unlink": None}
            parts += await asyncio.gather(*(one("race", **late) for one in crew))
            counts = await here.provider("counts")
            done.append(_Race(parts, math.inf if counts["live"] else counts["ended"]))
            left += await here.database["links"].count_documents({"_id": people.slack(number).key})
            alive += counts["live"]
        waiting = await here.database["revocations"].count_documents({})
        say(f"unlink_race: {sizes.unlinks} links ended")
    outcomes = sum((one.outcomes for one in done), Counter[str]())
    yield Figure(
        "unlink_race",
        Bound(sum(one.begun_too_late for one in done), exactly=0),
        "tokens for calls that begin after unlink has returned",
        f"{CALLERS} callers at {REPLICAS} replicas, {sizes.unlinks} times, and {LATE_CALLERS} more afterwards",
        also={
            "late_tokens_of_a_live_grant": Bound(sum(one.honoured for one in done), exactly=0),
            "links_left": Bound(left, exactly=0),
            "grants_alive": Bound(alive, exactly=0),
            "links_unlinked": Bound(sum(one.ended for one in done), exactly=sizes.unlinks),
        },
        detail={
            "provider_delay_ms": _DELAY * 1000,
            "under_way_at_unlink": sum(one.under_way for one in done),
            "of_those_given_late": sum(len(one.late) for one in done),
            "latest_ms": max((late for one in done for late in one.late), default=0.0) * 1000,
            "outcomes": dict(outcomes),
            "notes_left_to_the_sweep": waiting,
            "unlink": milliseconds([one.took for one in done]),
        },
    )


class _Race:
    """What all replicas saw of one, whose grant died at `dead`; the processes of one machine share this clock."""

    def __init__(self, parts: list[dict[str, Any]], dead: float) -> None:
        (unlink,) = (part["unlink"] for part in parts if part["unlink"])
        self.ended, began, returned = unlink["ended"], unlink["began"], unlink["returned"]
        self.took = returned - began
        calls = [call for part in parts for call in part["calls"]]
        given = [call for call in calls if call["outcome"] == "token"]
        self.outcomes = Counter(call["outcome"] for call in calls)
        self.late = [call["returned"] - returned for call in given if call["returned"] > returned]
        self.honoured = sum(returned < call["returned"] < dead for call in given)
        self.begun_too_late = sum(call["began"] > returned for call in given)
        self.under_way = sum(call["began"] < began < call["returned"] for call in calls)


async def race(worker: Worker, number: int, begins: list[float], unlink: float | None) -> dict[str, Any]:
    """The replica's part: callers that begin after so many seconds each, and maybe the end of the link."""
    who = worker.who(number)

    async def call(begin: float) -> dict[str, Any]:
        await asyncio.sleep(begin)
        began = time.monotonic()
        try:
            await worker.token(who)
        except IdentityError as refused:
            return {"began": began, "returned": time.monotonic(), "outcome": refused.code}
        return {"began": began, "returned": time.monotonic(), "outcome": "token"}

    async def end() -> dict[str, Any] | None:
        if unlink is None:
            return None
        await asyncio.sleep(unlink)
        began = time.monotonic()
        ended = await worker.rooms.links.unlink(who.slack, "user")
        return {"began": began, "returned": time.monotonic(), "ended": ended}

    ended, *calls = await asyncio.gather(end(), *(call(begin) for begin in begins))
    return {"unlink": ended, "calls": calls}
