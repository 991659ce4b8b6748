"""The one door: whose token, for what, on record before and after, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest
import structlog

from bot.actions import ActionResult
from bot.approvals import Origin, State
from bot.errors import ActionUnknown, ArgumentsInvalid, AuditUnavailable, TooLargeToShow
from bot.runner import Finished
from oauth.errors import (
    AccountNotConnected,
    GrantDead,
    IdentityError,
    NotLinked,
    ProviderUnavailable,
    ScopeRefused,
)
from tests.conftest import HandClock
from tests.fakes.runner import ORIGIN, Deed, World, person

VALUES = {"order_id": "A-1", "amount": 5}


@pytest.fixture
def world(clock: HandClock) -> World:
    """`read_order` runs at once, `refund_order` after approval; both note what is done to them."""
    deed = Deed()
    reading = deed.action("read_order", approval="none", sensitive=False, scopes=frozenset({"orders:read"}))
    return World(clock, deed=deed, actions=[deed.action(), reading])


async def test_an_action_runs_between_two_entries(world: World) -> None:
    """First the entry of the beginning, then the call, then the entry of the end, all under one run id."""
    seen: list[list[str]] = []

    class Watching(Deed):
        """Notes what the trail holds at the moment of the call."""

        async def __call__(self, call: object) -> ActionResult:
            seen.append(world.audit.types())
            return ActionResult(ok=True, text="Refunded.", status=200)

    action = replace(world.actions[1], call=Watching())
    finished = await world.replica([action]).runner.run(world.ada, "read_order", VALUES, ORIGIN)
    assert isinstance(finished, Finished)
    assert finished.result.text == "Refunded."
    assert seen == [["action.started"]]
    started, ended = world.audit.of("action.started")[0], world.audit.of("action.finished")[0]
    assert started["run"] == ended["run"]
    assert ended["outcome"] == "ok"
    assert (started["user"], started["sub"], started["token_jti"]) == ("UADA", "auth0|ada", "jti-1")
    assert started["request"] == ORIGIN.request
    assert started["arguments_digest"] == ended["arguments_digest"]
    assert "A-1" not in str(world.audit.of("action.started"))


async def test_the_token_is_the_least_there_is(world: World) -> None:
    """It carries the action's scopes and no more, for the action's audience or else the configured one."""
    special = replace(world.actions[1], audience="https://special.example.com")
    for actions in (None, [special]):
        await world.replica(actions).runner.run(world.ada, "read_order", VALUES, ORIGIN)
    assert [(one.scopes, one.audience) for one in world.tokens.given] == [
        (frozenset({"orders:read"}), "https://api.example.com"),
        (frozenset({"orders:read"}), "https://special.example.com"),
    ]


@pytest.mark.parametrize(
    "error", [NotLinked(), GrantDead(), ProviderUnavailable(), ScopeRefused(frozenset({"orders:read"}))]
)
async def test_t40_without_a_token_there_is_no_call(world: World, error: IdentityError) -> None:
    """Whatever the broker refuses is one entry with its code, and the door stays shut."""
    world.tokens.error = error
    with pytest.raises(type(error)):
        await world.here.runner.run(world.ada, "read_order", VALUES, ORIGIN)
    assert world.deed.calls == []
    assert [(one["reason"], one["outcome"]) for one in world.audit.of("action.refused")] == [(error.code, "denied")]
    assert world.audit.of("action.started") == []


@pytest.mark.parametrize("name", ["read_order", "refund_order"])
async def test_t40_what_the_grant_does_not_reach_is_not_even_asked(world: World, name: str) -> None:
    """Too small a grant is refused before anybody is asked to approve what could never run."""
    eve = person("eve", scopes=frozenset({"profile"}))
    world.links.link(eve)
    with pytest.raises(ScopeRefused):
        await world.here.runner.run(eve, name, VALUES, ORIGIN)
    assert world.cards.asked == 0
    assert world.deed.calls == []
    assert world.tokens.given == []
    assert [one["reason"] for one in world.audit.of("action.refused")] == ["scope_refused"]


@pytest.mark.parametrize("extra", ["user", "sub", "Authorization", "authorization", "token", "principal"])
async def test_t41_no_argument_names_another_person(world: World, extra: str) -> None:
    """What is not a parameter is refused by `check`; nothing of it reaches the broker or the call."""
    with pytest.raises(ArgumentsInvalid):
        await world.here.runner.run(world.ada, "read_order", VALUES | {extra: "UBOB"}, ORIGIN)
    assert world.tokens.given == []
    assert world.deed.calls == []


async def test_t41_a_parameter_of_that_name_is_only_a_value(world: World) -> None:
    """An action may have a parameter `user`; the principal is still whoever asked."""
    action = world.deed.action("find", approval="none", parameters={"user": {"type": "string"}})
    await world.replica([action]).runner.run(world.ada, "find", {"user": "UBOB"}, ORIGIN)
    (call,) = world.deed.calls
    assert call.principal is world.ada
    assert call.token.value.startswith("canary-auth0|ada")


async def test_t42_two_people_in_one_thread_have_their_own_tokens(world: World) -> None:
    """The same question from the same place, at the same time: each call carries its own asker's token."""
    origin = Origin("C1", None, "1700000000.000100")
    await asyncio.gather(
        *(world.here.runner.run(who, "read_order", VALUES, origin) for who in (world.ada, world.bob) * 3)
    )
    for call in world.deed.calls:
        assert call.token.value.startswith(f"canary-{call.principal.sub}-")
    assert len({call.token.value for call in world.deed.calls}) == 6


