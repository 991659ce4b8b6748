"""Thousands of tokens that end at the same moment, and three replicas that are all asked for all of them."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import jwt
from jwt import PyJWK

from oauth import IdentityError
from tests.bench import people
from tests.bench.figures import Bound, Figure, Sizes, milliseconds
from tests.bench.ground import REPLICAS, Ground, ground, replicas
from tests.bench.orders import Child
from tests.bench.progress import say
from tests.bench.worker import Worker

CALLERS = 4
_T = TypeVar("_T")


async def herd(sizes: Sizes, directory: Path) -> AsyncIterator[Figure]:
    """With a provider that takes its time, as one elsewhere does; more crowded than the database of one machine can
    write; and with a provider that only the processor bounds.
    """
    yield await _herd("herd", sizes, directory / "slow", sizes.delay, most=1.3)
    crowded = replace(sizes, window=sizes.window * CALLERS)
    yield await _herd("herd_crowded", crowded, directory / "crowded", sizes.delay, most=None)
    yield await _herd("herd_without_delay", sizes, directory / "quick", 0.0, most=None)


async def _herd(name: str, sizes: Sizes, directory: Path, delay: float, most: float | None) -> Figure:
    async with ground(directory) as here:
        ours, counts = await _refreshed(here, sizes, delay)
        say(f"{name}: {sizes.herd} links refreshed in {_took(ours):.1f} s")
        # A herd that is held up by something else must not have it easier for that.
        at_once = max(sizes.window, counts["most_in_flight"])
        bare, bare_counts = await _bare(here, sizes.herd, delay, at_once)
        say(f"{name}: {sizes.herd} bare refreshes in {_took(bare):.1f} s")
    calls = sizes.herd * CALLERS * REPLICAS
    failed = sum((Counter(one["failed"]) for one in ours), Counter[str]())
    return Figure(
        name,
        Bound(_took(ours) / _took(bare), most=most),
        "ratio of total times",
        f"the refresh requests alone, from as many processes, {at_once} at a time",
        also={
            "refresh_calls": Bound(counts["refresh_calls"], exactly=sizes.herd),
            "families_revoked": Bound(counts["revoked_for_reuse"], exactly=0),
            "grants_alive": Bound(counts["live"], exactly=sizes.herd),
            "tokens_of_the_right_person": Bound(sum(one["right"] for one in ours), exactly=calls),
        },
        detail={
            "links": sizes.herd,
            "replicas": REPLICAS,
            "callers_each": CALLERS,
            "links_at_a_time_each": sizes.window,
            "workspaces": -(-sizes.herd // people.WORKSPACE),
            "provider_delay_ms": delay * 1000,
            "seconds": _took(ours),
            "bare_seconds": _took(bare),
            "most_in_flight": counts["most_in_flight"],
            "mean_in_flight": counts["mean_in_flight"],
            "bare_most_in_flight": bare_counts["most_in_flight"],
            "bare_mean_in_flight": bare_counts["mean_in_flight"],
            "database_operations_a_link": counts["operations"],
            "processor_ms_a_link": {"replicas": _processor(ours) / sizes.herd, "bare": _processor(bare) / sizes.herd},
            "a_call": milliseconds([seconds for one in ours for seconds in one["waited"]]),
            "a_bare_call": milliseconds([seconds for one in bare for seconds in one["waited"]]),
            "failed": dict(failed),
        },
    )


async def _refreshed(here: Ground, sizes: Sizes, delay: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    numbers = list(range(sizes.herd))
    random.Random(1).shuffle(numbers)  # noqa: S311 - neighbours are not always of one workspace
    async with replicas(here.given) as crew:
        await here.warm(crew, [sizes.herd + one for one in range(len(crew))])
        await here.provider("begin", delay=delay)
        await here.add_expired(numbers)
        order = {"numbers": numbers, "callers": CALLERS, "window": sizes.window}
        before = await _operations(here)
        done = await asyncio.gather(*(replica("walk", **order) for replica in crew))
        made = await _operations(here)
        each = {name: (made[name] - before[name]) / sizes.herd for name in made if made[name] > before[name]}
        return done, await here.provider("counts") | {"operations": each}


async def _bare(here: Ground, count: int, delay: float, at_once: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    async with replicas(here.given, sweeping=False) as crew:
        await here.provider("begin", delay=0.0)
        warm = zip(crew, await _grants(here.provider, len(crew)), strict=True)
        await asyncio.gather(*(one("bare", tokens=[token], window=1) for one, token in warm))
        await here.provider("begin", delay=delay)
        queue = iter(await _grants(here.provider, count))
        shares = [(at_once + one) // len(crew) for one in range(len(crew))]
        parts = [list(itertools.islice(queue, round(count * share / at_once))) for share in shares]
        parts[-1].extend(queue)
        orders = zip(crew, parts, shares, strict=True)
        done = await asyncio.gather(*(one("bare", tokens=part, window=share) for one, part, share in orders if share))
        return done, await here.provider("counts")


async def _operations(here: Ground) -> dict[str, int]:
    """What the database server was asked since it started, by its own count."""
    return dict((await here.database.client["admin"].command("serverStatus"))["opcounters"])


async def _grants(provider: Child, count: int) -> list[str]:
    return [str(token) for token in await provider("grants", subs=[people.sub(number) for number in range(count)])]


def _took(parts: list[dict[str, Any]]) -> float:
    """From the first beginning to the last end; the processes of one machine share this clock."""
    return float(max(part["ended"] for part in parts) - min(part["began"] for part in parts))


def _processor(parts: list[dict[str, Any]]) -> float:
    """Milliseconds that all of them spent on it."""
    return float(sum(part["processor"] for part in parts) * 1000)


async def walk(worker: Worker, numbers: list[int], callers: int, window: int) -> dict[str, Any]:
    """The replica's part: go through these people in this order, a few of them at a time, with so many callers each."""
    found: dict[int, list[str]] = {number: [] for number in numbers}
    failed: Counter[str] = Counter()
    waited: list[float] = []

    async def call(number: int) -> None:
        who = worker.who(number)
        began = time.monotonic()
        try:
            found[number].append((await worker.token(who)).value)
        except IdentityError as refused:
            failed[refused.code] += 1
        waited.append(time.monotonic() - began)

    async def all_callers(number: int) -> None:
        await asyncio.gather(*(call(number) for _ in range(callers)))

    times = await _in_lanes(numbers, window, all_callers)
    return {**times, "right": await _right(worker, found), "failed": failed, "waited": waited}


