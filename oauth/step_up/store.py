"""Tickets for authenticating once more in MongoDB, and how they are written down. Every change is one atomic update."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Set
from dataclasses import asdict
from datetime import datetime

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from oauth.models import LinkVersion, SlackUser, Subject
from oauth.ports import StoredSecret
from oauth.records import SCHEMA, Document, slack_of
from oauth.step_up.model import Stage, StepUpTicket
from oauth.tickets.store import each, told

COLLECTION = "step_ups"
_KEPT = 3600
_SECRETS = ("login", "evidence")


class MongoStepUpStore:
    """The collection `step_ups`. The database removes a ticket an hour after its end; nobody relies on when."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._tickets = database[COLLECTION]

    @told
    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""
        await self._tickets.create_index([("hash", 1)], name="by_ticket")
        await self._tickets.create_index([("state_hash", 1)], name="by_state", sparse=True)
        await self._tickets.create_index([("expires_at", 1)], name="over", expireAfterSeconds=_KEPT)

    @told
    async def put(self, ticket: StepUpTicket, *, since: datetime) -> bool:
        """Make it the person's only ticket for its subject; False where an unopened one was made after `since`."""
        free: list[Document] = [
            {"created_at": {"$lte": since}},
            {"stage": {"$ne": Stage.OPEN}},
            {"link_version": {"$ne": ticket.link_version}},
        ]
        try:
            await self._tickets.replace_one({"_id": ticket.key, "$or": free}, document_of(ticket), upsert=True)
        except DuplicateKeyError:
            return False
        return True

    @told
    async def ticket(self, slack: SlackUser, subject: str) -> StepUpTicket | None:
        """The person's ticket for a subject, live or not."""
        return await self._found({"_id": f"{slack.key}:{subject}"})

    @told
    async def by_hash(self, value: str) -> StepUpTicket | None:
        """The ticket whose hash this is."""
        return await self._found({"hash": str(value)})

    @told
    async def by_state(self, value: str) -> StepUpTicket | None:
        """The ticket whose login was begun with this state."""
        return await self._found({"state_hash": str(value)})

    async def _found(self, query: Document) -> StepUpTicket | None:
        found = await self._tickets.find_one(query)
        return ticket_of(found) if found else None

    @told
    async def advance(
        self,
        ticket: StepUpTicket,
        stages: Set[Stage],
        changes: Mapping[str, object],
        *,
        match: Mapping[str, str | None] | None = None,
    ) -> StepUpTicket | None:
        """Apply `changes` if this very ticket is in one of `stages` and matches; returns it as it was before."""
        plain = {name: str(value) if isinstance(value, Stage) else value for name, value in changes.items()}
        found = await self._tickets.find_one_and_update(
            {"_id": ticket.key, "hash": ticket.hash, "stage": {"$in": sorted(stages)}, **(match or {})},
            {"$set": plain},
            return_document=ReturnDocument.BEFORE,
        )
        return ticket_of(found) if found else None

    async def untaken(self, since: datetime, until: datetime) -> AsyncIterator[StepUpTicket]:
        """Tickets that are done, end after `since` and by `until`, and still hold their evidence."""
        query = {"stage": Stage.DONE, "sealed_evidence": {"$ne": None}, "expires_at": {"$gt": since, "$lte": until}}
        async for found in each(self._tickets, query):
            yield ticket_of(found)

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


def document_of(ticket: StepUpTicket) -> Document:
    """A ticket as it is kept."""
    plain = asdict(ticket)
    del plain["slack"]
    return {
        "_id": ticket.key,
        "schema": SCHEMA,
        "workspace": ticket.slack.workspace,
        **asdict(ticket.slack),
        **plain,
        "stage": str(ticket.stage),
    }


def ticket_of(found: Document) -> StepUpTicket:
    """The ticket in a document; fields that a newer replica has added are left alone."""
    return StepUpTicket(
        slack=slack_of(found),
        sub=Subject(found["sub"]),
        link_version=LinkVersion(found["link_version"]),
        subject=found["subject"],
        about=found["about"],
        hash=found["hash"],
        stage=Stage(found["stage"]),
        created_at=found["created_at"],
        expires_at=found["expires_at"],
        browser_hash=found.get("browser_hash"),
        state_hash=found.get("state_hash"),
        sealed_login=found.get("sealed_login"),
        sealed_evidence=found.get("sealed_evidence"),
    )


def secrets_of(found: Document) -> Iterator[StoredSecret]:
    """What is sealed in a document."""
    key = found["_id"]
    for name in _SECRETS:
        sealed = found.get(f"sealed_{name}")
        if sealed is not None:
            yield StoredSecret((COLLECTION, key, f"sealed_{name}"), f"step-up:{key}", name, sealed)
