"""After approval: once, as it was shown, through crashes; and nothing that came of it is lost."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from bot.actions import ActionResult
from bot.approvals import Approval, State, Verdict
from bot.approvals.executions import LEASE
from oauth.models import LinkVersion
from tests.conftest import HandClock
from tests.fakes.runner import Pauses, World, person


@pytest.fixture
def world(clock: HandClock) -> World:
    """One action that needs approval."""
    return World(clock)


async def test_an_approved_request_runs_and_its_outcome_is_kept_and_told(world: World) -> None:
    """Done: the result is at rest, on record, on the card, and with the person."""
    approval = await world.approved()
    await world.here.runner.resume(approval)
    ended = world.at_rest(approval)
    assert (ended.state, ended.result, ended.reason) == (State.DONE, "Refunded.", None)
    assert world.audit.types() == [
        "approval.requested",
        "approval.approved",
        "action.started",
        "action.finished",
    ]
    assert {one["approval"] for one in world.audit.of("action.started")} == {approval.id}
    assert world.cards.shows.state is State.DONE
    assert [one.state for one in world.cards.told] == [State.DONE]


@pytest.mark.parametrize(
    ("result", "state", "reason"),
    [
        (ActionResult(ok=False, text="no", status=403), State.FAILED, "http_403"),
        (ActionResult(ok=False, text="?", unknown=True), State.UNKNOWN, "no_answer"),
        (RuntimeError("boom"), State.UNKNOWN, "no_answer"),
    ],
)
async def test_what_did_not_end_well_is_said_as_it_is(
    world: World, result: ActionResult | Exception, state: State, reason: str
) -> None:
    """Failed and unknown are different things; the reason is a stable word, what the service said is the result."""
    world.deed.result = result
    approval = await world.approved()
    await world.here.runner.resume(approval)
    ended = world.at_rest(approval)
    assert (ended.state, ended.reason) == (state, reason)
    assert ended.result


async def test_t48_one_execution_whoever_picks_it_up(world: World) -> None:
    """The clicking replica and the rounds of three at once: the atomic move to `executing` lets one through."""
    approval = await world.approved()
    replicas = [world.here, world.replica(), world.replica()]
    await asyncio.gather(*(one.runner.resume(approval) for one in replicas), *(one.runner.sweep() for one in replicas))
    assert len(world.deed.calls) == 1
    assert len(world.audit.of("action.started")) == 1


async def test_t48_a_round_between_verdict_and_resume_is_harmless(world: World) -> None:
    """Another replica's round is faster than the replica of the click: that one finds nothing left to do."""
    approval = await world.approved()
    await world.replica().runner.sweep()
    await world.here.runner.resume(approval)
    assert len(world.deed.calls) == 1
    assert world.at_rest(approval).state is State.DONE


