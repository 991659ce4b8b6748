"""Requests and verdicts: who may, once, on record; and a trail that has each step exactly once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.approvals import State, Verdict
from bot.errors import AlreadyDecided, ApprovalExpired, ApprovalUnknown, AuditUnavailable, ChangedSinceAsked, NotYours
from tests.conftest import HandClock
from tests.fakes.runner import World, person


@pytest.fixture
def world(clock: HandClock) -> World:
    """Ada and Bob are linked, and one action can be asked for."""
    return World(clock)


async def test_the_entry_comes_before_the_request(world: World) -> None:
    """What cannot be written down is not asked: no request, no card."""
    world.audit.away = True
    with pytest.raises(AuditUnavailable):
        await world.asked()
    assert await world.here.approvals.open_of(world.ada.slack) == []
    assert world.cards.asked == 0


async def test_a_request_is_on_record_stored_and_shown(world: World) -> None:
    """Asking leaves an entry without any value in it, a pending request, and one card."""
    approval = await world.asked()
    (entry,) = world.audit.of("approval.requested")
    assert (entry["user"], entry["sub"], entry["approval"]) == ("UADA", "auth0|ada", approval.id)
    assert "A-1" not in str(entry)
    assert world.at_rest(approval).state is State.PENDING
    assert [one.id for one in world.cards.posted] == [approval.id]
    assert world.tokens.given == []


async def test_a_verdict_is_on_record_with_its_approver(world: World) -> None:
    """The entry names who agreed, and only then is the request free to run."""
    approval = await world.approved()
    assert world.at_rest(approval).audited
    (entry,) = world.audit.of("approval.approved")
    assert entry["approver"] == {"team": "T1", "user": "UADA", "sub": "auth0|ada"}


REFUSALS = {
    "another person": (lambda w: w.bob, NotYours),
    "the same person, linked to another account": (
        lambda w: replace(w.ada, identity=replace(w.ada.identity, sub="auth0|other")),
        NotYours,
    ),
    "somebody in another workspace": (lambda _: person("ada", team="T2"), ApprovalUnknown),
}


@pytest.mark.parametrize(("who", "error"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_t45_who_may_not_decide_changes_nothing(world: World, who: object, error: type[Exception]) -> None:
    """`decide` of the states refuses the voter: the request stays, and one entry says who tried."""
    approval = await world.asked()
    voter = who(world)  # type: ignore[operator]
    before = world.at_rest(approval)
    with pytest.raises(error):
        await world.here.approvals.decide(voter, approval.id, Verdict.APPROVE)
    assert world.at_rest(approval) == before
    (entry,) = world.audit.of("action.refused")
    assert (entry["chain"], entry["user"], entry["outcome"]) == (voter.slack.workspace, voter.slack.user, "denied")


async def test_t46_the_id_of_another_request_is_that_request(world: World) -> None:
    """The button holds an id and nothing else: Mallory's edited value meets the record's own requester, not Mallory."""
    mallory = person("mallory")
    world.links.link(mallory)
    hers, his = await world.asked(), await world.asked(mallory)
    with pytest.raises(NotYours):
        await world.here.approvals.decide(mallory, hers.id, Verdict.APPROVE)
    assert world.at_rest(hers).state is State.PENDING
    assert world.at_rest(his).state is State.PENDING


@pytest.mark.parametrize("id_", ["", "nothing", "0" * 24, "x" * 500, "{'$ne': null}", "\ud83d"])
async def test_t46_an_invented_id_is_nothing(world: World, id_: str) -> None:
    """No such request in this workspace; the entry keeps no more than 64 characters of what was sent."""
    with pytest.raises(ApprovalUnknown):
        await world.here.approvals.decide(world.ada, id_, Verdict.APPROVE)
    (entry,) = world.audit.of("action.refused")
    assert len(entry["approval"]) <= 64


async def test_t48_double_clicks_and_both_buttons_in_three_replicas(world: World) -> None:
    """The store's atomic move lets one verdict through; the trail has one, and each other click as a refusal."""
    approval = await world.asked()
    verdicts = [Verdict.APPROVE, Verdict.DENY] * 6
    replicas = [world.here, world.replica(), world.replica()]
    outcomes = await asyncio.gather(
        *(replicas[n % 3].approvals.decide(world.ada, approval.id, verdict) for n, verdict in enumerate(verdicts)),
        return_exceptions=True,
    )
    won = [one for one in outcomes if not isinstance(one, BaseException)]
    assert len(won) == 1
    assert all(isinstance(one, AlreadyDecided) for one in outcomes if isinstance(one, BaseException))
    assert len(world.audit.of("approval.approved") + world.audit.of("approval.denied")) == 1
    assert len(world.audit.of("action.refused")) == 11


