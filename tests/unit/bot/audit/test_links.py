"""What happens to links: an entry first, then word of it, and no one waits for the listeners."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from bot.audit.links import LinkTrail
from bot.audit.writer import AuditWriter
from bot.errors import AuditUnavailable
from bot.tasks import Tasks
from oauth import LinkEvent
from tests.conftest import HandClock
from tests.fakes.audit import MemoryAuditStore
from tests.fakes.runner import AUDIT_KEY, person

ADA, BOB = person("ada"), person("bob")
LINKED = LinkEvent(
    "link.completed",
    "ok",
    slack=ADA.slack,
    identity=ADA.identity,
    reason="first",
    principal=ADA,
    scopes=frozenset({"orders:read"}),
    token_jti="jti-1",
    other=BOB.slack,
)


class House:
    """A trail of links on a store in memory."""

    def __init__(self, clock: HandClock) -> None:
        self.store, self.tasks = MemoryAuditStore(), Tasks()
        self.trail = LinkTrail(AuditWriter(self.store, AUDIT_KEY, clock), self.tasks)


@pytest.fixture
def house(clock: HandClock) -> House:
    """An empty one."""
    return House(clock)


async def test_an_event_becomes_an_entry(house: House) -> None:
    """Who, which identity, why, and with which scopes."""
    await house.trail.record(LINKED)
    (entry,) = house.store.of("link.completed")
    del entry["hash"]
    assert entry == {
        "chain": "T1",
        "seq": 1,
        "at": "2030-01-02T12:00:00.000Z",
        "type": "link.completed",
        "outcome": "ok",
        "reason": "first",
        "team": "T1",
        "user": "UADA",
        "sub": "auth0|ada",
        "scopes": ["orders:read"],
        "token_jti": "jti-1",
        "prev": "0" * 64,
    }


async def test_recording_tells_nobody(house: House) -> None:
    """The step has not taken effect yet when it is written down."""
    told: list[LinkEvent] = []

    async def listener(event: LinkEvent) -> None:
        told.append(event)

    house.trail.subscribe(listener)
    await house.trail.record(LINKED)
    await house.tasks.drain(1)
    assert told == []


async def test_t54_what_cannot_be_recorded_raises(house: House) -> None:
    """The identity package stops the step on it."""
    house.store.away = True
    with pytest.raises(AuditUnavailable):
        await house.trail.record(LINKED)


async def test_listeners_are_told_in_tasks(house: House) -> None:
    """A listener that hangs on Slack keeps neither the caller nor the other listeners waiting."""
    told: list[str] = []
    gate = asyncio.Event()

    async def slow(event: LinkEvent) -> None:
        await gate.wait()
        told.append("slow")

    async def quick(event: LinkEvent) -> None:
        told.append(event.type)

    house.trail.subscribe(slow)
    house.trail.subscribe(quick)
    caller = asyncio.create_task(house.trail.notify(LINKED))
    await asyncio.sleep(0)
    assert (caller.done(), told) == (True, [])
    await asyncio.sleep(0)
    assert told == ["link.completed"]
    gate.set()
    assert await house.tasks.drain(1) == 0
    assert told == ["link.completed", "slow"]
    assert house.store.types() == []


async def test_a_listener_that_fails_stops_no_other(house: House) -> None:
    """It is logged by its type, without what it had to say."""
    told: list[str] = []

    async def broken(event: LinkEvent) -> None:
        raise RuntimeError("canary")

    async def sound(event: LinkEvent) -> None:
        told.append(event.type)

    house.trail.subscribe(broken)
    house.trail.subscribe(sound)
    with structlog.testing.capture_logs() as logs:
        await house.trail.notify(LINKED)
        await house.tasks.drain(1)
    assert told == ["link.completed"]
    assert [(one["event"], one["kind"]) for one in logs] == [("task_failed", "RuntimeError")]
    assert "canary" not in str(logs)


async def test_without_tasks_nobody_is_told(house: House, clock: HandClock) -> None:
    """On the command line there is no Slack to tell it to, and the entry is written all the same."""
    told: list[LinkEvent] = []

    async def listener(event: LinkEvent) -> None:
        told.append(event)

    trail = LinkTrail(AuditWriter(house.store, AUDIT_KEY, clock))
    trail.subscribe(listener)
    await trail.record(LINKED)
    await trail.notify(LINKED)
    await asyncio.sleep(0)
    assert (told, house.store.types()) == ([], ["link.completed"])