CHANGES = {
    "its definition": {"definition": {"name": "refund_order", "version": 2}},
    "its scopes": {"scopes": frozenset({"orders:refund", "orders:read"})},
    "its audience": {"audience": "https://elsewhere.example.com"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_t47_what_was_changed_since_is_asked_again(world: World, change: dict[str, object]) -> None:
    """The digest is computed anew from what would run: a difference ends the request, and nothing is called."""
    approval = await world.approved()
    await world.replica([replace(world.actions[0], **change)]).runner.resume(approval)  # type: ignore[arg-type]
    assert world.deed.calls == []
    assert world.tokens.given == []
    ended = world.at_rest(approval)
    assert (ended.state, ended.reason) == (State.CANCELLED, "changed_since_asked")
    assert [one["reason"] for one in world.audit.of("action.refused")] == ["changed_since_asked"]


async def test_t47_an_action_that_is_gone_is_not_run(world: World) -> None:
    """Its name means nothing any more."""
    approval = await world.approved()
    await world.replica([]).runner.resume(approval)
    assert world.at_rest(approval).reason == "changed_since_asked"


async def test_t47_changed_arguments_are_not_run(world: World) -> None:
    """Somebody replaced the stored arguments, seal and all: the digest that was agreed to does not fit."""
    approval = await world.approved()
    row = world.store._rows[f"T1:{approval.id}"]
    row.approval = replace(row.approval, arguments={"order_id": "A-1", "amount": 500_000})
    await world.here.runner.resume(approval)
    assert world.deed.calls == []
    assert world.at_rest(approval).reason == "changed_since_asked"


LINKS = {
    "unlinked": None,
    "linked anew": person("ada", version="2"),
    "linked to another account": replace(person("ada"), identity=person("bob").identity),
}


@pytest.mark.parametrize("now", LINKS.values(), ids=LINKS.keys())
async def test_t49_the_link_must_be_the_one_that_asked(world: World, now: object) -> None:
    """Version and subject are compared with those of the asking: an ended grant ends what hung on it."""
    approval = await world.approved()
    world.links.unlink(world.ada)
    if now is not None:
        world.links.link(now)  # type: ignore[arg-type]
    await world.here.runner.resume(approval)
    assert world.deed.calls == []
    assert world.tokens.given == []
    assert (world.at_rest(approval).state, world.at_rest(approval).reason) == (State.CANCELLED, "not_linked")
    assert [one["reason"] for one in world.audit.of("action.refused")] == ["not_linked"]


async def test_t49_a_revocation_between_the_look_and_the_token_counts(world: World) -> None:
    """The broker reads the link's version itself, so unlinking in the very moment still means no call."""
    approval = await world.approved()
    world.tokens.links = type(world.links)({world.ada.slack.key: replace(world.ada, version=LinkVersion("9"))})
    await world.here.runner.resume(approval)
    assert world.deed.calls == []
    assert world.at_rest(approval).reason == "not_linked"


async def test_what_fails_before_the_call_says_that_nothing_was_done(world: World) -> None:
    """The database of links is away: failed, not unknown, since no call was made."""
    approval = await world.approved()
    world.links.failing = True
    await world.here.runner.resume(approval)
    ended = world.at_rest(approval)
    assert (ended.state, ended.reason) == (State.FAILED, "internal")
    assert (ended.result or "").startswith("Nothing was done")


async def killed(world: World, **changes: object) -> Approval:
    """An approved request whose replica died in mid-call."""
    world.actions = [world.deed.action(**changes)]
    world.here = world.replica()
    approval = await world.approved()
    mine = await world.store.move(
        approval, State.APPROVED, State.EXECUTING, now=world.clock(), lease_until=world.clock() + LEASE
    )
    assert mine is not None
    return mine


async def test_t74_a_crash_in_mid_call_is_unknown_and_not_repeated(world: World) -> None:
    """No replica touches it while its lease holds; then one says that it is unknown, in one entry."""
    approval = await killed(world)
    replicas = [world.here, world.replica(), world.replica()]
    await asyncio.gather(*(one.runner.sweep() for one in replicas))
    assert world.at_rest(approval).state is State.EXECUTING
    world.clock.forward(seconds=20)
    for _ in range(2):
        await asyncio.gather(*(one.runner.sweep() for one in replicas))
    ended = world.at_rest(approval)
    assert (ended.state, ended.reason) == (State.UNKNOWN, "interrupted")
    assert world.deed.calls == []
    assert [one["outcome"] for one in world.audit.of("action.finished")] == ["unknown"]
    assert [one.state for one in world.cards.told] == [State.UNKNOWN]


async def test_t74_an_idempotent_action_is_repeated_once_with_the_same_run(world: World) -> None:
    """Three replicas find it at once: one takes it over, under the `Idempotency-Key` of the first time."""
    approval = await killed(world, idempotent=True)
    world.clock.forward(seconds=20)
    await asyncio.gather(*(one.runner.sweep() for one in (world.here, world.replica(), world.replica())))
    assert [call.run for call in world.deed.calls] == [approval.run]
    assert world.at_rest(approval).state is State.DONE


async def test_t74_what_brings_down_every_replica_is_not_repeated_for_ever(world: World) -> None:
    """After three beginnings without an end it is unknown, idempotent or not."""
    approval = await killed(world, idempotent=True)
    for _ in range(2):
        world.clock.forward(seconds=20)
        mine = await world.store.move(
            approval,
            State.EXECUTING,
            State.EXECUTING,
            now=world.clock(),
            lease_until=world.clock() + LEASE,
            lease_over=True,
        )
        assert mine is not None
    world.clock.forward(seconds=20)
    await world.here.runner.sweep()
    assert world.deed.calls == []
    assert world.at_rest(approval).state is State.UNKNOWN


async def test_t74_a_repeat_looks_at_everything_again(world: World) -> None:
    """Unlinked since the crash: not even an idempotent action is repeated."""
    approval = await killed(world, idempotent=True)
    world.links.unlink(world.ada)
    world.clock.forward(seconds=20)
    await world.here.runner.sweep()
    assert world.deed.calls == []
    assert world.at_rest(approval).state is State.CANCELLED


async def test_t67_an_outcome_is_kept_although_the_store_is_away_for_a_while(world: World) -> None:
    """The call is done and known here alone: the store is asked again, with pauses, until it takes it."""
    pauses = Pauses()
    here = world.replica(pause=pauses)
    approval = await world.approved()

    world.deed.gate = asyncio.Event()
    running = asyncio.create_task(here.runner.resume(approval))
    await world.deed.begun.wait()
    world.store.away["move"] = 3
    world.deed.gate.set()
    await running
    assert world.at_rest(approval).state is State.DONE
    others = (2.5, 0.3)  # between two signs of life, and before the card says that it goes on
    assert [one for one in pauses.taken if one not in others] == [0.2, 1.0, 3.0]


async def test_t67_an_outcome_that_no_store_takes_is_in_the_log(world: World) -> None:
    """Away for good: the trail has the end, the log says that the request does not; later it is unknown."""
    here = world.replica(pause=Pauses())
    approval = await world.approved()
    world.deed.gate = asyncio.Event()
    running = asyncio.create_task(here.runner.resume(approval))
    await world.deed.begun.wait()
    world.store.away["move"] = 99
    world.deed.gate.set()
    with structlog.testing.capture_logs() as logs:
        await running
    assert {one["run"] for one in logs if one["event"] == "outcome_not_kept"} == {approval.run}
    assert [one["outcome"] for one in world.audit.of("action.finished")] == ["ok"]
    world.store.away.clear()
    world.clock.forward(seconds=60)
    await world.here.runner.sweep()
    assert world.at_rest(approval).state is State.UNKNOWN


async def test_the_heart_beats_through_a_store_that_fails_once(world: World) -> None:
    """A missed beat is not death: the next one renews the lease, and no other replica takes over."""
    here = world.replica(pause=Pauses())
    approval = await world.approved()
    world.deed.gate = asyncio.Event()
    running = asyncio.create_task(here.runner.resume(approval))
    await world.deed.begun.wait()
    world.store.away["beat"] = 1
    for _ in range(100):
        await asyncio.sleep(0)
    assert world.store.away["beat"] == 0
    world.clock.forward(seconds=19)
    for _ in range(100):
        await asyncio.sleep(0)
    world.clock.forward(seconds=19)
    await world.here.runner.sweep()
    assert world.at_rest(approval).state is State.EXECUTING
    world.deed.gate.set()
    await running
    assert world.at_rest(approval).state is State.DONE


async def test_t76_a_round_that_is_cancelled_does_not_break_off_a_call(world: World) -> None:
    """At shutdown periodic work is cancelled at once; what it executes goes on, and `close` waits for it."""
    approval = await world.approved()
    world.deed.gate = asyncio.Event()
    sweeping = asyncio.create_task(world.here.runner.sweep())
    await world.deed.begun.wait()
    sweeping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sweeping
    world.deed.gate.set()
    await world.here.runner.close()
    assert world.at_rest(approval).state is State.DONE
    assert [one.state for one in world.cards.told] == [State.DONE]


async def test_one_request_that_fails_keeps_no_other_waiting(world: World) -> None:
    """The store refuses one step: it is logged, and the next request is seen to in the same round."""
    first, second = await world.asked(), await world.asked(world.bob)
    world.clock.forward(minutes=15)
    world.store.away["move"] = 1
    with structlog.testing.capture_logs() as logs:
        await world.here.runner.sweep()
    assert [(one["event"], one["approval"]) for one in logs] == [("step_failed", first.id)]
    assert world.at_rest(second).state is State.EXPIRED


async def test_a_slow_call_keeps_no_other_waiting(world: World) -> None:
    """The round sees to several side by side: what is over is said while a call still takes its time."""
    other = await world.asked(world.bob)
    world.clock.forward(minutes=14)
    slow = await world.approved()
    world.clock.forward(minutes=1)
    world.deed.gate = asyncio.Event()
    sweeping = asyncio.create_task(world.here.runner.sweep())
    await world.deed.begun.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert world.at_rest(slow).state is State.EXECUTING
    assert world.at_rest(other).state is State.EXPIRED
    assert [one.id for one in world.cards.told] == [other.id]
    world.deed.gate.set()
    await sweeping


async def test_an_old_verdict_within_its_time_still_runs(world: World) -> None:
    """Agreed in the last second, picked up after `expires_at`: the verdict was in time, so it counts."""
    approval = await world.asked()
    world.clock.now = approval.expires_at - timedelta(seconds=1)
    await world.here.approvals.decide(world.ada, approval.id, Verdict.APPROVE)
    world.clock.forward(seconds=60)
    await world.here.runner.sweep()
    assert world.at_rest(approval).state is State.DONE


async def test_t49_what_was_asked_under_an_ended_link_is_cancelled(world: World) -> None:
    """Whoever ended the link, an operator's command or a replica that died of it: the round cancels what was open.

    Guard: `end_with_links`. What is asked under the newer link goes on.
    """
    old = await world.asked()
    newer = replace(world.ada, version=LinkVersion("v-newer"))
    world.links.link(newer)
    waiting = await world.asked(newer)
    await world.here.runner.sweep()
    assert world.at_rest(old).state is State.CANCELLED
    assert world.at_rest(waiting).state is State.PENDING
    assert [entry["reason"] for entry in world.audit.of("approval.cancelled")] == ["unlinked"]


async def test_an_account_that_is_disconnected_meanwhile_ends_the_request(world: World) -> None:
    """Connected when asked for and not any more when approved: nothing is called, and why is said."""
    action = world.deed.action(connection="almanac", scopes=frozenset({"events:write"}))
    world.actions = [action]
    world.here = world.replica()
    world.tokens.accounts[world.ada.sub, "almanac"] = action.scopes
    approval = await world.approved()
    assert (approval.connection, approval.scopes) == ("almanac", action.scopes)
    world.tokens.accounts.clear()
    await world.here.runner.resume(approval)
    ended = world.at_rest(approval)
    assert (ended.state, ended.reason) == (State.FAILED, "account_not_connected")
    assert world.deed.calls == []
    assert world.audit.types()[-1] == "action.refused"