async def test_t49_after_the_time_nothing_is_decided(world: World, clock: HandClock) -> None:
    """`decide` looks at the clock itself, although no round has come by."""
    approval = await world.asked()
    clock.forward(minutes=15)
    with pytest.raises(ApprovalExpired):
        await world.here.approvals.decide(world.ada, approval.id, Verdict.APPROVE)
    assert world.at_rest(approval).state is State.PENDING


async def test_t54_a_verdict_that_cannot_be_written_stands_and_waits(world: World) -> None:
    """The decision is kept, said to be unrecorded, and free to run only when the round has written its entry."""
    approval = await world.asked()
    world.audit.refusing.add("approval.approved")
    decided = await world.here.approvals.decide(world.ada, approval.id, Verdict.APPROVE)
    assert (decided.state, decided.audited) == (State.APPROVED, False)
    await world.here.runner.resume(decided)
    await world.here.runner.sweep()
    assert world.deed.calls == []
    world.audit.refusing.clear()
    world.clock.forward(seconds=20)
    await world.here.runner.sweep()
    await world.here.runner.sweep()
    assert [call.principal for call in world.deed.calls] == [world.ada]
    assert len(world.audit.of("approval.approved")) == 1


async def test_an_entry_that_was_written_just_before_the_end_is_not_written_again(world: World) -> None:
    """Killed between the entry and the note that it stands: the round looks into the trail first."""
    approval = await world.asked()
    world.store.away["audited"] = 1
    await world.here.approvals.decide(world.ada, approval.id, Verdict.DENY)
    assert not world.at_rest(approval).audited
    world.clock.forward(seconds=20)
    await world.here.runner.sweep()
    assert world.at_rest(approval).audited
    assert len(world.audit.of("approval.denied")) == 1


async def test_an_owed_entry_names_the_decider_who_is_no_longer_linked(world: World) -> None:
    """Killed before the entry, and the decider unlinked since: the entry still says who it was then."""
    approval = await world.asked()
    world.audit.refusing.add("approval.denied")
    await world.here.approvals.decide(world.ada, approval.id, Verdict.DENY)
    world.audit.refusing.clear()
    world.links.unlink(world.ada)
    world.clock.forward(seconds=20)
    await world.here.runner.sweep()
    (entry,) = world.audit.of("approval.denied")
    approver = {"team": "T1", "user": "UADA", "sub": "auth0|ada"}
    assert (entry["approver"], entry["sub"]) == (approver, "auth0|ada")
    assert world.at_rest(approval).audited


@pytest.mark.parametrize("crashed", [False, True])
async def test_expiry_in_three_replicas_is_one_entry(world: World, crashed: bool) -> None:
    """All replicas find it at once; the move comes first, and its winner alone owes the entry, also after a crash."""
    approval = await world.asked()
    world.clock.forward(minutes=15)
    replicas = [world.here, world.replica(), world.replica()]
    if crashed:
        world.audit.refusing.add("approval.expired")
        await asyncio.gather(*(one.runner.sweep() for one in replicas))
        assert world.audit.of("approval.expired") == []
        world.audit.refusing.clear()
        world.clock.forward(seconds=20)
    await asyncio.gather(*(one.runner.sweep() for one in replicas))
    await asyncio.gather(*(one.runner.sweep() for one in replicas))
    assert world.at_rest(approval).state is State.EXPIRED
    assert len(world.audit.of("approval.expired")) == 1
    assert world.cards.shows.state is State.EXPIRED
    assert len(world.cards.told) == 1


async def test_cancelling_does_not_need_the_trail(world: World) -> None:
    """Unlinked while the trail is away: what was open is stopped at once, and its entry follows."""
    first, second = await world.asked(), await world.approved()
    others = await world.asked(world.bob)
    world.audit.away = True
    await world.here.approvals.cancel_of(world.ada.slack, world.ada.version, "unlinked")
    for approval in (first, second):
        assert world.at_rest(approval).state is State.CANCELLED
    assert world.at_rest(others).state is State.PENDING
    world.audit.away = False
    world.clock.forward(seconds=20)
    await world.here.runner.sweep()
    assert [entry["reason"] for entry in world.audit.of("approval.cancelled")] == ["unlinked", "unlinked"]
    assert world.deed.calls == []


