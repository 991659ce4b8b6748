"""What people see of work that lasts, and how often."""

from __future__ import annotations

import pytest

from bot.actions import Call
from bot.actions.progress import StepState
from bot.work import Outcome, TooFast
from bot.work.ports import Gone
from tests.fakes.hand_time import settled
from tests.unit.bot.work.desk import Desk


async def test_what_is_soon_over_is_not_shown(desk: Desk) -> None:
    """A quick call costs no message and no write."""
    task = desk.begin(lambda call: desk.waits(0.9))
    await desk.time.forward(0.95)
    assert (await task)[0].text == "done"
    await desk.time.forward(10)
    assert desk.screen.shown == []
    assert await desk.store.get("T1", "aa") is None


async def test_what_takes_longer_is_shown_and_how_it_ended(desk: Desk) -> None:
    """After a second, although it says nothing; the last thing to see is how it ended (guard: the minder's pause)."""
    task = desk.begin(lambda call: desk.waits(3))
    await desk.time.forward(1.0)
    (view,) = desk.screen.views
    assert view.outcome is None
    await desk.time.forward(5)
    await task
    assert desk.screen.views[-1].outcome is Outcome.OK
    run = await desk.store.get("T1", "aa")
    assert run is not None
    assert (run.outcome, run.told, run.due_at) == (Outcome.OK, True, None)


async def test_what_reports_is_shown_at_once(desk: Desk) -> None:
    """Steps and a fraction, before a second has gone by (guard: the minder waits for what is wanted)."""

    async def copying(call: Call) -> str:
        await call.steps("Read", "Copy", "Check")
        await call.step("Read")
        await call.step("Copy")
        await call.report("Copying orders", done=40, of=200)
        return await desk.waits(60)

    desk.begin(copying)
    await settled()
    (view,) = desk.screen.views
    states = [(step.name, step.state) for step in view.progress.steps]
    assert states == [("Read", StepState.DONE), ("Copy", StepState.IN_PROGRESS), ("Check", StepState.PENDING)]
    assert view.progress.text == "Copying orders (40 of 200)"
    assert view.progress.fraction == pytest.approx((1 + 0.2) / 3)


async def test_edits_come_at_most_once_a_second_and_the_last_state_is_shown(desk: Desk) -> None:
    """Two hundred reports in ten seconds are nine edits at most, and the newest of all is among them."""

    async def copying(call: Call) -> str:
        for done in range(200):
            await call.report("Copying", done=done + 1, of=200)
            await desk.time(0.05)
        await desk.time(30)
        return "copied"

    task = desk.begin(copying)
    await desk.time.forward(15)
    assert len(desk.screen.shown) <= 10
    assert min(desk.screen.gaps) >= 1.0
    assert desk.screen.views[-1].progress.text == "Copying (200 of 200)"
    await desk.time.forward(40)
    await task
    assert desk.screen.views[-1].outcome is Outcome.OK
    assert min(desk.screen.gaps) >= 1.0


async def test_nothing_new_is_nothing_to_show(desk: Desk) -> None:
    """The same state again makes no edit."""

    async def copying(call: Call) -> str:
        for _ in range(50):
            await call.report("Copying", fraction=0.5)
            await desk.time(1)
        return "copied"

    desk.begin(copying)
    await desk.time.forward(49)
    assert len(desk.screen.shown) == 1


async def test_slack_says_how_long_it_wants_to_be_left_alone(desk: Desk) -> None:
    """As long as `Retry-After` says nothing is sent; then the newest state (guard: the pause that is told)."""
    desk.screen.failing = [TooFast(6.5)]

    async def copying(call: Call) -> str:
        for done in range(60):
            await call.report("Copying", done=done, of=60)
            await desk.time(1)
        return "copied"

    desk.begin(copying)
    await desk.time.forward(6.4)
    assert desk.screen.shown == []
    await desk.time.forward(0.2)
    assert [view.progress.text for view in desk.screen.views] == ["Copying (6 of 60)"]


async def test_an_action_does_not_notice_that_slack_is_away(desk: Desk) -> None:
    """It goes on and ends; how it ended is shown as soon as Slack is back (guard: what is raised when showing)."""
    desk.screen.failing = [ConnectionError()] * 4

    async def copying(call: Call) -> str:
        await call.steps("Copy")
        await call.step("Copy")
        return await desk.waits(3)

    task = desk.begin(copying)
    await desk.time.forward(3.5)
    assert (await task)[0].ok
    assert desk.screen.shown == []
    await desk.time.forward(120)
    run = await desk.store.get("T1", "aa")
    assert run is not None
    assert run.told


async def test_where_nobody_is_left_to_see_it_the_work_goes_on(desk: Desk) -> None:
    """The bot was removed from the workspace: nothing more is shown, and the run is closed all the same."""
    desk.screen.failing = [Gone()]
    task = desk.begin(lambda call: desk.waits(5))
    await desk.time.forward(10)
    assert (await task)[0].ok
    assert desk.screen.shown == []
    run = await desk.store.get("T1", "aa")
    assert run is not None
    assert run.told


async def test_a_step_that_was_going_on_failed_with_the_work(desk: Desk) -> None:
    """Its exception is the caller's; people see where it broke off."""

    async def copying(call: Call) -> str:
        await call.steps("Read", "Copy")
        await call.step("Copy")
        await desk.time(5)
        raise ValueError

    task = desk.begin(copying)
    await desk.time.forward(10)
    with pytest.raises(ValueError):
        await task
    last = desk.screen.views[-1]
    assert last.outcome is Outcome.UNKNOWN
    assert [step.state for step in last.progress.steps] == [StepState.PENDING, StepState.FAILED]


async def test_t78_no_token_is_shown_in_a_report(desk: Desk) -> None:
    """Not the first one, nor one that the action asked for later (guards: both are among the secrets)."""

    async def copying(call: Call) -> str:
        await call.steps(f"with {call.token.value}")
        fresh = await call.fresh_token()
        await call.report(f"with {fresh.value}")
        return await desk.waits(5)

    desk.begin(copying)
    await desk.time.forward(4)
    assert desk.screen.shown
    assert "with [token]" in str(desk.screen.views[-1].progress.text)
    assert "canary" not in str(desk.screen.views)
    assert "first-secret" not in str(desk.screen.views)


async def test_a_replica_that_is_gone_is_noticed(desk: Desk) -> None:
    """Nobody keeps it alive any more: another replica says so to people and to the trail, once."""
    place = "D1"
    running = desk.running()
    task = desk.begin(lambda call: desk.waits(600), running=running)
    await desk.time.forward(5)
    task.cancel()
    await settled()
    row = await desk.store.begin(running, desk.clock())  # as it is where the process was killed
    assert row.place is not None
    assert row.place.channel == place
    await desk.time.forward(20)
    other, third = desk.replica(), desk.replica()
    await other.sweep()
    await third.sweep()
    assert desk.screen.views[-1].reason == "interrupted"
    assert [entry["reason"] for entry in desk.audit.of("action.finished")] == ["interrupted"]


async def test_what_goes_on_is_left_alone_by_the_round(desk: Desk) -> None:
    """An hour of work is alive as long as its process says so (guard: `alive` in the beat)."""
    task = desk.begin(lambda call: desk.waits(3600), longest=4000)
    other = desk.replica()
    for _ in range(20):
        await desk.time.forward(60)
        await other.sweep()
    assert not task.done()
    assert all(view.outcome is None for view in desk.screen.views)
    await desk.time.forward(3600)
    assert (await task)[0].text == "done"
