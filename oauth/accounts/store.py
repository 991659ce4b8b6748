"""Tickets for connecting accounts in MongoDB, and how they are written down. Every change is one atomic update."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Set
from dataclasses import asdict, fields
from datetime import datetime

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from oauth.accounts.tickets import OPEN_STAGES, AccountTicket, Stage
from oauth.models import LinkVersion, SlackProfile, SlackUser
from oauth.ports import StoredSecret
from oauth.records import SCHEMA, Document, slack_of
from oauth.tickets.store import each, told

COLLECTION = "account_tickets"
_SECRETS = ("login", "session", "waiting")


class MongoAccountStore:
    """The collection `account_tickets`."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._tickets = database[COLLECTION]

    @told
    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""
        await self._tickets.create_index([("hash", 1)], name="by_ticket")
        await self._tickets.create_index([("state_hash", 1)], name="by_state", sparse=True)
        await self._tickets.create_index([("expires_at", 1)], name="by_end")

    @told
    async def claim(self, ticket: AccountTicket, now: datetime) -> bool:
        """Make it the person's only ticket of its connection; False while a live one is there."""
        made = document_of(ticket)
        free: list[Document] = [
            {"expires_at": {"$lte": now}},
            {"stage": {"$nin": sorted(OPEN_STAGES)}},
            {"link_version": {"$ne": ticket.link_version}},
            {"scopes": {"$ne": made["scopes"]}},
        ]
        try:
            await self._tickets.replace_one({"_id": ticket.key, "$or": free}, made, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    @told
    async def ticket(self, slack: SlackUser, connection: str) -> AccountTicket | None:
        """The person's ticket of a connection, live or not."""
        return await self._found({"_id": f"{slack.key}:{connection}"})

    @told
    async def by_hash(self, value: str) -> AccountTicket | None:
        """The ticket whose hash this is."""
        return await self._found({"hash": str(value)})

    @told
    async def by_state(self, value: str) -> AccountTicket | None:
        """The ticket whose last step was begun with this state."""
        return await self._found({"state_hash": str(value)})

    async def _found(self, query: Document) -> AccountTicket | None:
        found = await self._tickets.find_one(query)
        return ticket_of(found) if found else None

    @told
    async def advance(
        self,
        ticket: AccountTicket,
        stages: Set[Stage],
        changes: Mapping[str, object],
        *,
        match: Mapping[str, str | None] | None = None,
    ) -> AccountTicket | None:
        """Apply `changes` if this very ticket is in one of `stages` and matches; returns it as it was before."""
        plain = {name: str(value) if isinstance(value, Stage) else value for name, value in changes.items()}
        found = await self._tickets.find_one_and_update(
            {"_id": ticket.key, "hash": ticket.hash, "stage": {"$in": sorted(stages)}, **(match or {})},
            {"$set": plain},
            return_document=ReturnDocument.BEFORE,
        )
        return ticket_of(found) if found else None

    async def unasked(self, since: datetime, until: datetime) -> AsyncIterator[AccountTicket]:
        """Tickets that are done, end after `since` and by `until`, and still hold what was asked before."""
        query = {"stage": Stage.DONE, "sealed_waiting": {"$ne": None}, "expires_at": {"$gt": since, "$lte": until}}
        async for found in each(self._tickets, query):
            yield ticket_of(found)

    @told
    async def forget(self, before: datetime) -> None:
        """Remove what was over by then."""
        await self._tickets.delete_many({"expires_at": {"$lt": before}})

    # sealing under another key

    async def secrets(self) -> AsyncIterator[StoredSecret]:
        """Every sealed value."""
        async for found in each(self._tickets, {}):
            for secret in secrets_of(found):
                yield secret

    @told
    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        """Put another sealed form in its place, if it has not changed since it was read."""
        _, key, path = secret.place
        done = await self._tickets.update_one({"_id": key, path: secret.sealed}, {"$set": {path: sealed}})
        return done.matched_count == 1


def document_of(ticket: AccountTicket) -> Document:
    """A ticket as it is kept."""
    plain = asdict(ticket)
    del plain["slack"]
    return {
        "_id": ticket.key,
        "schema": SCHEMA,
        "workspace": ticket.slack.workspace,
        **asdict(ticket.slack),
        **plain,
        "scopes": sorted(ticket.scopes),
        "stage": str(ticket.stage),
    }


def ticket_of(found: Document) -> AccountTicket:
    """The ticket in a document; fields that a newer replica has added are left alone."""
    return AccountTicket(
        slack=slack_of(found),
        profile=SlackProfile(**{f.name: found["profile"].get(f.name) for f in fields(SlackProfile)}),
        connection=found["connection"],
        scopes=frozenset(found["scopes"]),
        link_version=LinkVersion(found["link_version"]),
        hash=found["hash"],
        stage=Stage(found["stage"]),
        created_at=found["created_at"],
        expires_at=found["expires_at"],
        browser_hash=found.get("browser_hash"),
        state_hash=found.get("state_hash"),
        sealed_login=found.get("sealed_login"),
        sealed_session=found.get("sealed_session"),
        sealed_waiting=found.get("sealed_waiting"),
    )


def secrets_of(found: Document) -> Iterator[StoredSecret]:
    """What is sealed in a document."""
    key = found["_id"]
    for name in _SECRETS:
        sealed = found.get(f"sealed_{name}")
        if sealed is not None:
            yield StoredSecret((COLLECTION, key, f"sealed_{name}"), f"account:{key}", name, sealed)
