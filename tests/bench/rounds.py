"""Fifty callers on one expired link, again and again; and the same with what a user would have written."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from oauth import IdentityError, utc_now
from tests.bench import people
from tests.bench.figures import Bound, Figure, Sizes, milliseconds
from tests.bench.ground import REPLICAS, Ground, ground, replicas
from tests.bench.naive import NaiveClient
from tests.bench.orders import Child
from tests.bench.progress import say
from tests.bench.worker import Worker

CALLERS = 50
_ADA = 1
_DELAY = 0.02


async def rounds(sizes: Sizes, directory: Path) -> AsyncIterator[Figure]:
    """The bench ends the token in the database before each round, as time would."""
    async with ground(directory) as here, replicas(here.given) as crew:
        await here.warm(crew, [people.WORKSPACE + one for one in range(len(crew))])
        await here.provider("begin", delay=_DELAY)
        await here.add_expired([_ADA])
        done = []
        for number in range(sizes.rounds):
            await _over(here)
            done.append(await _asked(crew, "ask"))
            if number % 100 == 99:
                say(f"rounds: {number + 1} of {sizes.rounds}")
        counts = await here.provider("counts")
        naive = await _naively(here, crew, sizes.naive_rounds)
    yield Figure(
        "rounds",
        Bound(counts["refresh_calls"], exactly=sizes.rounds),
        "refresh calls",
        f"one for each of {sizes.rounds} rounds of {CALLERS} callers",
        also={
            "families_revoked": Bound(counts["revoked_for_reuse"], exactly=0),
            "grants_alive": Bound(counts["live"], exactly=1),
            "rounds_of_one_token": Bound(sum(len(one["tokens"]) == 1 for one in done), exactly=sizes.rounds),
            "calls_answered": Bound(sum(one["answered"] for one in done), exactly=sizes.rounds * CALLERS),
        },
        detail={
            "replicas": REPLICAS,
            "provider_delay_ms": _DELAY * 1000,
            "a_round": milliseconds([one["seconds"] for one in done]),
            "failed": dict(sum((Counter(one["failed"]) for one in done), Counter[str]())),
            "naive": naive,
        },
    )


async def _over(here: Ground) -> None:
    """The access token has had its time; nothing else of the link changes."""
    key = people.slack(_ADA).key
    over = utc_now() - timedelta(seconds=1)
    times = {"access.0.issued_at": over - timedelta(hours=1), "access.0.expires_at": over}
    done = await here.database["links"].update_one({"_id": key, "access.0": {"$exists": True}}, {"$set": times})
    assert done.matched_count == 1


async def _asked(crew: list[Child], job: str) -> dict[str, Any]:
    """One round; callers are spread over the replicas."""
    shares = [(CALLERS + one) // len(crew) for one in range(len(crew))]
    began = time.monotonic()
    parts = await asyncio.gather(*(one(job, number=_ADA, callers=n) for one, n in zip(crew, shares, strict=True)))
    return {
        "seconds": time.monotonic() - began,
        "tokens": {token for part in parts for token in part["tokens"]},
        "answered": sum(part["answered"] for part in parts),
        "failed": sum((Counter(part["failed"]) for part in parts), Counter[str]()),
    }


async def _naively(here: Ground, crew: list[Child], count: int) -> dict[str, Any]:
    """A new grant for each round, since hardly one survives its round."""
    client, key = NaiveClient(here.database, here.given), people.slack(_ADA).key
    await here.provider("begin", delay=_DELAY)
    done = []
    for _ in range(count):
        (refresh_token,) = await here.provider("grants", subs=[people.sub(_ADA)])
        await client.keep(key, refresh_token, seconds=-1)
        done.append(await _asked(crew, "ask_naively"))
    counts = await here.provider("counts")
    return {
        "rounds": count,
        "calls": count * CALLERS,
        "refresh_calls": counts["refresh_calls"],
        "calls_failed": count * CALLERS - sum(one["answered"] for one in done),
        "families_revoked": counts["revoked_for_reuse"],
        "failed": dict(sum((Counter(one["failed"]) for one in done), Counter[str]())),
        "a_round": milliseconds([one["seconds"] for one in done]),
    }


async def ask(worker: Worker, number: int, callers: int) -> dict[str, Any]:
    """The replica's part: so many callers at once."""
    who = worker.who(number)

    async def one() -> str:
        return (await worker.token(who)).value

    return _sorted(await asyncio.gather(*(one() for _ in range(callers)), return_exceptions=True))


async def ask_naively(worker: Worker, number: int, callers: int) -> dict[str, Any]:
    """The same with the naive client."""
    key = worker.who(number).slack.key
    asked = (worker.naive.token(key) for _ in range(callers))
    return _sorted(await asyncio.gather(*asked, return_exceptions=True))


def _sorted(answers: list[str | BaseException]) -> dict[str, Any]:
    """The tokens by their digests, and errors by their codes or kinds."""
    tokens = [answer for answer in answers if isinstance(answer, str)]
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    return {
        "tokens": sorted({hashlib.sha256(token.encode()).hexdigest() for token in tokens}),
        "answered": len(tokens),
        "failed": Counter(e.code if isinstance(e, IdentityError) else type(e).__name__ for e in errors),
    }
