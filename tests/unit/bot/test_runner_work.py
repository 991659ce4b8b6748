"""Work that lasts, through the one door: what is on record of it, under which tokens it goes on, and how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.actions import Action, ActionResult, Call
from bot.approvals import State, Verdict
from bot.audit.writer import AuditWriter
from bot.errors import AuditUnavailable
from bot.runner import Finished
from bot.work import Stopping, Works
from oauth.errors import NotLinked
from tests.conftest import HandClock
from tests.fakes.hand_time import HandTime, settled
from tests.fakes.runner import AUDIT_KEY, ORIGIN, Deed, Replica, World, person
from tests.fakes.runs import FakeScreen, MemoryRunStore

VALUES = {"order_id": "A-1", "amount": 5}


class Shift:
    """A world in which time goes by when a test says so, and an action that does what a test says."""

    def __init__(self, clock: HandClock) -> None:
        self.world = World(clock)
        self.time = HandTime(clock)
        self.store, self.screen = MemoryRunStore(), FakeScreen(clock)
        self.writer = AuditWriter(self.world.audit, AUDIT_KEY, clock)
        self.works = Works(self.store, self.screen, self.world.links, self.writer, clock, self.time)
        self.stopping = Stopping(self.store, self.works, self.writer)

    def replica(self, act: Any, **changes: Any) -> Replica:
        """A process whose one action does this."""
        action = replace(Deed().action("copy_orders", **changes), call=act)
        return self.world.replica([action], pause=self.time, works=self.works)

    async def run_of(self) -> str:
        """The name of the one run that goes on."""
        (row,) = self.store._rows.values()
        return row.running.run


@pytest.fixture
def shift(clock: HandClock) -> Shift:
    return Shift(clock)


async def test_a_stopped_call_is_unknown_and_on_record(shift: Shift) -> None:
    """It may have reached the service, so nobody says that nothing was done."""

    async def act(call: Call) -> ActionResult:
        await shift.time(60)
        raise AssertionError

    here = shift.replica(act, approval="none")
    task = asyncio.create_task(here.runner.run(shift.world.ada, "copy_orders", VALUES, ORIGIN))
    await shift.time.forward(2)
    await shift.stopping.stop(shift.world.ada, await shift.run_of())
    await shift.time.forward(1)
    finished = await task
    assert isinstance(finished, Finished)
    assert (finished.result.ok, finished.result.unknown, finished.result.reason) == (False, True, "stopped")
    assert "Look there before you ask again" in finished.result.text
    (entry,) = shift.world.audit.of("action.finished")
    assert (entry["outcome"], entry["reason"], entry["run"]) == ("unknown", "stopped", await shift.run_of())
    assert entry.get("approver") is None


async def test_what_only_reads_has_changed_nothing(shift: Shift) -> None:
    """Of a GET it is known that nothing was done."""

    async def act(call: Call) -> ActionResult:
        await shift.time(60)
        raise AssertionError

    here = shift.replica(act, approval="none", definition={"method": "GET"})
    task = asyncio.create_task(here.runner.run(shift.world.ada, "copy_orders", VALUES, ORIGIN))
    await shift.time.forward(2)
    await shift.stopping.stop(shift.world.ada, await shift.run_of())
    await shift.time.forward(1)
    finished = await task
    assert isinstance(finished, Finished)
    assert not finished.result.unknown
    (entry,) = shift.world.audit.of("action.finished")
    assert (entry["outcome"], entry["reason"]) == ("failed", "stopped")


async def test_what_the_action_says_of_a_stop_counts(shift: Shift) -> None:
    """It has left things tidy, so the outcome is known; that it was stopped is on record all the same."""

    async def act(call: Call) -> ActionResult:
        try:
            await shift.time(60)
        except asyncio.CancelledError:
            return ActionResult(ok=False, text="40 of 200 were copied.")
        raise AssertionError

    here = shift.replica(act, approval="none")
    task = asyncio.create_task(here.runner.run(shift.world.ada, "copy_orders", VALUES, ORIGIN))
    await shift.time.forward(2)
    await shift.stopping.stop(shift.world.ada, await shift.run_of())
    await shift.time.forward(1)
    finished = await task
    assert isinstance(finished, Finished)
    assert finished.result.text == "40 of 200 were copied."
    (entry,) = shift.world.audit.of("action.finished")
    assert (entry["outcome"], entry["reason"]) == ("failed", "stopped")


async def test_the_words_of_the_trail_are_ours(shift: Shift) -> None:
    """An action cannot put its own into an entry (guard: `reason` in `_carried_out`)."""

    async def act(call: Call) -> ActionResult:
        return ActionResult(ok=False, text="no", reason="canary")

    here = shift.replica(act, approval="none")
    await here.runner.run(shift.world.ada, "copy_orders", VALUES, ORIGIN)
    assert [one["reason"] for one in shift.world.audit.of("action.finished")] == ["no_answer"]


async def test_an_approver_stops_what_they_agreed_to(shift: Shift) -> None:
    """The request ends as unknown, both are told by its cards, and the trail says who stopped it."""
    world = shift.world

    async def act(call: Call) -> ActionResult:
        await shift.time(600)
        raise AssertionError

    here = shift.replica(act, approval="other", approvers=("UBOB",))
    waiting = await here.runner.run(world.ada, "copy_orders", VALUES, ORIGIN)
    approval = await here.approvals.decide(world.bob, waiting.approval.id, Verdict.APPROVE)  # type: ignore[union-attr]
    task = asyncio.create_task(here.runner.resume(approval))
    await shift.time.forward(2)
    await shift.stopping.stop(world.bob, approval.run)
    await shift.time.forward(2)
    await task
    ended = world.at_rest(approval)
    assert (ended.state, ended.reason, ended.told) == (State.UNKNOWN, "stopped", True)
    (entry,) = world.audit.of("action.finished")
    assert (entry["outcome"], entry["reason"], entry["user"]) == ("unknown", "stopped", "UADA")
    assert entry["approver"] == {"team": "T1", "user": "UBOB", "sub": "auth0|bob"}


async def test_t49_an_approved_call_stops_with_the_link(shift: Shift) -> None:
    """Five seconds after the link has ended nobody acts for that person any more."""
    world = shift.world

    async def act(call: Call) -> ActionResult:
        await shift.time(600)
        raise AssertionError

    here = shift.replica(act)
    waiting = await here.runner.run(world.ada, "copy_orders", VALUES, ORIGIN)
    approval = await here.approvals.decide(world.ada, waiting.approval.id, Verdict.APPROVE)  # type: ignore[union-attr]
    task = asyncio.create_task(here.runner.resume(approval))
    await shift.time.forward(20)
    world.links.unlink(world.ada)
    await shift.time.forward(5)
    await task
    ended = world.at_rest(approval)
    assert (ended.state, ended.reason) == (State.UNKNOWN, "not_linked")


async def test_a_fresh_token_comes_through_the_same_door(shift: Shift) -> None:
    """Another token has an entry of its own, before it is used; the same one needs none. No token is in the result."""
    tokens: list[str] = []

    async def act(call: Call) -> ActionResult:
        tokens.append(call.token.value)
        tokens.append((await call.fresh_token()).value)
        return ActionResult(ok=True, text=f"used {' and '.join(tokens)}")

    here = shift.replica(act, approval="none")
    finished = await here.runner.run(shift.world.ada, "copy_orders", VALUES, ORIGIN)
    assert isinstance(finished, Finished)
    assert finished.result.text == "used [token] and [token]"
    started = shift.world.audit.of("action.started")
    assert [(one.get("reason"), one["token_jti"]) for one in started] == [(None, "jti-1"), ("continued", "jti-2")]
    assert [token.scopes for token in shift.world.tokens.given] == [frozenset({"orders:refund"})] * 2


async def test_the_same_token_again_needs_no_entry(shift: Shift) -> None:
    """A thousand steps under one token are one line in the trail (guard: `known`)."""
    shift.world.tokens.lasting = True

    async def act(call: Call) -> ActionResult:
        assert {(await call.fresh_token()).value for _ in range(5)} == {call.token.value}
        shift.world.tokens.lasting = False
        await call.fresh_token()
        shift.world.tokens.lasting = True
        assert len({(await call.fresh_token()).value for _ in range(5)}) == 1
        return ActionResult(ok=True, text="done")

    here = shift.replica(act, approval="none")
    await here.runner.run(shift.world.ada, "copy_orders", VALUES, ORIGIN)
    assert [one["token_jti"] for one in shift.world.audit.of("action.started")] == ["jti-1", "jti-2"]


async def test_t44_no_fresh_token_after_the_link_has_ended(shift: Shift) -> None:
    """The next step of the work is refused, whatever its action makes of that."""
    refused: list[type[Exception]] = []

    async def act(call: Call) -> ActionResult:
        shift.world.links.unlink(shift.world.ada)
        try:
            await call.fresh_token()
        except NotLinked as error:
            refused.append(type(error))
        return ActionResult(ok=False, text="Half of it was copied.")

    here = shift.replica(act, approval="none")
    await here.runner.run(shift.world.ada, "copy_orders", VALUES, ORIGIN)
    assert refused == [NotLinked]
    assert len(shift.world.tokens.given) == 1


async def test_t54_no_fresh_token_without_an_entry(shift: Shift) -> None:
    """No audit, no act: also in the middle of it."""
    refused: list[type[Exception]] = []

    async def act(call: Call) -> ActionResult:
        shift.world.audit.refusing.add("action.started")
        try:
            await call.fresh_token()
        except AuditUnavailable as error:
            refused.append(type(error))
        return ActionResult(ok=False, text="Half of it was copied.")

    here = shift.replica(act, approval="none")
    await here.runner.run(shift.world.ada, "copy_orders", VALUES, ORIGIN)
    assert refused == [AuditUnavailable]


async def test_an_action_may_take_longer_than_others(shift: Shift) -> None:
    """As long as it says, and no longer; others have what every call has."""

    async def act(call: Call) -> ActionResult:
        await shift.time(3000)
        return ActionResult(ok=True, text="done")

    async def runs(**changes: Any) -> ActionResult:
        here = shift.replica(act, approval="none", **changes)
        task = asyncio.create_task(here.runner.run(shift.world.ada, "copy_orders", VALUES, ORIGIN))
        await shift.time.forward(4000)
        finished = await task
        assert isinstance(finished, Finished)
        return finished.result

    assert (await runs(longest=timedelta(hours=1))).ok
    assert (await runs()).unknown


async def test_a_round_does_not_wait_for_long_work(shift: Shift) -> None:
    """What a round takes up goes on after it, so that the next round comes (guard: `for_a_while`)."""
    world, begun = shift.world, asyncio.Event()

    async def act(call: Call) -> ActionResult:
        begun.set()
        await shift.time(600)
        return ActionResult(ok=True, text="done")

    here = shift.replica(act, longest=timedelta(hours=1))
    waiting = await here.runner.run(world.ada, "copy_orders", VALUES, ORIGIN)
    approval = await here.approvals.decide(world.ada, waiting.approval.id, Verdict.APPROVE)  # type: ignore[union-attr]
    await world.store.audited(approval)
    sweeping = asyncio.create_task(here.runner.sweep())
    await shift.time.forward(11)
    assert begun.is_set()
    assert sweeping.done()
    assert world.at_rest(approval).state is State.EXECUTING
    await shift.time.forward(700)
    assert world.at_rest(approval).state is State.DONE


async def test_t76_a_process_that_ends_lets_long_work_end_in_order(shift: Shift) -> None:
    """It has a moment to leave things tidy, and its outcome is on record (guard: `break_off`)."""
    tidy: list[str] = []

    async def act(call: Call) -> ActionResult:
        try:
            await shift.time(600)
        finally:
            tidy.append(call.run)
        raise AssertionError

    here = shift.replica(act, approval="none", longest=timedelta(hours=1))
    task = asyncio.create_task(here.runner.run(shift.world.ada, "copy_orders", VALUES, ORIGIN))
    await shift.time.forward(2)
    await asyncio.gather(here.runner.close(0.0), shift.time.forward(5))
    assert task.done()
    finished = await task
    assert isinstance(finished, Finished)
    assert tidy == [await shift.run_of()]
    (entry,) = shift.world.audit.of("action.finished")
    assert (entry["outcome"], entry["reason"]) == ("unknown", "interrupted")


async def test_t76_what_another_replica_takes_up_is_left_to_it(shift: Shift) -> None:
    """An approved call that may be repeated: its lease runs out, and no outcome is made up (guard: `repeatable`)."""
    world = shift.world

    async def act(call: Call) -> ActionResult:
        await shift.time(600)
        return ActionResult(ok=True, text="done")

    here = shift.replica(act, idempotent=True, longest=timedelta(hours=1))
    waiting = await here.runner.run(world.ada, "copy_orders", VALUES, ORIGIN)
    approval = await here.approvals.decide(world.ada, waiting.approval.id, Verdict.APPROVE)  # type: ignore[union-attr]
    task = asyncio.create_task(here.runner.resume(approval))
    await shift.time.forward(2)
    shift.works.break_off()
    await shift.time.forward(10)
    assert world.at_rest(approval).state is State.EXECUTING
    await shift.time.forward(700)
    await task


async def test_a_second_person_has_no_part_in_it(shift: Shift) -> None:
    """Whoever is linked anew under the same name is not who asked."""
    action: Action = Deed().action("copy_orders")
    running = shift.works.running(shift.world.ada, action.name, "aa", None)
    assert running.may_stop(person("ada", version="2"))
    assert not running.may_stop(shift.world.bob)
    await settled()
