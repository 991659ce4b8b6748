"""A token that is valid yet, beside one bare read of the same document."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from pymongo import monitoring

from oauth import Principal
from tests.bench.figures import Bound, Figure, Sizes, milliseconds, quartiles
from tests.bench.ground import ground, replicas
from tests.bench.naive import NaiveClient
from tests.bench.people import slack
from tests.bench.worker import Worker
from tests.faults.standing import standing

BLOCK, _NAIVE_BLOCK, _COUNTED = 50, 5, 100
_ADA = 1


async def valid_token(sizes: Sizes, directory: Path) -> AsyncIterator[Figure]:
    """Blocks of both in turn, so that whatever else the machine does hits both."""
    async with ground(directory) as here, replicas(here.given, 1, sweeping=False) as (replica,):
        await here.warm([replica], [_ADA])
        key = slack(_ADA).key
        await NaiveClient(here.database, here.given).keep(key, "never asked for", seconds=3600)
        taken: dict[str, list[float]] = {"broker": [], "find_one": [], "naive": []}
        for number in range(-2, sizes.blocks):
            for what in sorted(taken, reverse=number % 2 == 0):  # none always comes after the same one
                block = _NAIVE_BLOCK if what == "naive" else BLOCK
                measured = await replica("read", what=what, numbers=[_ADA] * block)
                if number >= 0:  # those before are for warming up
                    taken[what].extend(measured)
        counted = await replica("commands", number=_ADA, calls=_COUNTED)
    ours_and_theirs = (taken["broker"], taken["find_one"])
    yield Figure(
        "valid_token",
        Bound(ratio(*ours_and_theirs), most=1.5),
        "ratio of medians",
        "one bare Motor find_one of the same document",
        also={"commands_per_call": Bound(sum(counted.values()) / _COUNTED, exactly=1)},
        detail={
            "calls": len(taken["broker"]),
            "ratios_of_blocks": quartiles([ratio(*pair) for pair in zip(*map(_blocks, ours_and_theirs), strict=True)]),
            "token": milliseconds(taken["broker"]),
            "find_one": milliseconds(taken["find_one"]),
            "commands": counted,
            "naive": milliseconds(taken["naive"]) | {"ratio": ratio(taken["naive"], taken["find_one"])},
            "naive_is": "Motor find_one and authlib's AsyncOAuth2Client made for the request",
        },
    )


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Of the medians."""
    return statistics.median(ours) / statistics.median(theirs)


def _blocks(seconds: list[float]) -> list[list[float]]:
    return [seconds[at : at + BLOCK] for at in range(0, len(seconds), BLOCK)]


async def read(worker: Worker, what: str, numbers: list[int]) -> list[float]:
    """The replica's part: a token, or what it is compared with, for each of these people; seconds."""
    one = _ways(worker)[what]
    taken = []
    for number in numbers:
        who = worker.who(number)
        began = time.perf_counter()
        await one(who)
        taken.append(time.perf_counter() - began)
    return taken


def _ways(worker: Worker) -> dict[str, Callable[[Principal], Any]]:
    links, naive = worker.database["links"], worker.naive

    return {
        "broker": worker.token,
        "find_one": lambda who: links.find_one({"_id": who.slack.key}),
        "naive": lambda who: naive.token(who.slack.key),
    }


async def commands(worker: Worker, number: int, calls: int) -> dict[str, int]:
    """The replica's part: what the driver sends to the database for so many calls, by name.

    On connections of their own, so that nobody who listens slows down what is measured.
    """
    heard = _Commands()
    monitoring.register(heard)
    async with standing(worker.given) as other:
        listening = Worker(worker.given, other)
        await listening.token(worker.who(number))
        heard.names.clear()
        for _ in range(calls):
            await listening.token(worker.who(number))
        return dict(heard.names)


class _Commands(monitoring.CommandListener):
    def __init__(self) -> None:
        self.names: dict[str, int] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.names[event.command_name] = self.names.get(event.command_name, 0) + 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


async def rounds(worker: Worker, times: int) -> list[float]:
    """The replica's part: how long it takes to look for what dead processes left, which every round does; seconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await worker.rooms.recover()
        taken.append(time.perf_counter() - began)
    return taken


async def memory(_: Worker) -> float:
    """The replica's part: its resident memory in MiB."""
    return _resident()


def _resident() -> float:
    """Where the system does not tell, the most it ever was."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
