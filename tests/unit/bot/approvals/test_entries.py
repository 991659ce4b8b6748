"""The entries of two votes at once: each once, in order, whoever is slow or gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.approvals import Verdict
from bot.approvals.entries import Entries
from bot.approvals.model import Approval, State, Vote
from bot.audit.writer import AuditWriter
from tests.conftest import HandClock
from tests.fakes.runner import AUDIT_KEY, World, forever, person

CAROL = person("carol")


@pytest.fixture
async def world(clock: HandClock) -> World:
    """Two of Bob and Carol have to agree to what Ada asks for."""
    made = World(clock)
    made.links.link(CAROL)
    made.actions = [made.deed.action(approval="other", approvers=("UBOB", "UCAROL"), quorum=2)]
    made.here = made.replica()
    return made


def entries(world: World, pause: Callable[[float], Awaitable[None]] = forever) -> Entries:
    """Those of one replica."""
    return Entries(world.store, AuditWriter(world.audit, AUDIT_KEY, world.clock), world.clock, pause)


async def voted(world: World) -> tuple[Approval, Approval, Approval]:
    """Ada's request as it was asked, with Bob's vote that owes its entry, and with Carol's after it."""
    asked = await world.asked()
    kept = []
    now = asked
    for voter, target in ((world.bob, State.PENDING), (CAROL, State.APPROVED)):
        vote = Vote(voter.slack, voter.sub, voter.version, Verdict.APPROVE, world.clock())
        moved = await world.store.move(
            now, State.PENDING, target, now=world.clock(), vote=vote, entry_until=world.clock()
        )
        assert moved is not None
        kept.append(now := moved)
    return asked, kept[0], kept[1]


def approvers(world: World) -> list[str]:
    """Whose agreement is on record, in order."""
    return [entry["approver"]["user"] for entry in world.audit.of("approval.approved")]


async def test_t48_a_vote_while_another_is_being_written_down_is_recorded_once(world: World) -> None:
    """Carol's entry waits for Bob's, which his own replica writes: one each (guard: `_awaited`)."""
    asked, bobs, carols = await voted(world)
    waiting, go = asyncio.Event(), asyncio.Event()

    async def pause(_: float) -> None:
        waiting.set()
        await go.wait()

    hers = asyncio.create_task(entries(world, pause).settle(carols, before=bobs))
    await waiting.wait()
    await entries(world).settle(bobs, before=asked)
    go.set()
    assert (await hers).audited
    assert approvers(world) == ["UBOB", "UCAROL"]


async def test_t74_an_entry_whose_writer_is_gone_leaves_the_next_to_the_round(world: World) -> None:
    """Nothing executes before both stand, and the round writes both, once (guard: LookupError in `_awaited`)."""
    _, bobs, carols = await voted(world)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    hers = entries(world, pause)
    assert not (await hers.settle(carols, before=bobs)).audited
    assert approvers(world) == []
    assert sum(pauses) <= 2
    world.clock.forward(seconds=11)
    assert (await hers.complete(carols)).audited
    assert approvers(world) == ["UBOB", "UCAROL"]


async def test_t74_what_is_on_record_as_ended_is_not_ended_once_more(clock: HandClock) -> None:
    """A replica dies between the entry of the outcome and its storing: one entry, and it is the true one.

    Guard: the look at it in `settle`.
    """
    world = World(clock)
    approval = await world.approved()
    mine = await world.store.move(
        approval, State.APPROVED, State.EXECUTING, now=clock(), lease_until=clock(), audited_only=True
    )
    assert mine is not None
    writer = AuditWriter(world.audit, AUDIT_KEY, clock)
    for kind in ("action.started", "action.finished"):
        await writer.append(kind, "ok", slack=mine.requester, sub=mine.sub, approval=mine.id, run=mine.run)
    clock.forward(seconds=11)
    await world.here.runner.sweep()
    assert world.at_rest(approval).state is State.UNKNOWN
    assert [entry["outcome"] for entry in world.audit.of("action.finished")] == ["ok"]
