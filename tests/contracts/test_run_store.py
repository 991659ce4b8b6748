"""What every store of runs promises."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.work import Outcome, Place, Running, RunStore, Stop
from bot.work.model import Person, Run
from bot.work.store import MongoRunStore
from oauth import SlackUser
from tests.fakes.runs import MemoryRunStore

NOW = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=15)
ADA, BOB = SlackUser("T1", "UADA"), SlackUser("T1", "UBOB", "E1")
RUNNING = Running("aa", ADA, "auth0|ada", "1", "copy", NOW, "f00", (Person(BOB, "auth0|bob"),), "org_1")
OTHER = Running("bb", ADA, "auth0|ada", "1", "copy", NOW)
STOP = Stop("stopped", Person(BOB, "auth0|bob"))


@pytest.fixture(params=["memory", "database"])
def store(request: pytest.FixtureRequest) -> RunStore:
    """Both adapters keep the same promises."""
    if request.param == "memory":
        return MemoryRunStore()
    return MongoRunStore(request.getfixturevalue("mongo_database"))


async def due(store: RunStore, now: datetime) -> list[str]:
    """The names of what is due."""
    return [run.running.run async for run in store.due(now)]


async def test_a_run_comes_back_as_it_was(store: RunStore) -> None:
    """In its own workspace alone."""
    if isinstance(store, MongoRunStore):
        await store.ensure_indexes()
    assert await store.get("T1", "aa") is None
    assert (await store.begin(RUNNING, SOON)).running == RUNNING
    await store.placed(RUNNING, Place("D1", "1.1"))
    assert await store.get("T1", "aa") == Run(RUNNING, place=Place("D1", "1.1"))
    assert await store.get("T2", "aa") is None


async def test_one_stop_counts_while_it_goes_on(store: RunStore) -> None:
    """Of many at the same moment one is the first; after the end none is (guards: the query)."""
    assert await store.stop(RUNNING, STOP) is False
    await store.begin(RUNNING, SOON)
    await store.begin(OTHER, SOON)
    assert sum(await asyncio.gather(*(store.stop(RUNNING, STOP) for _ in range(10)))) == 1
    assert await store.stops([RUNNING, OTHER]) == {"aa": STOP}
    await store.end(OTHER, Outcome.OK, None, SOON)
    assert await store.stop(OTHER, STOP) is False


async def test_a_stop_outlives_the_process_that_should_have_heard_it(store: RunStore) -> None:
    """Whoever begins the run anew hears of it."""
    await store.begin(RUNNING, SOON)
    await store.placed(RUNNING, Place("D1", "1.1"))
    await store.stop(RUNNING, STOP)
    await store.end(RUNNING, Outcome.UNKNOWN, "interrupted", SOON)
    again = await store.begin(RUNNING, SOON)
    assert (again.stop, again.outcome, again.place) == (STOP, None, Place("D1", "1.1"))


async def test_one_end_counts(store: RunStore) -> None:
    """The first; who is late hears so."""
    await store.begin(RUNNING, SOON)
    assert await store.end(RUNNING, Outcome.UNKNOWN, "stopped", SOON) is True
    assert await store.end(RUNNING, Outcome.OK, None, SOON) is False
    run = await store.get("T1", "aa")
    assert run is not None
    assert (run.outcome, run.reason) == (Outcome.UNKNOWN, "stopped")


async def test_what_nobody_keeps_alive_is_due_and_one_takes_it(store: RunStore) -> None:
    """As long as its process says that it lives it is nobody's; once everything is told it is never due again."""
    await store.begin(RUNNING, SOON)
    await store.begin(OTHER, SOON)
    assert await due(store, NOW) == []
    await store.alive([RUNNING], SOON + timedelta(minutes=1))
    assert await due(store, SOON) == ["bb"]
    (found,) = [run async for run in store.due(SOON)]
    taken = await asyncio.gather(*(store.take(found, SOON + timedelta(hours=1)) for _ in range(10)))
    assert sum(taken) == 1
    assert await due(store, SOON) == []
    await store.told(OTHER)
    assert await due(store, SOON + timedelta(days=1)) == ["aa", "bb"]
    await store.end(OTHER, Outcome.OK, None, SOON)
    await store.told(OTHER)
    assert await due(store, SOON + timedelta(days=1)) == ["aa"]


async def test_t59_the_same_name_elsewhere_is_another_run(store: RunStore) -> None:
    """Keys begin with the workspace."""
    elsewhere = replace(RUNNING, requester=SlackUser("T2", "UADA"))
    await store.begin(RUNNING, SOON)
    await store.begin(elsewhere, SOON)
    await store.stop(elsewhere, STOP)
    assert await store.stops([RUNNING]) == {}
