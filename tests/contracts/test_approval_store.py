"""What every store of requests promises: one step at a time, once, whoever else tries; nothing private in the clear."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from bot import keyring
from bot.approvals import Approval, Copy, Origin, Part, State, Verdict, Vote
from bot.approvals.ports import ApprovalStore
from bot.approvals.store import MongoApprovalStore
from bot.database import Database, connect
from oauth import SlackUser, StoredSecret, Vault
from oauth.errors import StoreUnavailable
from tests.conftest import HandClock
from tests.fakes.approvals import MemoryApprovalStore

ADA, BOB = SlackUser("T1", "UADA"), SlackUser("T1", "UBOB")
SPAN = timedelta(seconds=20)
NEW = (Copy(Part.APPROVER, "UADA"),)

S = State
ROADS = [
    (S.PENDING, S.APPROVED),
    (S.PENDING, S.DENIED),
    (S.PENDING, S.EXPIRED),
    (S.PENDING, S.CANCELLED),
    (S.APPROVED, S.CANCELLED),
    (S.APPROVED, S.EXECUTING),
    (S.EXECUTING, S.EXECUTING),
    (S.EXECUTING, S.DONE),
    (S.EXECUTING, S.FAILED),
    (S.EXECUTING, S.UNKNOWN),
    (S.EXECUTING, S.CANCELLED),
]


@dataclass
class Replicas:
    """Two processes on one store, as far as the adapter allows for it."""

    one: ApprovalStore
    two: ApprovalStore


@pytest.fixture
async def in_database(mongo_database: Database) -> Replicas:
    """Two adapters on one database."""
    vault = Vault(keyring.new_token_keys())
    await MongoApprovalStore(mongo_database, vault).ensure_indexes()
    return Replicas(MongoApprovalStore(mongo_database, vault), MongoApprovalStore(mongo_database, vault))


@pytest.fixture(params=["memory", "database"])
def replicas(request: pytest.FixtureRequest) -> Replicas:
    """Both adapters keep the same promises."""
    if request.param == "memory":
        store = MemoryApprovalStore()
        return Replicas(store, store)
    found: Replicas = request.getfixturevalue("in_database")
    return found


@pytest.fixture
def store(replicas: Replicas) -> ApprovalStore:
    """One of them, where one is enough."""
    return replicas.one


@pytest.fixture
def asked(clock: HandClock, fresh_id: Callable[[], str]) -> Callable[..., Approval]:
    """Makes requests of Ada's."""

    def make(**changes: object) -> Approval:
        plain = Approval(
            id=fresh_id(),
            requester=ADA,
            sub="auth0|ada",
            link_version="1",
            action="refund_order",
            description="Refund one order",
            arguments={"order_id": "canary-argument", "amount": 5},
            scopes=frozenset({"orders:refund"}),
            digest="d" * 64,
            run="r" * 32,
            origin=Origin("C1", "https://hooks.example.com/canary-address", "123.456"),
            created_at=clock(),
            expires_at=clock() + timedelta(minutes=15),
            audited=True,
            copies=NEW,
        )
        return replace(plain, **changes)  # type: ignore[arg-type]

    return make


def vote(by: SlackUser, verdict: Verdict = Verdict.APPROVE) -> Vote:
    """A vote of somebody who is linked."""
    return Vote(by, f"auth0|{by.user.lower()}", "1", verdict, datetime.fromisoformat("2030-01-02T12:00:00+00:00"))


def shown(revision: int, ts: str = "1.2") -> tuple[Copy, ...]:
    """The one card of a request, where it is."""
    return (Copy(Part.APPROVER, "UADA", "D1", ts, revision),)


async def bring_to(store: ApprovalStore, approval: Approval, state: State, clock: HandClock) -> Approval:
    """Add it and take it to `state` by the ways there are."""
    await store.add(approval)
    way = {S.PENDING: [], S.APPROVED: [S.APPROVED], S.EXECUTING: [S.APPROVED, S.EXECUTING]}.get(
        state, [state] if state in {S.DENIED, S.EXPIRED, S.CANCELLED} else [S.APPROVED, S.EXECUTING, state]
    )
    at = approval
    for target in way:
        moved = await store.move(at, at.state, target, now=clock())
        assert moved is not None
        at = moved
    return at


