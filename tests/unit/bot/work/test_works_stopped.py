"""How work is ended before its time, by whom, and in which replica."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.actions import ActionResult, Call
from bot.errors import AlreadyStopping, NotYourRun, RunOver, RunUnknown
from bot.work import Outcome, Running, Stopping
from bot.work.model import Person
from bot.work.works import Stopped
from oauth import Principal
from tests.fakes.hand_time import settled
from tests.fakes.runner import person
from tests.unit.bot.work.desk import Desk


def stopping(desk: Desk) -> Stopping:
    """What a click reaches in the replica that works."""
    return Stopping(desk.store, desk.works, desk.writer)


async def test_the_requester_stops_it(desk: Desk) -> None:
    """The action is cancelled at once, and people see first that it stops and then that it was stopped, by whom."""
    task = desk.begin(lambda call: desk.waits(60))
    await desk.time.forward(2)
    await stopping(desk).stop(desk.ada, "aa")
    await desk.time.forward(0.1)
    assert task.done()
    with pytest.raises(Stopped) as stopped:
        await task
    assert stopped.value.stop.by == Person(desk.ada.slack, desk.ada.sub)
    await desk.time.forward(3)
    last = desk.screen.views[-1]
    assert (last.outcome, last.reason) == (Outcome.UNKNOWN, "stopped")
    assert last.stop is not None


async def test_t45_a_stranger_does_not_stop_it(desk: Desk) -> None:
    """Mallory is linked, and has neither asked nor agreed: refused, on record, and the work goes on."""
    task = desk.begin(lambda call: desk.waits(60))
    await desk.time.forward(2)
    with pytest.raises(NotYourRun):
        await stopping(desk).stop(desk.mallory, "aa")
    await desk.time.forward(5)
    assert not task.done()
    (entry,) = desk.audit.of("action.refused")
    assert (entry["user"], entry["reason"], entry["run"]) == ("UMALLORY", "not_your_run", "aa")


async def test_t45_another_identity_of_the_same_slack_user_does_not_stop_it(desk: Desk) -> None:
    """Whoever links another account is not who asked (guard: the identity in `may_stop`)."""
    desk.begin(lambda call: desk.waits(60))
    await desk.time.forward(2)
    other = replace(person("ada"), identity=person("eve").identity)
    with pytest.raises(NotYourRun):
        await stopping(desk).stop(other, "aa")


async def test_t59_nor_does_the_same_person_elsewhere(desk: Desk) -> None:
    """A run is looked for in the workspace of whoever clicks."""
    desk.begin(lambda call: desk.waits(60))
    await desk.time.forward(2)
    with pytest.raises(RunUnknown):
        await stopping(desk).stop(person("ada", team="T2"), "aa")


async def test_whoever_agreed_may_stop_it(desk: Desk) -> None:
    """An approver of this very run."""
    running = replace(desk.running(), agreed=(Person(desk.bob.slack, desk.bob.sub),))
    task = desk.begin(lambda call: desk.waits(60), running=running)
    await desk.time.forward(2)
    await stopping(desk).stop(desk.bob, "aa")
    await desk.time.forward(1)
    assert task.done()
    with pytest.raises(Stopped):
        await task


async def test_a_stop_reaches_another_replica_within_two_seconds(desk: Desk) -> None:
    """The click came to a process that does not do the work; the database carries it (guard: `stops` in the beat)."""
    task = desk.begin(lambda call: desk.waits(600))
    await desk.time.forward(3)
    await Stopping(desk.store, desk.replica(), desk.writer).stop(desk.ada, "aa")
    await desk.time.forward(2)
    assert task.done()
    with pytest.raises(Stopped):
        await task


async def test_what_has_only_just_begun_is_stopped_where_it_goes_on(desk: Desk) -> None:
    """On a card the button is there at once; the other replicas know of the run after a second."""
    task = desk.begin(lambda call: desk.waits(60))
    await desk.time.forward(0.5)
    with pytest.raises(RunUnknown):
        await Stopping(desk.store, desk.replica(), desk.writer).stop(desk.ada, "aa")
    with pytest.raises(NotYourRun):
        await stopping(desk).stop(desk.mallory, "aa")
    await stopping(desk).stop(desk.ada, "aa")
    await desk.time.forward(0.1)
    assert task.done()
    with pytest.raises(Stopped):
        await task


async def test_a_second_stop_says_that_it_is_stopping(desk: Desk) -> None:
    """While the action leaves things tidy."""

    async def tidying(call: Call) -> str:
        try:
            return await desk.waits(60)
        finally:
            await desk.time(4)

    desk.begin(tidying)
    await desk.time.forward(2)
    await stopping(desk).stop(desk.ada, "aa")
    await desk.time.forward(2)
    with pytest.raises(AlreadyStopping):
        await stopping(desk).stop(desk.ada, "aa")


async def test_a_stop_after_the_end_says_how_it_ended(desk: Desk) -> None:
    """The button was still there a moment ago."""
    task = desk.begin(lambda call: desk.waits(3))
    await desk.time.forward(10)
    await task
    with pytest.raises(RunOver) as over:
        await stopping(desk).stop(desk.ada, "aa")
    assert over.value.outcome == "ok"


@pytest.mark.parametrize("value", ["", "bb", '{"$ne":null}', "A" * 9, "a" * 65])
async def test_t46_another_value_of_the_button_stops_nothing(desk: Desk, value: str) -> None:
    """Of a button only the name of a run is believed."""
    task = desk.begin(lambda call: desk.waits(60))
    await desk.time.forward(2)
    with pytest.raises(RunUnknown):
        await stopping(desk).stop(desk.ada, value)
    await desk.time.forward(3)
    assert not task.done()


async def test_an_action_may_leave_things_tidy_and_say_what_was_done(desk: Desk) -> None:
    """What it gives back in those few seconds counts."""

    async def copying(call: Call) -> ActionResult:
        try:
            await desk.time(60)
        except asyncio.CancelledError:
            await desk.time(3)
            return ActionResult(ok=False, text="40 of 200 were copied.")
        raise AssertionError

    task = desk.begin(copying)
    await desk.time.forward(2)
    await stopping(desk).stop(desk.ada, "aa")
    await desk.time.forward(4)
    result, work = await task
    assert result.text == "40 of 200 were copied."
    assert work.stop is not None


async def test_an_action_that_does_not_stop_is_left_behind(desk: Desk) -> None:
    """Five seconds, then nobody waits for it any longer (guard: the moment in `_tidied`)."""

    async def stubborn(call: Call) -> str:
        while True:
            try:
                await desk.time(600)
                return "at last"  # so that the test itself can end
            except asyncio.CancelledError:
                continue

    task = desk.begin(stubborn)
    await desk.time.forward(2)
    await stopping(desk).stop(desk.ada, "aa")
    await desk.time.forward(4.9)
    assert not task.done()
    await desk.time.forward(0.2)
    assert task.done()
    with pytest.raises(Stopped):
        await task
    await desk.time.forward(700)


async def test_t49_work_stops_when_the_link_of_its_person_ends(desk: Desk) -> None:
    """Within five seconds, stubborn or not (guards: the look at versions, and the shorter moment)."""

    async def stubborn(call: Call) -> str:
        try:
            return await desk.waits(600)
        except asyncio.CancelledError:
            return await desk.waits(600)

    task = desk.begin(stubborn)
    await desk.time.forward(30)
    desk.links.unlink(desk.ada)
    await desk.time.forward(5)
    assert task.done()
    with pytest.raises(Stopped) as stopped:
        await task
    assert stopped.value.stop.reason == "not_linked"
    await desk.time.forward(700)


async def test_t49_a_newer_link_is_another_one(desk: Desk) -> None:
    """Linked again meanwhile: the work was asked for under the former link."""
    task = desk.begin(lambda call: desk.waits(600))
    await desk.time.forward(30)
    desk.links.link(person("ada", version="2"))
    await desk.time.forward(5)
    assert task.done()
    with pytest.raises(Stopped):
        await task


async def test_t68_what_cannot_be_checked_may_not_go_on_for_long(desk: Desk) -> None:
    """A database that is away for a moment breaks nothing off; for longer than fifteen seconds it does."""
    task = desk.begin(lambda call: desk.waits(600))
    await desk.time.forward(5)
    desk.store.away = desk.links.failing = True
    await desk.time.forward(10)
    assert not task.done()
    await desk.time.forward(12)
    assert task.done()
    with pytest.raises(Stopped) as stopped:
        await task
    assert stopped.value.stop.reason == "store_unavailable"


async def test_what_was_to_stop_does_not_go_on_in_another_replica(desk: Desk) -> None:
    """The first one was killed before it heard of it; the second hears as soon as the run appears."""
    running = desk.running()
    await desk.store.begin(running, desk.clock())
    await Stopping(desk.store, desk.replica(), desk.writer).stop(desk.ada, "aa")
    task = desk.begin(lambda call: desk.waits(600), running=running)
    await desk.time.forward(1.1)
    assert task.done()
    with pytest.raises(Stopped):
        await task


async def test_what_takes_too_long_breaks_off(desk: Desk) -> None:
    """After `longest`, and not before."""
    task = desk.begin(lambda call: desk.waits(7200), longest=3600)
    await desk.time.forward(3599)
    assert not task.done()
    await desk.time.forward(2)
    assert task.done()
    with pytest.raises(TimeoutError):
        await task


async def test_whoever_is_cancelled_takes_the_action_along(desk: Desk) -> None:
    """No action goes on without anybody who would hear of its end."""
    ended = asyncio.Event()

    async def acting(call: Call) -> str:
        try:
            return await desk.waits(60)
        finally:
            ended.set()

    task = desk.begin(acting)
    await settled()
    task.cancel()
    await settled()
    assert ended.is_set()


def test_only_those_who_asked_or_agreed_may_stop(desk: Desk) -> None:
    """By person and identity together."""
    running = Running("aa", desk.ada.slack, desk.ada.sub, "1", "copy", desk.clock(), agreed=())

    def may(who: Principal) -> bool:
        return running.may_stop(who)

    assert may(desk.ada)
    assert not may(desk.bob)
