"""The same promises from tickets for authenticating once more, in memory and in the database."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.database import connect
from oauth.errors import StoreUnavailable
from oauth.models import LinkVersion, SlackUser, Subject
from oauth.step_up.model import OPEN_STAGES, Stage, StepUpTicket
from oauth.step_up.ports import StepUpStore
from oauth.step_up.store import MongoStepUpStore
from oauth.tickets import hashed
from tests.fakes.step_up_store import MemoryStepUpStore

NOW = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
ADA, ADA_ELSEWHERE = SlackUser("T1", "UADA"), SlackUser("T2", "UADA", "E1")


@pytest.fixture(params=["memory", "database"])
def empty(request: pytest.FixtureRequest) -> StepUpStore:
    """A store with nothing in it."""
    if request.param == "memory":
        return MemoryStepUpStore()
    return MongoStepUpStore(request.getfixturevalue("mongo_database"))


@pytest.fixture
async def store(empty: StepUpStore) -> StepUpStore:
    """A store with nothing in it, ready for use."""
    await empty.ensure_indexes()
    await empty.ensure_indexes()
    return empty


def ticket_of(slack: SlackUser = ADA, subject: str = "c0ffee:C1", **more: Any) -> StepUpTicket:
    """A ticket that nobody has opened yet."""
    plain = StepUpTicket(
        slack=slack,
        sub=Subject("auth0|ada"),
        link_version=LinkVersion("v1"),
        subject=subject,
        about="Approve refund_order",
        hash=hashed(secrets.token_hex(8)),
        stage=Stage.OPEN,
        created_at=NOW,
        expires_at=LATER,
    )
    return replace(plain, **more)


async def test_a_ticket_comes_back_as_it_was_stored(store: StepUpStore) -> None:
    """Every field survives, by whichever way it is found."""
    ticket = ticket_of(
        ADA_ELSEWHERE,
        state_hash=hashed("state"),
        browser_hash=hashed("browser"),
        sealed_login="login",
        sealed_evidence="evidence",
        stage=Stage.STARTED,
    )
    assert await store.put(ticket, since=NOW)
    assert await store.ticket(ADA_ELSEWHERE, "c0ffee:C1") == ticket
    assert await store.by_hash(ticket.hash) == ticket
    assert await store.by_state(hashed("state")) == ticket


async def test_t59_tickets_are_of_one_person_and_one_subject(store: StepUpStore) -> None:
    """The same user id elsewhere, and another decision of the same person, have tickets of their own."""
    mine = [ticket_of(), ticket_of(ADA_ELSEWHERE), ticket_of(subject="c0ffee:")]
    for ticket in mine:
        assert await store.put(ticket, since=NOW)
    assert await store.ticket(ADA, "c0ffee:C1") == mine[0]
    assert await store.ticket(ADA_ELSEWHERE, "c0ffee:C1") == mine[1]
    assert await store.ticket(ADA, "c0ffee:") == mine[2]
    assert await store.ticket(ADA, "another") is None


async def test_the_newest_ticket_is_the_only_one(store: StepUpStore) -> None:
    """The former one is not found any more, by whichever way."""
    former = ticket_of(state_hash=hashed("state"))
    assert await store.put(former, since=NOW)
    newer = ticket_of()
    assert await store.put(newer, since=NOW)
    assert await store.by_hash(former.hash) is None
    assert await store.by_state(hashed("state")) is None
    assert await store.advance(former, OPEN_STAGES, {"stage": Stage.DONE}) is None
    assert await store.ticket(ADA, "c0ffee:C1") == newer


async def test_t67_of_many_at_once_one_is_made(store: StepUpStore) -> None:
    """Twenty at once; another follows once that one is older, opened, or of a link that is no more (guards: the three
    in `put`)."""
    before = NOW - timedelta(seconds=10)
    tickets = [ticket_of() for _ in range(20)]
    made = await asyncio.gather(*(store.put(one, since=before) for one in tickets))
    (first,) = [one for one, done in zip(tickets, made, strict=True) if done]
    assert await store.ticket(ADA, "c0ffee:C1") == first
    assert not await store.put(ticket_of(), since=before)
    assert await store.put(ticket_of(link_version=LinkVersion("v2")), since=before)
    assert not await store.put(ticket_of(link_version=LinkVersion("v2")), since=before)
    assert await store.put(ticket_of(stage=Stage.STARTED), since=before)
    assert await store.put(ticket_of(), since=before)
    assert await store.put(ticket_of(), since=NOW)


async def test_a_step_is_taken_from_where_it_begins_alone(store: StepUpStore) -> None:
    """From a named stage and with what has to match; what it was before comes back (guards: the query of `advance`)."""
    ticket = ticket_of(state_hash="s", stage=Stage.STARTED)
    assert await store.put(ticket, since=NOW)
    back = {"stage": Stage.RETURNED, "state_hash": None}
    assert await store.advance(ticket, {Stage.OPEN}, back) is None
    assert await store.advance(ticket, {Stage.STARTED}, back, match={"state_hash": "other"}) is None
    assert await store.advance(ticket, {Stage.STARTED}, back, match={"state_hash": "s"}) == ticket
    assert await store.ticket(ADA, "c0ffee:C1") == replace(ticket, stage=Stage.RETURNED, state_hash=None)


async def test_t67_of_many_one_takes_the_evidence(store: StepUpStore) -> None:
    """Twenty at once."""
    ticket = ticket_of(stage=Stage.DONE, sealed_evidence="evidence")
    assert await store.put(ticket, since=NOW)
    taken = await asyncio.gather(
        *(
            store.advance(ticket, {Stage.DONE}, {"sealed_evidence": None}, match={"sealed_evidence": "evidence"})
            for _ in range(20)
        )
    )
    assert [one for one in taken if one is not None] == [ticket]


async def test_what_nobody_took_is_found_by_its_end(store: StepUpStore) -> None:
    """Done, in time, and with its evidence yet."""
    found = ticket_of(subject="1", stage=Stage.DONE, sealed_evidence="evidence")
    others = [
        ticket_of(subject="2", stage=Stage.DONE),
        ticket_of(subject="3", stage=Stage.STARTED, sealed_login="login"),
        ticket_of(subject="4", stage=Stage.DONE, sealed_evidence="evidence", expires_at=NOW),
        ticket_of(subject="5", stage=Stage.DONE, sealed_evidence="evidence", expires_at=LATER + timedelta(seconds=1)),
    ]
    for ticket in (found, *others):
        assert await store.put(ticket, since=NOW)
    assert [one async for one in store.untaken(NOW, LATER)] == [found]


async def test_t35_every_sealed_value_is_found_and_changed_once(store: StepUpStore) -> None:
    """Whoever changes the key sees all of them, and replaces what has not changed (guards: the names in `_SECRETS`, and
    the former value in `swap`)."""
    ticket = ticket_of(sealed_login="login", sealed_evidence="evidence")
    assert await store.put(ticket, since=NOW)
    found = {secret.name: secret async for secret in store.secrets()}
    assert {name: (one.record, one.sealed) for name, one in found.items()} == {
        name: (ticket.record, name) for name in ("login", "evidence")
    }
    assert await store.swap(found["evidence"], "anew")
    assert not await store.swap(found["evidence"], "anew once more")
    assert await store.ticket(ADA, "c0ffee:C1") == replace(ticket, sealed_evidence="anew")


async def test_t70_an_operator_of_the_database_is_no_ticket(store: StepUpStore) -> None:
    """What a browser sends is compared as text (guard: `str` in `by_hash` and `by_state`)."""
    assert await store.put(ticket_of(state_hash="s"), since=NOW)
    assert await store.by_hash({"$ne": None}) is None  # type: ignore[arg-type]
    assert await store.by_state({"$ne": None}) is None  # type: ignore[arg-type]


async def test_a_database_that_is_away_is_said_in_our_words() -> None:
    """Nothing of the driver's reaches a page."""
    client, database = connect("mongodb://127.0.0.1:9/", "away", patience=0.05)
    store = MongoStepUpStore(database)
    with pytest.raises(StoreUnavailable):
        await store.by_hash("x")
    with pytest.raises(StoreUnavailable):
        [one async for one in store.untaken(NOW, LATER)]
    client.close()