async def test_t42_an_approved_request_runs_under_its_requesters_token(world: World) -> None:
    """Whoever's replica or round picks it up, the token is the requester's."""
    approval = await world.approved(who=world.bob)
    await world.replica().runner.sweep()
    (call,) = world.deed.calls
    assert (call.principal, call.run) == (world.bob, approval.run)
    assert call.token.value.startswith("canary-auth0|bob")


async def test_t44_a_scope_that_was_taken_away_stops_the_next_step(world: World) -> None:
    """Asked and agreed with the scope, executed without it: the principal is read anew, and there is no call."""
    approval = await world.approved()
    world.links.link(replace(world.ada, scopes=frozenset({"orders:read"})))
    await world.here.runner.resume(approval)
    assert world.deed.calls == []
    ended = world.at_rest(approval)
    assert (ended.state, ended.reason) == (State.FAILED, "scope_refused")
    assert [one["reason"] for one in world.audit.of("action.refused")] == ["scope_refused"]


async def test_no_token_while_a_person_decides(world: World) -> None:
    """It is minted after approval: asking and agreeing take none."""
    approval = await world.approved()
    assert world.tokens.given == []
    await world.here.runner.resume(approval)
    assert len(world.tokens.given) == 1


async def test_t54_what_cannot_be_written_does_not_happen(world: World) -> None:
    """The entry of the beginning fails: no call."""
    world.audit.refusing.add("action.started")
    with pytest.raises(AuditUnavailable):
        await world.here.runner.run(world.ada, "read_order", VALUES, ORIGIN)
    assert world.deed.calls == []


async def test_t54_an_approved_request_does_not_run_unrecorded(world: World) -> None:
    """The same after approval, and the person is told that nothing was done."""
    approval = await world.approved()
    world.audit.refusing.add("action.started")
    await world.here.runner.resume(approval)
    assert world.deed.calls == []
    ended = world.at_rest(approval)
    assert (ended.state, ended.reason) == (State.FAILED, "audit_unavailable")
    assert (ended.result or "").startswith("Nothing was done")


async def test_t54_a_lost_entry_of_the_end_does_not_lose_the_outcome(world: World) -> None:
    """It ran and its beginning is on record: the person gets the result, the log says what the trail lacks."""
    world.audit.refusing.add("action.finished")
    with structlog.testing.capture_logs() as logs:
        finished = await world.here.runner.run(world.ada, "read_order", VALUES, ORIGIN)
    assert isinstance(finished, Finished)
    assert finished.result.ok
    assert [one["event"] for one in logs] == ["audit_lost"]


@pytest.mark.parametrize(
    ("result", "outcome", "reason"),
    [
        (ActionResult(ok=True, text="", status=204), "ok", None),
        (ActionResult(ok=False, text="no", status=403), "failed", "http_403"),
        (ActionResult(ok=False, text="gone"), "failed", "no_answer"),
        (ActionResult(ok=False, text="?", unknown=True), "unknown", "no_answer"),
        (RuntimeError("canary-in-an-exception"), "unknown", "no_answer"),
    ],
)
async def test_the_end_is_on_record_as_it_was(
    world: World, result: ActionResult | Exception, outcome: str, reason: str | None
) -> None:
    """Fine, failed or unknown; an exception may have come after the effect: unknown, and its text is nowhere."""
    world.deed.result = result
    with structlog.testing.capture_logs() as logs:
        finished = await world.here.runner.run(world.ada, "read_order", VALUES, ORIGIN)
    (entry,) = world.audit.of("action.finished")
    assert (entry["outcome"], entry.get("reason")) == (outcome, reason)
    assert "canary-in-an-exception" not in str(logs) + str(finished)


async def test_a_call_that_never_ends_is_given_up(world: World) -> None:
    """An action of Python may hang: after `longest` it is unknown, and said to be."""
    world.deed.gate = asyncio.Event()
    finished = await world.replica(longest=0.01).runner.run(world.ada, "read_order", VALUES, ORIGIN)
    assert isinstance(finished, Finished)
    assert finished.result.unknown
    assert world.audit.of("action.finished")[0]["outcome"] == "unknown"


