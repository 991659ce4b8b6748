"""Tickets of errands in MongoDB. Every change is one atomic update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Set
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from oauth.models import SlackUser
from oauth.ports import StoredSecret
from oauth.records import SCHEMA, Document
from oauth.tickets.store import each, told


class Errand(Protocol):
    """A ticket: a dataclass whose fields beside `slack` and `stage` are kept as they are."""

    @property
    def slack(self) -> SlackUser:
        """Whose it is."""

    @property
    def stage(self) -> StrEnum:
        """How far it has come."""

    @property
    def hash(self) -> str:
        """Of the link."""

    @property
    def key(self) -> str:
        """`WORKSPACE:USER:SUBJECT`, the primary key."""


_T = TypeVar("_T", bound=Errand)


class MongoErrandStore(ABC, Generic[_T]):
    """One collection. `seals` are the sealed fields, without `sealed_`, and `room` the first word of their records."""

    collection: ClassVar[str]
    room: ClassVar[str]
    seals: ClassVar[tuple[str, ...]]

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._tickets = database[self.collection]

    @staticmethod
    @abstractmethod
    def document_of(ticket: _T) -> Document:
        """A ticket as it is kept."""

    @staticmethod
    @abstractmethod
    def ticket_of(found: Document) -> _T:
        """The ticket in a document; fields that a newer replica has added are left alone."""

    @told
    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""
        await self._tickets.create_index([("hash", 1)], name="by_ticket")
        await self._tickets.create_index([("state_hash", 1)], name="by_state", sparse=True)
        await self._index_ends()

    @abstractmethod
    async def _index_ends(self) -> None:
        """By `expires_at`, in the collection's own way."""

    @told
    async def ticket(self, slack: SlackUser, subject: str) -> _T | None:
        """The person's ticket for this, live or not."""
        return await self._found({"_id": f"{slack.key}:{subject}"})

    @told
    async def by_hash(self, value: str) -> _T | None:
        """The ticket whose hash this is."""
        return await self._found({"hash": str(value)})

    @told
    async def by_state(self, value: str) -> _T | None:
        """The ticket whose last step was begun with this state."""
        return await self._found({"state_hash": str(value)})

    @told
    async def advance(
        self,
        ticket: _T,
        stages: Set[Any],
        changes: Mapping[str, object],
        *,
        match: Mapping[str, str | None] | None = None,
    ) -> _T | None:
        """Apply `changes` if this very ticket is in one of `stages` and matches; returns it as it was before."""
        plain = {name: str(value) if isinstance(value, StrEnum) else value for name, value in changes.items()}
        found = await self._tickets.find_one_and_update(
            {"_id": ticket.key, "hash": ticket.hash, "stage": {"$in": sorted(stages)}, **(match or {})},
            {"$set": plain},
            return_document=ReturnDocument.BEFORE,
        )
        return self.ticket_of(found) if found else None

    async def secrets(self) -> AsyncIterator[StoredSecret]:
        """Every sealed value."""
        async for found in each(self._tickets, {}):
            for secret in self.secrets_of(found):
                yield secret

    @told
    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        """Put another sealed form in its place, if it has not changed since it was read."""
        _, key, path = secret.place
        done = await self._tickets.update_one({"_id": key, path: secret.sealed}, {"$set": {path: sealed}})
        return done.matched_count == 1

    @classmethod
    def secrets_of(cls, found: Document) -> Iterator[StoredSecret]:
        """What is sealed in a document."""
        key = found["_id"]
        for name in cls.seals:
            sealed = found.get(f"sealed_{name}")
            if sealed is not None:
                yield StoredSecret((cls.collection, key, f"sealed_{name}"), f"{cls.room}:{key}", name, sealed)

    async def _replaced(self, ticket: _T, free: list[Document]) -> bool:
        """Make it the person's only ticket for its subject, if there is none or the one that is there is `free`."""
        try:
            made = self.document_of(ticket)
            await self._tickets.replace_one({"_id": ticket.key, "$or": free}, made, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    async def _left(self, sealed: str, since: datetime, until: datetime) -> AsyncIterator[_T]:
        """Tickets that are done, end after `since` and by `until`, and still hold this."""
        query = {"stage": "done", f"sealed_{sealed}": {"$ne": None}, "expires_at": {"$gt": since, "$lte": until}}
        async for found in each(self._tickets, query):
            yield self.ticket_of(found)

    async def _found(self, query: Document) -> _T | None:
        found = await self._tickets.find_one(query)
        return self.ticket_of(found) if found else None


def plain_document(ticket: Any) -> Document:
    """A ticket with its person's names beside its fields."""
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
