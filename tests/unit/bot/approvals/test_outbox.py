"""What Slack shows follows from what is stored, whatever Slack does."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest
import structlog

from bot.approvals import Approval, Copy, State, Verdict
from tests.conftest import HandClock
from tests.fakes.approvals import FakeCards
from tests.fakes.runner import World


@pytest.fixture
def world(clock: HandClock) -> World:
    """Ada and Bob are linked, and one action can be asked for."""
    return World(clock)


async def test_t72_a_card_that_slack_refused_is_repaired_by_the_round(world: World) -> None:
    """The request stands although its card failed; a later round posts it, once."""
    world.cards.failing = True
    with structlog.testing.capture_logs() as logs:
        approval = await world.asked()
    assert "canary" not in str(logs)
    assert world.cards.posted == []
    world.cards.failing = False
    world.clock.forward(seconds=2)
    await world.here.runner.sweep()
    await world.here.runner.sweep()
    assert [one.id for one in world.cards.posted] == [approval.id]


async def test_t72_the_verdict_is_kept_while_slack_is_away(world: World) -> None:
    """Slack answers nothing during the click: the verdict counts, and its card follows."""
    approval = await world.asked()
    world.cards.failing = True
    decided = await world.here.approvals.decide(world.ada, approval.id, Verdict.DENY)
    await world.here.approvals.speak(decided)
    assert world.at_rest(approval).state is State.DENIED
    world.cards.failing = False
    world.clock.forward(seconds=2)
    await world.here.runner.sweep()
    assert world.cards.shows.state is State.DENIED
    assert [one.state for one in world.cards.told] == [State.DENIED]


async def test_pauses_grow_while_slack_is_away(world: World) -> None:
    """A round every three seconds for a quarter of an hour asks Slack a dozen times, not three hundred."""
    world.cards.failing = True
    await world.asked()
    for _ in range(290):
        world.clock.forward(seconds=3)
        await world.here.runner.sweep()
    assert 8 <= world.cards.asked <= 14


async def test_what_is_over_is_given_up_at_last(world: World) -> None:
    """A finished request whose channel is gone does not stay with the rounds for ever."""
    approval = await world.asked()
    await world.here.approvals.cancel(approval, State.PENDING, "withdrawn")
    approval = await world.asked()
    world.cards.failing = True
    await world.here.approvals.cancel(approval, State.PENDING, "withdrawn")
    with structlog.testing.capture_logs() as logs:
        for _ in range(60):
            world.clock.forward(minutes=6)
            await world.here.runner.sweep()
    assert [one["event"] for one in logs].count("card_given_up") == 1
    assert [one async for one in world.store.unsettled(world.clock())] == []


async def test_the_requester_is_told_although_the_card_cannot_be_changed(world: World) -> None:
    """The card and the message are two things: the failure of one does not silence the other."""

    class NoCards(FakeCards):
        """A Slack in which no card can be posted."""

        async def show(self, approval: object, copy: object) -> object:  # type: ignore[override]
            raise ConnectionError

    cards = NoCards()
    here = world.replica(cards=cards)
    approval = await world.asked()
    world.clock.forward(seconds=60)
    await here.approvals.cancel(approval, State.PENDING, "withdrawn")
    for _ in range(5):
        world.clock.forward(minutes=6)
        await here.runner.sweep()
    assert [one.state for one in cards.told] == [State.CANCELLED]


async def test_a_slack_that_hangs_is_given_up_before_the_turn_is_over(world: World) -> None:
    """The call is broken off while the right to speak still holds, and the next round may try."""
    hanging = FakeCards(hangs=asyncio.Event())
    here = world.replica(patience=0.01, cards=hanging)
    approval = await world.asked()
    decided = await here.approvals.decide(world.ada, approval.id, Verdict.DENY)
    await here.approvals.speak(decided)
    assert world.at_rest(approval).attempts == 1
    world.clock.forward(seconds=2)
    await world.here.runner.sweep()
    assert world.cards.shows.state is State.DENIED


async def test_three_replicas_post_one_card(world: World) -> None:
    """The claim on the outbox lets one of them speak, and the others find it said."""
    world.cards.failing = True
    await world.asked()
    world.cards.failing = False
    world.clock.forward(seconds=2)
    replicas = [world.here, world.replica(), world.replica()]
    await asyncio.gather(*(one.runner.sweep() for one in replicas))
    await asyncio.gather(*(one.runner.sweep() for one in replicas))
    assert len(world.cards.posted) == 1


async def test_what_changes_while_it_is_said_is_said_next(world: World) -> None:
    """A verdict falls while the first card is on its way: the same turn goes on to show it."""
    world.cards.hangs = asyncio.Event()
    asking = asyncio.create_task(world.asked())
    await world.cards.begun.wait()
    (approval,) = await world.here.approvals.open_of(world.ada.slack)
    decided = await world.here.approvals.decide(world.ada, approval.id, Verdict.DENY)
    await world.here.approvals.speak(decided)
    world.cards.hangs.set()
    await asking
    assert len(world.cards.posted) == 1
    assert [one.state for one in world.cards.updated] == [State.DENIED]
    assert world.at_rest(approval).told


async def test_t76_a_caller_that_goes_away_does_not_lose_the_card(world: World) -> None:
    """Cancelled between Slack's answer and the note of it, a card would be posted again: the span is shielded."""
    world.cards.hangs = asyncio.Event()
    asking = asyncio.create_task(world.asked())
    await world.cards.begun.wait()
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    world.cards.hangs.set()
    await world.here.runner.close()
    (approval,) = await world.here.approvals.open_of(world.ada.slack)
    assert approval.copies[0].posted
    world.clock.forward(minutes=1)
    await world.replica().runner.sweep()
    assert len(world.cards.posted) == 1


async def test_a_store_that_is_away_does_not_end_the_request(world: World) -> None:
    """Asked for and stored, then the outbox cannot be reached: the person still has their request."""
    world.store.away["claim_outbox"] = 1
    approval = await world.asked()
    assert world.cards.posted == []
    await world.here.runner.sweep()
    assert [one.id for one in world.cards.posted] == [approval.id]


async def test_a_quiet_round_writes_nothing(world: World) -> None:
    """What waits for a person, shown as it is, costs the round no claim and no call to Slack."""
    approval = await world.asked()
    before, asked = world.at_rest(approval), world.cards.asked
    world.store.away["claim_outbox"] = 1
    await world.here.runner.sweep()
    assert world.store.away["claim_outbox"] == 1
    assert (world.at_rest(approval), world.cards.asked) == (before, asked)


async def test_t73_what_was_attached_is_not_attached_again(world: World) -> None:
    """A card takes two steps and the second one fails: the next turn goes on where this one stopped
    (guard: `latest` in `_copied`)."""

    class InTwoSteps(FakeCards):
        """A file first, then the card; Slack breaks off in between, twice."""

        attached = 0
        broken = 2

        async def show(self, approval: Approval, copy: Copy) -> Copy:
            if not copy.files:
                self.attached += 1
                return replace(copy, files=(("1-note.txt", ""),))
            if self.broken:
                self.broken -= 1
                raise ConnectionError
            return await super().show(approval, copy)

    cards = InTwoSteps()
    world.here = world.replica(cards=cards)
    approval = await world.asked()
    for _ in range(3):
        world.clock.forward(seconds=10)
        await world.here.runner.sweep()
    assert (cards.attached, cards.broken, len(cards.posted)) == (1, 0, 1)
    (copy,) = world.at_rest(approval).copies
    assert copy.files == (("1-note.txt", ""),)
