"""The same promises from tickets for connecting accounts, in memory and in the database."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.database import connect
from oauth.accounts.ports import AccountStore
from oauth.accounts.store import MongoAccountStore
from oauth.accounts.tickets import OPEN_STAGES, AccountTicket, Stage
from oauth.errors import StoreUnavailable
from oauth.models import LinkVersion, SlackProfile, SlackUser
from oauth.tickets import hashed
from tests.fakes.account_store import MemoryAccountStore

NOW = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
ADA, ADA_ELSEWHERE = SlackUser("T1", "UADA"), SlackUser("T2", "UADA", "E1")


@pytest.fixture(params=["memory", "database"])
def empty(request: pytest.FixtureRequest) -> AccountStore:
    """A store with nothing in it."""
    if request.param == "memory":
        return MemoryAccountStore()
    return MongoAccountStore(request.getfixturevalue("mongo_database"))


@pytest.fixture
async def store(empty: AccountStore) -> AccountStore:
    """A store with nothing in it, ready for use."""
    await empty.ensure_indexes()
    return empty


def ticket_of(slack: SlackUser = ADA, connection: str = "almanac", **more: Any) -> AccountTicket:
    """A ticket that nobody has opened yet."""
    plain = AccountTicket(
        slack=slack,
        profile=SlackProfile("Corp", "Ada", None),
        connection=connection,
        scopes=frozenset({"events:read", "events:write"}),
        link_version=LinkVersion("v1"),
        hash=hashed(secrets.token_hex(8)),
        stage=Stage.OPEN,
        created_at=NOW,
        expires_at=LATER,
    )
    return replace(plain, **more)


async def test_a_ticket_comes_back_as_it_was_stored(store: AccountStore) -> None:
    """Every field survives, by whichever way it is found."""
    ticket = ticket_of(
        ADA_ELSEWHERE,
        state_hash=hashed("state"),
        browser_hash=hashed("browser"),
        sealed_login="login",
        sealed_session="session",
        sealed_waiting="waiting",
        stage=Stage.CONNECTING,
    )
    assert await store.claim(ticket, NOW)
    assert await store.ticket(ADA_ELSEWHERE, "almanac") == ticket
    assert await store.by_hash(ticket.hash) == ticket
    assert await store.by_state(hashed("state")) == ticket


async def test_t59_tickets_are_of_one_person_and_one_connection(store: AccountStore) -> None:
    """The same user id elsewhere, and another account of the same person, have tickets of their own."""
    mine = [ticket_of(), ticket_of(ADA_ELSEWHERE), ticket_of(connection="drive")]
    for ticket in mine:
        assert await store.claim(ticket, NOW)
    assert await store.ticket(ADA, "almanac") == mine[0]
    assert await store.ticket(ADA_ELSEWHERE, "almanac") == mine[1]
    assert await store.ticket(ADA, "drive") == mine[2]
    assert await store.ticket(ADA_ELSEWHERE, "drive") is None


async def test_while_a_ticket_lives_there_is_no_other(store: AccountStore) -> None:
    """Of fifty who claim at once one wins, and later ones find it there (guard: the query of `claim`)."""
    tickets = [ticket_of() for _ in range(50)]
    won = await asyncio.gather(*(store.claim(ticket, NOW) for ticket in tickets))
    assert won.count(True) == 1
    assert await store.ticket(ADA, "almanac") == tickets[won.index(True)]
    assert not await store.claim(ticket_of(), LATER - timedelta(seconds=1))


@pytest.mark.parametrize(
    "former",
    [
        {"expires_at": NOW},
        {"stage": Stage.DONE},
        {"stage": Stage.VOID},
        {"link_version": LinkVersion("v0")},
        {"scopes": frozenset({"events:read"})},
    ],
)
async def test_what_leads_nowhere_is_replaced(store: AccountStore, former: dict[str, Any]) -> None:
    """Expired, done, for a link that has ended, or for less than is needed now."""
    assert await store.claim(ticket_of(**former), NOW)
    newer = ticket_of()
    assert await store.claim(newer, NOW)
    assert await store.ticket(ADA, "almanac") == newer


async def test_a_step_is_taken_once(store: AccountStore) -> None:
    """Of thirty who take it one does; what comes back is the ticket as it was (guards: stage, match)."""
    ticket = ticket_of(stage=Stage.STARTED, state_hash="s", sealed_login="login")
    await store.claim(ticket, NOW)
    changes = {"stage": Stage.RETURNED, "state_hash": None, "sealed_login": None}
    taken = await asyncio.gather(
        *(store.advance(ticket, {Stage.STARTED}, changes, match={"state_hash": "s"}) for _ in range(30))
    )
    assert [one for one in taken if one is not None] == [ticket]
    assert await store.ticket(ADA, "almanac") == replace(ticket, **changes)  # type: ignore[arg-type]


async def test_a_step_names_where_it_comes_from(store: AccountStore) -> None:
    """Another stage, another value, or a ticket that was replaced: nothing happens."""
    ticket = ticket_of(state_hash="s")
    await store.claim(ticket, NOW)
    for other, stages, match in [
        (ticket, {Stage.STARTED}, {}),
        (ticket, OPEN_STAGES, {"state_hash": "another"}),
        (ticket, OPEN_STAGES, {"state_hash": None}),
        (replace(ticket, hash="another"), OPEN_STAGES, {}),
    ]:
        assert await store.advance(other, stages, {"stage": Stage.VOID}, match=match) is None
    assert await store.ticket(ADA, "almanac") == ticket


async def test_what_waits_is_found_while_it_is_fresh(store: AccountStore) -> None:
    """Done, something waits, and neither too young nor too old; the others are none."""
    waits = {"stage": Stage.DONE, "sealed_waiting": "waiting"}
    found = ticket_of(connection="found", **waits)
    for ticket in [
        found,
        ticket_of(connection="taken", stage=Stage.DONE),
        ticket_of(connection="open", sealed_waiting="waiting"),
        ticket_of(connection="old", expires_at=NOW, **waits),
        ticket_of(connection="young", expires_at=LATER + timedelta(seconds=1), **waits),
    ]:
        await store.claim(ticket, NOW - timedelta(days=1))
    assert [one async for one in store.unasked(NOW, LATER)] == [found]


async def test_what_is_over_is_removed(store: AccountStore) -> None:
    """Whatever its stage; what is not over yet stays."""
    over, live = ticket_of(connection="over", expires_at=NOW - timedelta(seconds=1)), ticket_of(expires_at=NOW)
    for ticket in (over, live):
        await store.claim(ticket, NOW - timedelta(days=1))
    await store.forget(NOW)
    assert await store.ticket(ADA, "over") is None
    assert await store.ticket(ADA, "almanac") == live


async def test_t35_every_sealed_value_is_found_and_swapped_once(store: AccountStore) -> None:
    """Login, session and what waits, each by its place; what has changed meanwhile is left alone (guards: the names in
    `_SECRETS`, and the former value in `swap`)."""
    ticket = ticket_of(sealed_login="login", sealed_session="session", sealed_waiting="waiting")
    await store.claim(ticket, NOW)
    found = {secret.name: secret async for secret in store.secrets()}
    assert {name: (one.record, one.sealed) for name, one in found.items()} == {
        name: (ticket.record, name) for name in ("login", "session", "waiting")
    }
    assert await store.swap(found["session"], "anew")
    assert not await store.swap(found["session"], "anew once more")
    assert await store.ticket(ADA, "almanac") == replace(ticket, sealed_session="anew")


async def test_t70_an_operator_of_the_database_is_no_ticket(store: AccountStore) -> None:
    """What a browser sends is compared as text (guard: `str` in `by_hash` and `by_state`)."""
    await store.claim(ticket_of(state_hash="s"), NOW)
    assert await store.by_hash({"$ne": None}) is None  # type: ignore[arg-type]
    assert await store.by_state({"$ne": None}) is None  # type: ignore[arg-type]


async def test_a_database_that_is_away_is_said_in_our_words() -> None:
    """Nothing of the driver's reaches a page."""
    client, database = connect("mongodb://127.0.0.1:9/", "away", patience=0.05)
    store = MongoAccountStore(database)
    with pytest.raises(StoreUnavailable):
        await store.by_hash("x")
    with pytest.raises(StoreUnavailable):
        [one async for one in store.unasked(NOW, LATER)]
    client.close()
