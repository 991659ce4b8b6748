"""The same promises from links and tickets in memory and in the database."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oauth.models import (
    Identity,
    Lease,
    Link,
    LinkVersion,
    Principal,
    SealedAccess,
    SlackProfile,
    SlackUser,
    Subject,
    access_field,
)
from oauth.ports import LinkStore, Taken
from oauth.store import MongoLinkStore
from oauth.tickets import OPEN_STAGES, Stage, Ticket, hashed
from tests.fakes.link_store import MemoryLinkStore

NOW = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
ADA, BOB = SlackUser("T1", "UADA"), SlackUser("T1", "UBOB", "E1")


@pytest.fixture(params=["memory", "database"])
def empty(request: pytest.FixtureRequest) -> LinkStore:
    """A store with nothing in it."""
    if request.param == "memory":
        return MemoryLinkStore()
    return MongoLinkStore(request.getfixturevalue("mongo_database"))


@pytest.fixture
async def store(empty: LinkStore) -> LinkStore:
    """A store with nothing in it, ready for use."""
    await empty.ensure_indexes()
    return empty


def link_of(slack: SlackUser = ADA, sub: str = "auth0|ada", version: str = "v1", **more: Any) -> Link:
    """A link with one access token in it."""
    identity = Identity("https://tenant.example/", Subject(sub), f"{slack.user}@corp.example", None, "org_1")
    principal = Principal(slack, identity, LinkVersion(version), frozenset({"a", "b"}), NOW)
    access = SealedAccess("https://api.example", frozenset({"a"}), "sealed-access", NOW, LATER, "jti-1")
    return Link(principal, "sealed-refresh", access=(access,), **more)


def ticket_of(slack: SlackUser = ADA, **more: Any) -> Ticket:
    """A ticket whose link nobody has opened yet."""
    profile = SlackProfile("Corp", slack.user, None)
    return replace(Ticket(slack, profile, hashed(secrets.token_hex(8)), Stage.OPEN, NOW, LATER), **more)


async def test_a_link_comes_back_as_it_was_stored(store: LinkStore) -> None:
    """Every field survives, the enterprise and the sealed access tokens among them."""
    link = link_of(BOB, sid="session-1")
    await store.add_link(link)
    assert await store.link(BOB) == link
    assert await store.link(ADA) is None
    assert await store.holder("E1", link.principal.identity) == BOB


async def test_t17_an_identity_has_one_person_in_a_workspace(store: LinkStore) -> None:
    """The second person of one workspace is refused, and the first is named (guard: the index `one_identity`)."""
    await store.add_link(link_of())
    with pytest.raises(Taken) as taken:
        await store.add_link(link_of(SlackUser("T1", "UEVE")))
    assert taken.value.holder == ADA


async def test_t17_a_person_has_one_link(store: LinkStore) -> None:
    """A second identity does not replace the first (guard: the key of a link in `link_document` is the person's)."""
    await store.add_link(link_of())
    with pytest.raises(Taken) as taken:
        await store.add_link(link_of(sub="auth0|eve"))
    assert taken.value.holder == ADA
    assert await store.link(ADA) == link_of()


async def test_t59_the_same_user_id_elsewhere_is_somebody_else(store: LinkStore) -> None:
    """Workspaces do not share links, neither by user id nor by identity (guards: the workspace in the key of a link,
    and in the index `one_identity`)."""
    elsewhere = SlackUser("T2", "UADA")
    await store.add_link(link_of())
    await store.add_link(link_of(elsewhere))
    assert await store.link(elsewhere) == link_of(elsewhere)
    found = [link.principal.slack async for link in store.links(sub=Subject("auth0|ada"))]
    assert found == [ADA, elsewhere]
    assert [link.principal.slack async for link in store.links(workspace="T2")] == [elsewhere]


async def test_t30_an_identity_is_exactly_issuer_and_subject(store: LinkStore) -> None:
    """The same `sub` of another issuer, or in capitals, is somebody else; with another address it is the same person
    (guard: `iss` and `sub`, and nothing more, in the index `one_identity` and in `holder`)."""
    eve, dan = SlackUser("T1", "UEVE"), SlackUser("T1", "UDAN")
    await store.add_link(link_of())
    identity = link_of().principal.identity
    elsewhere, capitals = replace(identity, iss="https://other.example/"), replace(identity, sub=Subject("AUTH0|ADA"))
    assert await store.holder("T1", elsewhere) is None
    assert await store.holder("T1", capitals) is None
    for slack, other in ((eve, elsewhere), (dan, capitals)):
        link = link_of(slack)
        await store.add_link(replace(link, principal=replace(link.principal, identity=other)))
    assert await store.holder("T1", replace(identity, email=None, name="Ada", org=None)) == ADA
    assert [await store.holder("T1", other) for other in (elsewhere, capitals)] == [eve, dan]


async def test_versions_of_many_are_one_read(store: LinkStore) -> None:
    """Only those that are there are named, each with the version that it has now."""
    await store.add_link(link_of())
    await store.add_link(link_of(BOB, sub="auth0|bob", version="v7"))
    assert await store.versions([ADA.key, BOB.key, "T1:UEVE"]) == {ADA.key: "v1", BOB.key: "v7"}


async def test_links_are_found_by_session(store: LinkStore) -> None:
    """A logout that names a session alone finds its links, and no link without one."""
    await store.add_link(link_of(sid="session-1"))
    await store.add_link(link_of(BOB, "auth0|bob"))
    assert [link.principal.slack async for link in store.links(sid="session-1")] == [ADA]


async def takes(store: LinkStore, name: str, over: float | None = None) -> bool:
    """Whether this one gets Ada's lease, that of somebody else `over` if it has that age; the link is as it was."""
    ada = link_of().principal
    link = await (store.lease(ada, name) if over is None else store.take_over(ada, name, over))
    if link is None:
        return False
    assert link == replace(link_of(), lease=Lease(name, left=over is not None))
    return True


async def test_t36_one_of_many_gets_the_lease(store: LinkStore) -> None:
    """Of twenty callers at once one may refresh; the next one when it is given back, and by nobody else."""
    await store.add_link(link_of())
    got = await asyncio.gather(*(takes(store, f"owner-{n}") for n in range(20)))
    assert got.count(True) == 1
    await store.release(link_of().principal, "somebody else")
    assert not await takes(store, "late")
    await store.release(link_of().principal, f"owner-{got.index(True)}")
    assert await takes(store, "after")


async def test_t36_one_of_many_takes_over_a_lease_that_is_over(store: LinkStore) -> None:
    """Twenty who find it over at once are no more than one by the next moment; none takes what is not over."""
    await store.add_link(link_of())
    assert not await takes(store, "early", 0.0)
    assert await takes(store, "dead")
    assert not await takes(store, "early", 60.0)
    await store.leave(link_of().principal, "dead")
    assert (await asyncio.gather(*(takes(store, f"owner-{n}", 60.0) for n in range(20)))).count(True) == 1


async def test_t37_the_lease_of_a_dead_holder_is_over_by_the_clock_of_the_store(store: LinkStore) -> None:
    """Whoever takes it over knows that it was left; whoever gets one that was given back knows that it was not."""
    await store.add_link(link_of())
    assert await takes(store, "first")
    assert await takes(store, "second", 0.0)
    await store.release(link_of().principal, "second")
    assert await takes(store, "third")


async def test_a_lease_is_prolonged_by_its_holder_alone(store: LinkStore) -> None:
    """It is not over any more; who has lost it, or given it back, cannot bring it back."""
    await store.add_link(link_of())
    ada = link_of().principal
    assert await takes(store, "first")
    await store.leave(ada, "first")
    assert not await store.prolong(ada, "second")
    assert await store.prolong(ada, "first")
    assert not await takes(store, "second", 60.0)
    await store.release(ada, "first")
    assert not await store.prolong(ada, "first")
    assert await takes(store, "second")


async def test_t37_leases_that_were_left_are_found(store: LinkStore) -> None:
    """By the store's own clock: only those that are over and were not given back; a save gives back too."""
    bob = link_of(BOB, "auth0|bob")
    await store.add_link(link_of())
    await store.add_link(bob)
    assert await store.left(0.0) == []
    await store.lease(link_of().principal, "dead")
    await store.lease(bob.principal, "alive")
    assert {one.slack for one in await store.left(0.0)} == {ADA, BOB}
    assert await store.left(60.0) == []
    await store.leave(link_of().principal, "dead")
    assert await store.left(60.0) == [link_of().principal]
    await store.release(bob.principal, "alive")
    assert await store.left(0.0) == [link_of().principal]
    assert await store.save(link_of())
    assert await store.left(0.0) == []


async def test_t37_a_lease_that_is_left_unsettled_is_over_at_once(store: LinkStore) -> None:
    """It shows in the link, and whoever takes it is told; only its owner can leave it."""
    await store.add_link(link_of())
    ada = link_of().principal
    assert await takes(store, "first")
    await store.leave(ada, "second")
    assert not await takes(store, "second", 60.0)
    await store.leave(ada, "first")
    there = await store.link(ADA)
    assert there is not None
    assert there.lease == Lease("first", left=True)
    assert not await takes(store, "second")
    assert await takes(store, "second", 60.0)


async def test_the_tokens_of_one_audience_are_forgotten(store: LinkStore) -> None:
    """The others stay, and so does a link that was made anew since."""
    other = SealedAccess("connection:almanac", frozenset({"a"}), "theirs", NOW, LATER, None)
    link = link_of()
    await store.add_link(replace(link, access=(*link.access, other)))
    await store.forget_access(link_of(version="v0").principal, "connection:almanac")
    assert await store.link(ADA) == replace(link, access=(*link.access, other))
    await store.forget_access(link.principal, "connection:almanac")
    assert await store.link(ADA) == link


async def test_links_asked_for_at_once_are_each_ones_own(store: LinkStore) -> None:
    """Reads that go out together do not mix people up, and who is not there is not there."""
    bob = link_of(BOB, "auth0|bob")
    await store.add_link(link_of())
    await store.add_link(bob)
    people = [ADA, BOB, SlackUser("T1", "UEVE"), ADA]
    assert await asyncio.gather(*map(store.link, people)) == [link_of(), bob, None, link_of()]


async def test_no_lease_on_another_version(store: LinkStore) -> None:
    """Who knew the link before it was made anew may not refresh it."""
    await store.add_link(link_of(version="v2"))
    assert await store.lease(link_of(version="v1").principal, "owner") is None
    await store.lease(link_of(version="v2").principal, "other")
    assert await store.take_over(link_of(version="v1").principal, "owner", 0.0) is None
    await store.release(link_of(version="v2").principal, "other")
    assert await store.link(ADA) == link_of(version="v2")


async def test_a_refresh_token_is_replaced_once(store: LinkStore) -> None:
    """A save names the generation that it spent, so the second of two has no effect; it ends the lease."""
    await store.add_link(link_of())
    leased = await store.lease(link_of().principal, "owner")
    assert leased is not None
    assert await store.save(replace(leased, sealed_refresh="second", access=()))
    assert not await store.save(replace(leased, sealed_refresh="third"))
    there = await store.link(ADA)
    assert there is not None
    assert (there.sealed_refresh, there.access, there.generation) == ("second", (), leased.generation + 1)
    assert there.lease is None


async def test_t39_what_was_removed_cannot_be_saved(store: LinkStore) -> None:
    """A save after unlinking finds nothing, and one after linking anew finds another version."""
    await store.add_link(link_of())
    assert await store.remove_link(link_of())
    assert not await store.save(link_of())
    assert await store.link(ADA) is None
    await store.add_link(link_of(version="v2"))
    assert not await store.save(link_of())


async def test_t49_whose_link_has_ended_is_told_to_every_replica(store: LinkStore) -> None:
    """Once, with the version that it had, to whoever asks what ended since a time before it; not what is linked yet.

    Guards: the note in `remove_link`, before the removal, and the time in `ended`.
    """
    ada, bob = link_of(), link_of(BOB, "auth0|bob")
    await store.add_link(ada)
    await store.add_link(bob)
    assert await store.ended(NOW.replace(year=2000)) == []
    assert await store.remove_link(ada)
    assert not await store.remove_link(ada)
    assert await store.ended(NOW.replace(year=2000)) == [(ada.principal.slack, ada.principal.version)]
    assert await store.ended(datetime.now(UTC) + timedelta(hours=1)) == []
    await store.forget(datetime.now(UTC) + timedelta(hours=1))
    assert await store.ended(NOW.replace(year=2000)) == []


async def test_only_the_very_link_is_removed(store: LinkStore) -> None:
    """A link that was refreshed or made anew since it was read stays."""
    await store.add_link(link_of())
    assert not await store.remove_link(link_of(version="v0"))
    assert await store.save(link_of())
    assert not await store.remove_link(link_of())
    assert await store.remove_link(link_of(generation=1))
    assert not await store.remove_link(link_of(generation=1))


async def test_a_ticket_comes_back_as_it_was_stored(store: LinkStore) -> None:
    """Every field survives, and it is found by person, by hash and by state."""
    ticket = ticket_of(BOB, state_hash="s", browser_hash="b", sealed_login="l", sealed_waiting="w", guesses=2)
    ticket = replace(ticket, sealed_address="a", sealed_slack="k", otp_start="o", otp_sends=1, otp_sent_at=NOW)
    assert await store.put_ticket(ticket)
    assert await store.ticket(BOB) == ticket
    assert await store.ticket_by_hash(ticket.hash) == ticket
    assert await store.ticket_by_state("s") == ticket
    assert await store.ticket(ADA) is None
    assert await store.ticket_by_hash("other") is None
    assert await store.ticket_by_state("other") is None


async def test_t15_the_newest_ticket_is_the_only_one(store: LinkStore) -> None:
    """A later ticket takes the place of the earlier, which leads nowhere any more (guards: the key of a ticket is the
    person's, and `hash` in `advance`)."""
    first, second = ticket_of(), ticket_of()
    assert await store.put_ticket(first)
    assert await store.put_ticket(second)
    assert await store.ticket_by_hash(first.hash) is None
    assert await store.advance(first, OPEN_STAGES, {"stage": Stage.DONE}) is None


@pytest.mark.parametrize("stage", [Stage.RETURNED, Stage.PROVING, Stage.VOID])
async def test_a_ticket_with_a_grant_is_not_replaced(store: LinkStore, stage: Stage) -> None:
    """The grant would be lost without being revoked, so it has to leave the ticket first."""
    former = ticket_of(stage=stage, sealed_grant="grant")
    assert await store.put_ticket(former)
    assert not await store.put_ticket(ticket_of())
    assert not await store.claim_ticket(ticket_of(), LATER)
    assert await store.advance(former, {stage}, {"sealed_grant": None}, match={"sealed_grant": "grant"})
    assert await store.put_ticket(ticket_of())


async def test_a_ticket_that_is_done_is_replaced(store: LinkStore) -> None:
    """Its grant is a link by then, whether or not it has been cleared away."""
    assert await store.put_ticket(ticket_of(stage=Stage.DONE, sealed_grant="grant"))
    assert await store.claim_ticket(ticket_of(), NOW)


async def test_one_of_many_claims_the_ticket(store: LinkStore) -> None:
    """Of ten claims at once one wins; the next one only when that ticket's time is over, or it is done or void."""
    claims = await asyncio.gather(*(store.claim_ticket(ticket_of(), NOW) for _ in range(10)))
    assert sum(claims) == 1
    assert await store.claim_ticket(ticket_of(), LATER)
    for stage in (Stage.DONE, Stage.VOID):
        there = await store.ticket(ADA)
        assert there is not None
        assert not await store.claim_ticket(ticket_of(), NOW)
        await store.advance(there, OPEN_STAGES, {"stage": stage})
        assert await store.claim_ticket(ticket_of(), NOW)


async def test_t10_one_of_a_hundred_advances_a_ticket(store: LinkStore) -> None:
    """A transition happens once among all callers, and who made it learns how the ticket was before (guard: `stage` in
    `advance`)."""
    ticket = ticket_of(stage=Stage.STARTED, state_hash="s")
    await store.put_ticket(ticket)
    changes = {"stage": Stage.RETURNED, "state_hash": None}
    moved = await asyncio.gather(*(store.advance(ticket, {Stage.STARTED}, changes) for _ in range(100)))
    assert [former for former in moved if former is not None] == [ticket]
    assert await store.ticket(ADA) == replace(ticket, stage=Stage.RETURNED, state_hash=None)


async def test_a_transition_can_name_what_must_not_have_changed(store: LinkStore) -> None:
    """With `match` a field that is another by now, or none, stops the step."""
    ticket = ticket_of(browser_hash="b")
    await store.put_ticket(ticket)
    for wrong in ({"browser_hash": "c"}, {"browser_hash": None}, {"sealed_grant": "g"}, {"guesses": 1}):
        assert await store.advance(ticket, OPEN_STAGES, {"stage": Stage.VOID}, match=wrong) is None
    assert await store.advance(
        ticket, OPEN_STAGES, {"stage": Stage.VOID}, match={"browser_hash": "b", "sealed_grant": None, "guesses": 0}
    )


async def test_t58_guesses_are_counted_one_by_one(store: LinkStore) -> None:
    """Of ten guesses at once three count, and none when the ticket waits for no code or its time is over (guards:
    `guesses`, `stage` and `expires_at` in `count_guess`)."""
    ticket = ticket_of(stage=Stage.PROVING)
    await store.put_ticket(ticket)
    assert await store.count_guess(ADA, 3, LATER) is None
    assert await store.count_guess(BOB, 3, NOW) is None
    guesses = await asyncio.gather(*(store.count_guess(ADA, 3, NOW) for _ in range(10)))
    assert sorted(guess.guesses for guess in guesses if guess is not None) == [1, 2, 3]
    await store.advance(ticket, {Stage.PROVING}, {"stage": Stage.RETURNED, "guesses": 0})
    assert await store.count_guess(ADA, 3, NOW) is None


async def test_t58_a_guess_at_one_code_is_counted_once(store: LinkStore) -> None:
    """Of ten that saw the same count one may go on, and none at a code that is not the newest (guard: the match on
    `guesses` and `otp_start` in `advance`)."""
    ticket = ticket_of(stage=Stage.STARTED, otp_start="newest")
    await store.put_ticket(ticket)
    older = {"otp_start": "older", "guesses": 0}
    assert await store.advance(ticket, {Stage.STARTED}, {"guesses": 1}, match=older) is None
    newest = {"otp_start": "newest", "guesses": 0}
    guesses = await asyncio.gather(
        *(store.advance(ticket, {Stage.STARTED}, {"guesses": 1}, match=newest) for _ in range(10))
    )
    assert [former.guesses for former in guesses if former is not None] == [0]
    assert await store.ticket(ADA) == replace(ticket, guesses=1)


async def test_t58_places_are_taken_one_by_one(store: LinkStore) -> None:
    """Of ten at once three get one, others of another name are not concerned, and each place is free again at its own
    end (guard: the unique key of a place in `take_place`)."""
    taken = await asyncio.gather(*(store.take_place("a", 3, NOW, LATER) for _ in range(10)))
    assert sum(taken) == 3
    assert await store.take_place("b", 1, NOW, NOW + timedelta(minutes=1))
    assert not await store.take_place("a", 3, LATER - timedelta(seconds=1), LATER)
    assert await store.take_place("b", 1, NOW + timedelta(minutes=1), LATER)
    again = await asyncio.gather(*(store.take_place("a", 3, LATER, LATER + timedelta(hours=1)) for _ in range(10)))
    assert sum(again) == 3
    await store.forget(LATER + timedelta(seconds=1))
    assert not await store.take_place("a", 3, LATER, LATER)
    assert await store.take_place("b", 1, NOW, LATER)


async def test_grants_that_are_left_behind_are_found(store: LinkStore) -> None:
    """What is over or void with a grant in it is found; what is live, or holds none, is not."""
    await store.put_ticket(ticket_of(stage=Stage.PROVING, sealed_grant="grant"))
    await store.put_ticket(ticket_of(BOB, expires_at=NOW))
    assert [t.slack async for t in store.over(NOW)] == []
    assert [t.slack async for t in store.over(LATER)] == [ADA]
    ada = await store.ticket(ADA)
    assert ada is not None
    await store.advance(ada, OPEN_STAGES, {"stage": Stage.VOID})
    assert [t.slack async for t in store.over(NOW)] == [ADA]


async def test_old_tickets_are_forgotten_but_no_grant_is(store: LinkStore) -> None:
    """Names and addresses do not stay for ever; a ticket with a grant stays until the grant has left it."""
    await store.put_ticket(ticket_of())
    await store.put_ticket(ticket_of(BOB, stage=Stage.VOID, sealed_grant="grant"))
    await store.spend_logout("old", NOW)
    await store.forget(LATER)
    assert await store.ticket(ADA) is not None
    assert not await store.logout_spent("old")
    await store.forget(LATER + timedelta(seconds=1))
    assert await store.ticket(ADA) is None
    assert await store.ticket(BOB) is not None


async def test_revocations_wait_until_they_are_due(store: LinkStore) -> None:
    """A note is handed out from its time on, the oldest first, until it is put off or done."""
    await store.queue_revocation("b", "sealed-b", LATER)
    await store.queue_revocation("a", "sealed-a", NOW)
    assert await store.revocations(NOW) == [("a", "sealed-a")]
    assert await store.revocations(LATER) == [("a", "sealed-a"), ("b", "sealed-b")]
    await store.put_off("a", LATER + timedelta(seconds=1))
    assert await store.revocations(LATER) == [("b", "sealed-b")]
    await store.revoked("b")
    assert await store.revocations(LATER) == []


@pytest.mark.parametrize(
    ("sub", "sid", "asked", "ended"),
    [
        ("auth0|ada", None, ("auth0|ada", "s1"), True), ("auth0|ada", None, ("auth0|ada", None), True),
        ("auth0|ada", "s1", ("auth0|ada", "s1"), True), (None, "s1", ("auth0|ada", "s1"), True),
        ("auth0|ada", "s1", ("auth0|ada", None), True), ("auth0|ada", "s1", ("auth0|ada", "s2"), False),
        ("auth0|bob", None, ("auth0|ada", "s1"), False), (None, "s1", ("auth0|ada", None), False),
    ],
)  # fmt: skip
async def test_t32_what_was_heard_of_a_logout_is_known(
    store: LinkStore, sub: str | None, sid: str | None, asked: tuple[str, str | None], ended: bool
) -> None:
    """Of the session, or of the identity where none is named; from then on, and not spent by it."""
    whose = Subject(sub) if sub else None
    await store.hear_logout("jti", whose, sid, NOW, LATER)
    await store.hear_logout("jti", whose, sid, LATER, LATER)
    assert await store.logged_out(Subject(asked[0]), asked[1], NOW) is ended
    assert not await store.logged_out(Subject(asked[0]), asked[1], NOW + timedelta(seconds=1))
    assert not await store.logout_spent("jti")
    assert await store.spend_logout("jti", LATER)
    assert not await store.spend_logout("jti", LATER)
    assert await store.logout_spent("jti")


async def test_t32_a_logout_token_is_spent_once(store: LinkStore) -> None:
    """Of five at once one is the first, and afterwards it is known (guard: the unique key in `spend_logout`)."""
    assert not await store.logout_spent("jti")
    assert sorted(await asyncio.gather(*(store.spend_logout("jti", LATER) for _ in range(5)))) == [False] * 4 + [True]
    assert await store.logout_spent("jti")


async def test_t35_every_secret_is_found_and_swapped_once(store: LinkStore) -> None:
    """Sealing anew meets each sealed value in its place, and does not undo what has changed since it was read."""
    await store.add_link(link_of())
    sealed = {"sealed_login": "l", "sealed_grant": "g", "sealed_code": "c", "sealed_waiting": "w"}
    await store.put_ticket(ticket_of(**sealed, sealed_address="a"))
    await store.queue_revocation("n", "r", NOW)
    found = {secret.sealed: secret async for secret in store.secrets()}
    assert {(s.record, s.name) for s in found.values()} == {
        ("link:T1:UADA", "refresh"),
        ("link:T1:UADA", access_field(LinkVersion("v1"), "https://api.example", frozenset({"a"}))),
        ("ticket:T1:UADA", "login"), ("ticket:T1:UADA", "grant"),
        ("ticket:T1:UADA", "code"), ("ticket:T1:UADA", "waiting"), ("ticket:T1:UADA", "address"),
        ("revocation:n", "refresh"),
    }  # fmt: skip
    for secret in found.values():
        assert await store.swap(secret, f"new-{secret.sealed}")
        assert not await store.swap(secret, "late")
    assert {secret.sealed async for secret in store.secrets()} == {f"new-{sealed}" for sealed in found}