async def bare(worker: Worker, tokens: list[str], window: int) -> dict[str, Any]:
    """The replica's part: the refresh requests alone, over one client and without a database."""
    form = {"grant_type": "refresh_token", "scope": " ".join(people.READ), "audience": people.AUDIENCE}
    form |= {"client_id": worker.given.client_id, "client_secret": worker.given.client_secret}
    endpoint = str((await worker.rooms.provider.metadata())["token_endpoint"])
    waited: list[float] = []
    async with httpx2.AsyncClient(timeout=10.0) as client:

        async def refresh(token: str) -> None:
            began = time.monotonic()
            answer = await client.post(endpoint, data=form | {"refresh_token": token})
            answer.raise_for_status()
            assert answer.json()["access_token"]
            waited.append(time.monotonic() - began)

        return {**await _in_lanes(tokens, window, refresh), "waited": waited}


async def _in_lanes(things: Iterable[_T], lanes: int, do: Callable[[_T], Awaitable[object]]) -> dict[str, float]:
    waiting = iter(things)

    async def lane() -> None:
        for thing in waiting:
            await do(thing)

    began, spent = time.monotonic(), time.process_time()
    await asyncio.gather(*(lane() for _ in range(lanes)))
    return {"began": began, "ended": time.monotonic(), "processor": time.process_time() - spent}


async def _right(worker: Worker, found: dict[int, list[str]]) -> int:
    """How many of these tokens are signed by the provider for the person that they were handed out for."""
    (published,) = (await worker.rooms.provider.signing_keys())["keys"]
    key, right = PyJWK(published), 0
    for number, tokens in found.items():
        for token, times in Counter(tokens).items():
            claims = jwt.decode(token, key, algorithms=["ES256"], audience=people.AUDIENCE)
            right += times * (claims["sub"] == people.sub(number) and claims["scope"].split() == sorted(people.READ))
    return right