async def test_t78_the_token_is_cut_out_of_what_comes_back(world: World) -> None:
    """Also of what a Python action returns; half a surrogate pair becomes a question mark; the length is bounded."""

    class Echo(Deed):
        """Gives away what it was given."""

        async def __call__(self, call: object) -> ActionResult:
            return ActionResult(ok=True, text=f"{call.token.value} \ud83d " + "x" * 50_000)  # type: ignore[attr-defined]

    action = replace(world.actions[1], call=Echo())
    finished = await world.replica([action]).runner.run(world.ada, "read_order", VALUES, ORIGIN)
    assert isinstance(finished, Finished)
    assert finished.result.text.startswith("[token] ? x")
    assert len(finished.result.text) < 5_000


async def test_an_unknown_action_is_refused_without_repeating_it(world: World) -> None:
    """The entry says that it was refused and keeps nothing of what was typed."""
    with pytest.raises(ActionUnknown) as caught:
        await world.here.runner.run(world.ada, "read_ordr", VALUES, ORIGIN)
    assert caught.value.near[0] == "read_order"
    (entry,) = world.audit.of("action.refused")
    assert (entry["reason"], "action" in entry) == ("action_unknown", False)


async def test_t70_an_operator_of_the_database_is_no_argument(world: World) -> None:
    """`{"$ne": null}` where a text belongs: refused by its schema, on record, nothing called or stored."""
    with pytest.raises(ArgumentsInvalid) as caught:
        await world.here.runner.run(world.ada, "refund_order", {"order_id": {"$ne": None}, "amount": 5}, ORIGIN)
    assert caught.value.problems == {"order_id": "must be a text."}
    assert world.audit.types() == ["action.refused"]
    assert await world.here.approvals.open_of(world.ada.slack) == []


async def test_values_that_are_only_missing_are_no_refusal(world: World) -> None:
    """They are asked for in a form, so the trail stays as it is."""
    with pytest.raises(ArgumentsInvalid) as caught:
        await world.here.runner.run(world.ada, "refund_order", {"amount": "5"}, ORIGIN)
    assert caught.value.missing == ("order_id",)
    assert world.audit.types() == []


@pytest.mark.parametrize("amount", [2**53, -(2**53), "9007199254740992"])
async def test_a_number_that_json_cannot_carry_is_a_sentence(world: World, amount: object) -> None:
    """RFC 8785 ends at 2**53 - 1: said to the person before anything is stored or called."""
    with pytest.raises(ArgumentsInvalid) as caught:
        await world.here.runner.run(world.ada, "refund_order", {"order_id": "A-1", "amount": amount}, ORIGIN)
    assert set(caught.value.problems) == {"amount"}
    assert world.audit.types() == ["action.refused"]


async def test_t76_whoever_waited_may_go_away(world: World) -> None:
    """A call that has begun is not broken off with its caller: it ends, and the end is on record."""
    world.deed.gate = asyncio.Event()
    running = asyncio.create_task(world.here.runner.run(world.ada, "read_order", VALUES, ORIGIN))
    await world.deed.begun.wait()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    world.deed.gate.set()
    await world.here.runner.close()
    assert [one["outcome"] for one in world.audit.of("action.finished")] == ["ok"]


async def test_t50_what_no_card_can_show_is_not_even_asked(world: World) -> None:
    """Nobody could see it whole, so nothing is stored, and the refusal is on record (guard: `check` in request)."""
    world.cards.too_large = True
    with pytest.raises(TooLargeToShow):
        await world.here.runner.run(world.ada, "refund_order", VALUES, ORIGIN)
    assert world.cards.posted == []
    assert await world.store.open_of(world.ada.slack) == []
    assert [entry["reason"] for entry in world.audit.of("action.refused")] == ["too_large_to_show"]


ACCOUNT = {"connection": "almanac", "scopes": frozenset({"events:read"})}


@pytest.mark.parametrize("approval", ["none", "self"])
async def test_t40_without_the_account_nothing_is_called_or_asked(world: World, approval: str) -> None:
    """One entry, and the error goes on to whoever can send the way to connect it (guard: `token_of` in `run`)."""
    action = world.deed.action("read_events", approval=approval, **ACCOUNT)
    with pytest.raises(AccountNotConnected):
        await world.replica([action]).runner.run(world.ada, "read_events", VALUES, ORIGIN)
    assert world.deed.calls == []
    assert world.cards.asked == 0
    assert world.audit.types() == ["action.refused"]
    assert [one["reason"] for one in world.audit.of("action.refused")] == ["account_not_connected"]


async def test_an_action_runs_with_the_account_of_whoever_asks(world: World) -> None:
    """Ada's account is connected and Bob's is not; what Ada's login reaches does not matter."""
    ada = person("ada", scopes=frozenset())
    world.links.link(ada)
    world.tokens.accounts[ada.sub, "almanac"] = ACCOUNT["scopes"]
    runner = world.replica([world.deed.action("read_events", approval="none", **ACCOUNT)]).runner
    await runner.run(ada, "read_events", VALUES, ORIGIN)
    with pytest.raises(AccountNotConnected):
        await runner.run(world.bob, "read_events", VALUES, ORIGIN)
    (call,) = world.deed.calls
    assert (call.principal, call.token.audience) == (ada, "connection:almanac")
    assert world.audit.of("action.started")[0]["scopes"] == ["events:read"]