async def stored(store: ApprovalStore, approval: Approval) -> Approval:
    found = await store.get(approval.requester.workspace, approval.id)
    assert found is not None
    return found


async def test_a_request_comes_back_as_it_was(store: ApprovalStore, asked: Callable[..., Approval]) -> None:
    """Nothing of it is lost, the sealed parts and the times included."""
    approval = asked(connection="almanac")
    await store.add(approval)
    assert await stored(store, approval) == approval


async def test_t46_a_request_of_another_workspace_is_not_found(
    store: ApprovalStore, asked: Callable[..., Approval]
) -> None:
    """An id from elsewhere means nothing here: the workspace is part of the primary key."""
    approval = asked()
    await store.add(approval)
    assert await store.get("T2", approval.id) is None


@pytest.mark.parametrize(("source", "target"), ROADS)
async def test_each_step_is_taken_once(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock, source: State, target: State
) -> None:
    """The step is made from the state it names, the revision grows, and it cannot be made from there again."""
    at = await bring_to(store, asked(), source, clock)
    moved = await store.move(at, source, target, now=clock(), reason="why", result="what came of it")
    assert moved is not None
    assert (moved.state, moved.revision, moved.reason) == (target, at.revision + 1, "why")
    assert moved.result == "what came of it"
    assert await stored(store, at) == moved
    if target is not source:
        assert await store.move(at, source, target, now=clock()) is None


@pytest.mark.parametrize(("source", "target"), ROADS)
async def test_a_step_from_another_state_is_none(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock, source: State, target: State
) -> None:
    """Whatever state it is in but the one that is named, nothing moves."""
    for actual in S:
        if actual is not source:
            at = await bring_to(store, asked(), actual, clock)
            assert await store.move(at, source, target, now=clock()) is None
            assert await stored(store, at) == at


async def test_t48_two_verdicts_at_once(replicas: Replicas, asked: Callable[..., Approval], clock: HandClock) -> None:
    """Approve and deny at the same moment in two replicas: one of them counts, and only its decider is kept."""
    for _ in range(5):
        approval = asked()
        await replicas.one.add(approval)
        yes, no = await asyncio.gather(
            replicas.one.move(approval, S.PENDING, S.APPROVED, now=clock(), vote=vote(ADA)),
            replicas.two.move(approval, S.PENDING, S.DENIED, now=clock(), vote=vote(BOB, Verdict.DENY)),
        )
        assert (yes is None) != (no is None)
        assert await stored(replicas.one, approval) == (yes or no)