async def test_cancelling_at_once_in_three_replicas_is_one_entry(world: World) -> None:
    """The winner of the move writes; the others have nothing to say."""
    approval = await world.asked()
    replicas = [world.here, world.replica(), world.replica()]
    ended = await asyncio.gather(*(one.approvals.cancel(approval, State.PENDING, "withdrawn") for one in replicas))
    assert len([one for one in ended if one is not None]) == 1
    assert len(world.audit.of("approval.cancelled")) == 1


async def test_t49_what_is_approved_in_the_moment_of_unlinking_is_cancelled_too(world: World) -> None:
    """Read as pending, approved meanwhile: `cancel_of` follows it into its new state."""
    approval = await world.asked()
    world.store.outdated = await world.here.approvals.open_of(world.ada.slack)
    await world.here.approvals.decide(world.ada, approval.id, Verdict.APPROVE)
    await world.here.approvals.cancel_of(world.ada.slack, world.ada.version, "unlinked")
    assert world.at_rest(approval).state is State.CANCELLED


async def test_what_executes_is_not_cancelled(world: World) -> None:
    """A call that has begun has an outcome, and that is what people are told."""
    approval = await world.approved()
    world.deed.gate = asyncio.Event()
    running = asyncio.create_task(world.here.runner.resume(approval))
    await world.deed.begun.wait()
    now = world.at_rest(approval)
    assert now.state is State.EXECUTING
    assert await world.here.approvals.cancel(now, now.state, "unlinked") is None
    await world.here.approvals.cancel_of(world.ada.slack, world.ada.version, "unlinked")
    assert world.audit.of("approval.cancelled") == []
    world.deed.gate.set()
    await running
    done = world.at_rest(approval)
    assert done.state is State.DONE
    assert await world.here.approvals.cancel(done, done.state, "unlinked") is None
    assert world.at_rest(approval) == done


async def test_t34_an_altered_request_is_cancelled_on_the_click(world: World) -> None:
    """What does not open is not what was shown: refused to the person, cancelled, on record."""
    approval = await world.asked()
    world.store.spoil(approval)
    with pytest.raises(ChangedSinceAsked):
        await world.here.approvals.decide(world.ada, approval.id, Verdict.APPROVE)
    assert world.at_rest(approval).state is State.CANCELLED
    assert [entry["reason"] for entry in world.audit.of("approval.cancelled")] == ["changed_since_asked"]


async def test_t34_an_altered_request_is_found_by_the_round(world: World) -> None:
    """Approved, then altered at rest: it never runs, and the trail says why."""
    approval = await world.approved()
    world.store.spoil(approval)
    await world.here.runner.sweep()
    assert world.at_rest(approval).state is State.CANCELLED
    assert [entry["reason"] for entry in world.audit.of("approval.cancelled")] == ["seal_broken"]
    assert world.deed.calls == []


async def test_a_long_outage_does_not_carry_out_what_was_agreed_before_it(world: World) -> None:
    """As much time as there was to decide has gone by since: it is cancelled, said, and not run."""
    approval = await world.approved()
    world.clock.forward(minutes=15)
    await world.here.runner.sweep()
    assert world.at_rest(approval).state is State.CANCELLED
    assert world.deed.calls == []
    assert world.cards.told[-1].reason == "too_late"


async def test_t61_a_slack_that_hangs_keeps_no_request_open(world: World) -> None:
    """Five are cancelled while the first card is still being changed (guard: `gather` in `cancel_of`)."""
    asked = [await world.asked() for _ in range(5)]
    world.cards.hangs = asyncio.Event()
    world.cards.begun.clear()
    ending = asyncio.create_task(world.here.approvals.cancel_of(world.ada.slack, world.ada.version, "unlinked"))
    await world.cards.begun.wait()
    async with asyncio.timeout(5):
        while await world.here.approvals.open_of(world.ada.slack):  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0)
    assert not ending.done()
    world.cards.hangs.set()
    await ending
    assert {world.at_rest(one).state for one in asked} == {State.CANCELLED}


async def test_more_than_a_hundred_are_cancelled(world: World) -> None:
    """`open_of` gives a hundred at a time; unlinking ends all of them."""
    for _ in range(103):
        await world.asked()
    await world.here.approvals.cancel_of(world.ada.slack, world.ada.version, "unlinked")
    assert await world.here.approvals.open_of(world.ada.slack) == []
    assert len(world.audit.of("approval.cancelled")) == 103


async def test_the_time_to_decide_is_the_actions_own(world: World) -> None:
    """`expires` of the action counts from the asking."""
    world.actions = [world.deed.action(expires=timedelta(hours=2))]
    world.here = world.replica()
    approval = await world.asked()
    assert approval.expires_at - approval.created_at == timedelta(hours=2)