async def test_t48_twenty_executions_at_once(
    replicas: Replicas, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """Of many that want to execute the same approved request, one may."""
    at = await bring_to(replicas.one, asked(), S.APPROVED, clock)
    tries = [
        either.move(at, S.APPROVED, S.EXECUTING, now=clock(), lease_until=clock() + SPAN, audited_only=True)
        for either in [replicas.one, replicas.two] * 10
    ]
    assert len([won for won in await asyncio.gather(*tries) if won is not None]) == 1


async def test_t49_a_verdict_and_expiry_at_once(
    replicas: Replicas, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """At the last moment one of the two wins, never both."""
    approval = asked()
    await replicas.one.add(approval)
    clock.now = approval.expires_at - timedelta(milliseconds=1)
    verdict, over = await asyncio.gather(
        replicas.one.move(approval, S.PENDING, S.APPROVED, now=clock(), vote=vote(ADA)),
        replicas.two.move(approval, S.PENDING, S.EXPIRED, now=clock(), reason="expired"),
    )
    assert (verdict is None) != (over is None)


@pytest.mark.parametrize("verdict", [S.APPROVED, S.DENIED])
async def test_t49_a_verdict_after_the_time_does_not_count(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock, verdict: State
) -> None:
    """The time is checked in the same atomic step, whether or not any sweep has come by."""
    approval = asked()
    await store.add(approval)
    clock.now = approval.expires_at
    assert await store.move(approval, S.PENDING, verdict, now=clock(), vote=vote(ADA)) is None


async def test_an_owed_entry_keeps_it_from_executing(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """A verdict without its entry cannot begin; with the entry it can."""
    approval = asked()
    await store.add(approval)
    at = await store.move(approval, S.PENDING, S.APPROVED, now=clock(), vote=vote(ADA), entry_until=clock() + SPAN)
    assert at is not None
    assert at.audited is False
    assert at.votes == (vote(ADA),)
    assert await store.move(at, S.APPROVED, S.EXECUTING, now=clock(), audited_only=True) is None
    await store.audited(at)
    assert await store.move(at, S.APPROVED, S.EXECUTING, now=clock(), audited_only=True) is not None


async def test_an_owed_entry_is_written_by_one(
    replicas: Replicas, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """Nobody takes it over while its writer may live; afterwards one replica does, until it stands."""
    approval = asked()
    await replicas.one.add(approval)
    at = await replicas.one.move(approval, S.PENDING, S.EXPIRED, now=clock(), entry_until=clock() + SPAN)
    assert at is not None
    assert not await replicas.two.claim_entry(at, clock(), clock() + SPAN)
    clock.forward(seconds=20)
    claims = [either.claim_entry(at, clock(), clock() + SPAN) for either in [replicas.one, replicas.two] * 5]
    assert sum(await asyncio.gather(*claims)) == 1
    await replicas.one.audited(at)
    clock.forward(seconds=20)
    assert not await replicas.two.claim_entry(at, clock(), clock() + SPAN)


async def test_the_entry_of_a_former_state_pays_for_no_other(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """Approved, then cancelled before the entry was written: the approval's entry does not pass for that of the end."""
    approval = asked()
    await store.add(approval)
    approved = await store.move(approval, S.PENDING, S.APPROVED, now=clock(), vote=vote(ADA), entry_until=clock())
    assert approved is not None
    cancelled = await store.move(approved, S.APPROVED, S.CANCELLED, now=clock(), entry_until=clock())
    assert cancelled is not None
    await store.audited(approved)
    assert not (await stored(store, approval)).audited
    assert not await store.claim_entry(approved, clock(), clock() + SPAN)
    assert await store.claim_entry(cancelled, clock(), clock() + SPAN)


async def test_t48_what_lives_is_not_taken_over(
    replicas: Replicas, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """A lease that was renewed meanwhile holds, whatever was read before; a lapsed one goes to one replica."""
    at = await bring_to(replicas.one, asked(), S.APPROVED, clock)
    held = await replicas.one.move(at, S.APPROVED, S.EXECUTING, now=clock(), lease_until=clock() + SPAN)
    assert held is not None
    clock.forward(seconds=19)
    await replicas.one.beat(held, clock() + SPAN)
    clock.forward(seconds=19)
    for target in (S.EXECUTING, S.UNKNOWN):
        assert await replicas.two.move(held, S.EXECUTING, target, now=clock(), lease_over=True) is None
    clock.forward(seconds=1)
    again = [
        either.move(held, S.EXECUTING, S.EXECUTING, now=clock(), lease_until=clock() + SPAN, lease_over=True)
        for either in [replicas.one, replicas.two] * 5
    ]
    won = [one for one in await asyncio.gather(*again) if one is not None]
    assert [one.tries for one in won] == [2]


async def test_a_beat_revives_nothing_that_has_ended(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """A late beat of an execution that is over changes nothing."""
    at = await bring_to(store, asked(), S.EXECUTING, clock)
    done = await store.move(at, S.EXECUTING, S.DONE, now=clock())
    await store.beat(at, clock() + SPAN)
    assert [(one, lease) async for one, lease in store.unsettled(clock())] == [(done, None)]


async def test_t72_one_speaks_at_a_time(replicas: Replicas, asked: Callable[..., Approval], clock: HandClock) -> None:
    """Of many that want to show a card one may, until it is done or its time is over."""
    approval = asked()
    await replicas.one.add(approval)
    claims = [
        either.claim_outbox(approval, f"speaker-{n}", clock(), clock() + SPAN)
        for n, either in enumerate([replicas.one, replicas.two] * 5)
    ]
    assert len([won for won in await asyncio.gather(*claims) if won is not None]) == 1
    clock.forward(seconds=20)
    late = await replicas.two.claim_outbox(approval, "late", clock(), clock() + SPAN)
    assert late == replace(approval, turns=2)


async def test_what_was_said_is_kept(store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock) -> None:
    """The card's place is remembered, and the next may speak at once."""
    approval = asked()
    await store.add(approval)
    await store.claim_outbox(approval, "one", clock(), clock() + SPAN)
    card = shown(approval.revision)
    said = await store.said(approval, "one", card, told=False)
    assert said is not None
    assert (said.copies, said.told, said.attempts) == (card, False, 0)
    again = await store.claim_outbox(approval, "two", clock(), clock() + SPAN)
    assert again == replace(said, turns=2)


async def test_a_speaker_whose_time_is_over_changes_nothing(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """Who was taken for dead cannot overwrite what the next one noted down, nor end that one's turn."""
    approval = asked()
    await store.add(approval)
    await store.claim_outbox(approval, "slow", clock(), clock() + SPAN)
    clock.forward(seconds=20)
    await store.claim_outbox(approval, "next", clock(), clock() + SPAN)
    assert await store.said(approval, "slow", shown(1, "9.9"), told=True) is None
    assert await store.claim_outbox(approval, "third", clock(), clock() + SPAN) is None
    assert (await stored(store, approval)).copies == NEW


async def test_a_pause_is_kept_until_something_changes(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """After a failure nobody speaks before the time; a change of the request is said at once."""
    approval = asked()
    await store.add(approval)
    await store.claim_outbox(approval, "one", clock(), clock() + SPAN)
    said = await store.said(approval, "one", NEW, told=False, quiet_until=clock() + timedelta(minutes=5))
    assert said is not None
    assert said.attempts == 1
    clock.forward(minutes=4)
    assert await store.claim_outbox(approval, "two", clock(), clock() + SPAN) is None
    moved = await store.move(approval, S.PENDING, S.DENIED, now=clock(), vote=vote(ADA))
    assert moved is not None
    assert moved.attempts == 0
    again = await store.claim_outbox(approval, "three", clock(), clock() + SPAN)
    assert again == replace(moved, turns=2)


async def ids(store: ApprovalStore, clock: HandClock) -> list[str]:
    return [one.id async for one, _ in store.unsettled(clock())]


async def test_a_pending_request_that_is_shown_needs_nothing(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """The round does not read what only waits for a person; it reads it again when its time is over."""
    approval = asked()
    await store.add(approval)
    assert await ids(store, clock) == [approval.id]
    await store.claim_outbox(approval, "one", clock(), clock() + SPAN)
    await store.said(approval, "one", shown(approval.revision), told=False, due_at=approval.expires_at)
    assert await ids(store, clock) == []
    clock.now = approval.expires_at
    assert await ids(store, clock) == [approval.id]


async def test_settled_is_what_is_over_said_and_on_record(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """A finished request stays with the round until its outcome is said and its entry stands."""
    approval = asked()
    await store.add(approval)
    at = await store.move(approval, S.PENDING, S.DENIED, now=clock(), vote=vote(ADA), entry_until=clock())
    assert at is not None
    for expected in ([at.id], []):
        await store.claim_outbox(at, "one", clock(), clock() + SPAN)
        await store.said(at, "one", shown(at.revision), told=True, due_at=None)
        assert await ids(store, clock) == expected
        await store.audited(at)
        at = replace(at, audited=True)


async def test_what_changed_while_it_was_said_is_not_settled(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """Somebody spoke of the running call while it ended: the end is still to be said."""
    at = await bring_to(store, asked(), S.EXECUTING, clock)
    await store.claim_outbox(at, "one", clock(), clock() + SPAN)
    done = await store.move(at, S.EXECUTING, S.DONE, now=clock())
    assert done is not None
    latest = await store.said(at, "one", shown(at.revision), told=True, due_at=None)
    assert latest is not None
    assert latest.revision == done.revision
    assert await ids(store, clock) == [at.id]


async def test_what_a_person_has_open(store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock) -> None:
    """Waiting and agreed ones of that person in that workspace, oldest first; no other's, and nothing that is over."""
    mine = []
    for state in S:
        at = await bring_to(store, asked(created_at=clock()), state, clock)
        mine += [at.id] if state in {S.PENDING, S.APPROVED} else []
        clock.forward(seconds=1)
    await store.add(asked(requester=BOB))
    await store.add(asked(requester=SlackUser("T2", "UADA")))
    assert [one.id for one in await store.open_of(ADA)] == mine


async def test_the_links_under_which_something_is_open(
    store: ApprovalStore, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """One for each requester and version, and none for what is over."""
    await store.add(asked(link_version="v1"))
    await store.add(asked(link_version="v1"))
    await store.add(asked(link_version="v2"))
    over = asked(requester=BOB, link_version="v3")
    await store.add(over)
    assert await store.move(over, State.PENDING, State.CANCELLED, now=clock())
    assert await store.links_in_use() == {(ADA, "v1"), (ADA, "v2")}


@pytest.fixture
async def vault_and_store(mongo_database: Database) -> tuple[Vault, MongoApprovalStore]:
    """What only the database can show."""
    vault = Vault(keyring.new_token_keys())
    store = MongoApprovalStore(mongo_database, vault)
    await store.ensure_indexes()
    return vault, store


async def test_t33_a_dump_shows_no_value(
    mongo_database: Database,
    vault_and_store: tuple[Vault, MongoApprovalStore],
    asked: Callable[..., Approval],
    clock: HandClock,
) -> None:
    """Arguments, answer address and result are sealed at rest: the raw collection contains none of them."""
    _, store = vault_and_store
    at = await bring_to(store, asked(), S.EXECUTING, clock)
    await store.move(at, S.EXECUTING, S.DONE, now=clock(), result="canary-result")
    dump = str([found async for found in mongo_database["approvals"].find({})])
    assert at.id in dump
    assert "canary" not in dump


async def test_t34_a_swapped_seal_is_not_read(
    mongo_database: Database, vault_and_store: tuple[Vault, MongoApprovalStore], asked: Callable[..., Approval]
) -> None:
    """Arguments copied from one request to another do not open there, and the request says so."""
    _, store = vault_and_store
    small, large = asked(arguments={"amount": 1}), asked(arguments={"amount": 100_000})
    await store.add(small)
    await store.add(large)
    found = await mongo_database["approvals"].find_one({"_id": f"T1:{large.id}"})
    assert found is not None
    await mongo_database["approvals"].update_one({"_id": f"T1:{small.id}"}, {"$set": {"private": found["private"]}})
    swapped = await stored(store, small)
    assert (swapped.readable, swapped.arguments) == (False, {})


async def test_an_unreadable_record_keeps_no_other_from_the_round(
    mongo_database: Database,
    vault_and_store: tuple[Vault, MongoApprovalStore],
    asked: Callable[..., Approval],
    clock: HandClock,
) -> None:
    """One whose seal is broken is handed on as such, one that is no request at all is passed over."""
    _, store = vault_and_store
    broken, nonsense, whole = (asked(created_at=clock() + timedelta(seconds=n)) for n in range(3))
    for one in (broken, nonsense, whole):
        await store.add(one)
    clock.forward(seconds=3)
    raw = mongo_database["approvals"]
    await raw.update_one({"_id": f"T1:{broken.id}"}, {"$set": {"private": "x.y.z"}})
    await raw.update_one({"_id": f"T1:{nonsense.id}"}, {"$set": {"state": "ripe"}})
    assert [(one.id, one.readable) async for one, _ in store.unsettled(clock())] == [
        (broken.id, False),
        (whole.id, True),
    ]


async def test_t75_what_a_newer_replica_adds_is_passed_over(
    mongo_database: Database, vault_and_store: tuple[Vault, MongoApprovalStore], asked: Callable[..., Approval]
) -> None:
    """Fields that this version does not know, in the record or inside its parts, do not keep it from being read."""
    _, store = vault_and_store
    approval = asked()
    await store.add(approval)
    card = {"part": "approver", "to": "UADA", "channel": "D1", "ts": "1.2", "shown": 1, "colour": "blue"}
    await mongo_database["approvals"].update_one({"_id": f"T1:{approval.id}"}, {"$set": {"copies": [card], "hue": 2}})
    assert await stored(store, approval) == replace(approval, copies=shown(1))


async def test_t75_what_an_older_replica_left_out_has_its_plain_value(
    mongo_database: Database, vault_and_store: tuple[Vault, MongoApprovalStore], asked: Callable[..., Approval]
) -> None:
    """A record from before a field was thought of is read as if nothing had happened to that field."""
    _, store = vault_and_store
    approval = asked()
    await store.add(approval)
    names = ("enterprise", "tries", "attempts", "told", "copies", "confirmed", "votes", "reminded", "org", "kind")
    younger = dict.fromkeys(names, 1)
    await mongo_database["approvals"].update_one({"_id": f"T1:{approval.id}"}, {"$unset": younger})
    assert await stored(store, approval) == approval


async def test_a_request_cannot_be_added_twice(
    vault_and_store: tuple[Vault, MongoApprovalStore], asked: Callable[..., Approval], clock: HandClock
) -> None:
    """The id in its workspace is the primary key, so nothing overwrites a request that stands."""
    from pymongo.errors import DuplicateKeyError

    _, store = vault_and_store
    at = await bring_to(store, asked(), S.DENIED, clock)
    with pytest.raises(DuplicateKeyError):
        await store.add(at)


async def test_t35_every_sealed_part_of_a_request_is_found(
    vault_and_store: tuple[Vault, MongoApprovalStore], asked: Callable[..., Approval], clock: HandClock
) -> None:
    """What was asked and what came of it, each opening as what it is named (guard: `_SEALED` of the store)."""
    vault, store = vault_and_store
    first, second = asked(id="a"), asked(id="b")
    await store.add(second)
    at = await bring_to(store, first, S.EXECUTING, clock)
    await store.move(at, S.EXECUTING, S.DONE, now=clock(), result="canary-result")
    found = [secret async for secret in store.secrets()]
    assert [secret.place for secret in found] == [
        ("approvals", "T1:a", "private"),
        ("approvals", "T1:a", "result"),
        ("approvals", "T1:b", "private"),
    ]
    opened = [vault.open(secret.sealed, record=secret.record, name=secret.name) for secret in found]
    assert [b"canary-argument" in opened[0], opened[1], b"canary-argument" in opened[2]] == [
        True,
        b"canary-result",
        True,
    ]


async def test_t35_a_sealed_part_is_swapped_once(
    vault_and_store: tuple[Vault, MongoApprovalStore], asked: Callable[..., Approval]
) -> None:
    """Of two rotations at once one counts, and what has changed since it was read stays.

    (guard: the sealed value in the query of `MongoApprovalStore.swap`)
    """
    vault, store = vault_and_store
    approval = asked()
    await store.add(approval)
    (secret,) = [secret async for secret in store.secrets()]
    plain = vault.open(secret.sealed, record=secret.record, name=secret.name)
    anew = [vault.seal(plain, record=secret.record, name=secret.name) for _ in range(2)]
    assert sorted(await asyncio.gather(*(store.swap(secret, one) for one in anew))) == [False, True]
    assert not await store.swap(secret, "late")
    assert await stored(store, approval) == approval


async def test_t35_a_store_that_is_away_is_said() -> None:
    """In the words that whoever rotates the keys knows (guard: `StoreUnavailable` in `secrets` and `swap`)."""
    client, database = connect("mongodb://127.0.0.1:9", "away", patience=0.1)
    store = MongoApprovalStore(database, Vault(keyring.new_token_keys()))
    with pytest.raises(StoreUnavailable):
        [secret async for secret in store.secrets()]
    with pytest.raises(StoreUnavailable):
        await store.swap(StoredSecret(("approvals", "T1:a", "private"), "T1:a", "private", "s"), "t")
    client.close()


async def test_t50_what_is_attached_to_a_card_is_kept_sealed(
    in_database: Replicas, mongo_database: Database, asked: Callable[..., Approval], clock: HandClock
) -> None:
    """Whoever writes to the database cannot lead an approver to another file: it is attached anew
    (guard: the seal in `files_document`)."""
    store, approval = in_database.one, asked()
    await store.add(approval)
    files = (("1-note.txt", "https://files.example/canary-address"),)
    half = replace(NEW[0], channel="D1", files=files)
    speaking = await store.claim_outbox(approval, "me", clock(), clock() + SPAN)
    assert speaking is not None
    await store.said(speaking, "me", (half,), told=False)
    found = await in_database.two.get("T1", approval.id)
    assert found is not None
    assert found.copies == (half,)
    raw = await mongo_database["approvals"].find_one({"id": approval.id})
    assert raw is not None
    assert "canary-address" not in str(raw)
    await mongo_database["approvals"].update_one({"id": approval.id}, {"$set": {"files": f"x{raw['files']}"}})
    found = await in_database.two.get("T1", approval.id)
    assert found is not None
    assert found.copies == (replace(half, files=()),)
