"""Tickets in MongoDB, and how often something was done. Every change is one atomic update."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Set
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from motor.motor_asyncio import AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from oauth import records
from oauth.errors import StoreUnavailable
from oauth.models import SlackUser, Subject
from oauth.records import SCHEMA, Document
from oauth.tickets import OPEN_STAGES, Stage, Ticket

_P = ParamSpec("_P")
_T = TypeVar("_T")


def told(method: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Tell the driver's failures in this package's words."""

    @functools.wraps(method)
    async def in_our_words(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await method(*args, **kwargs)
        except PyMongoError:
            raise StoreUnavailable from None

    return in_our_words


class MongoTicketStore:
    """Collections `tickets` and `places`: the part of a LinkStore that keeps tickets."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._tickets = database["tickets"]
        self._places = database["places"]

    @told
    async def ensure_ticket_indexes(self) -> None:
        """Create what is missing."""
        await self._tickets.create_index([("hash", 1)], name="by_ticket")
        await self._tickets.create_index([("former", 1)], name="by_former", sparse=True)
        await self._tickets.create_index([("state_hash", 1)], name="by_state", sparse=True)
        await self._tickets.create_index([("expires_at", 1)], name="by_end")
        await self._tickets.create_index([("sub", 1)], name="by_subject", sparse=True)
        await self._tickets.create_index([("sid", 1)], name="by_session", sparse=True)

    @told
    async def put_ticket(self, ticket: Ticket) -> bool:
        """Make it the person's only ticket; False while a grant waits in the former one."""
        return await self._replace(ticket)

    @told
    async def claim_ticket(self, ticket: Ticket, now: datetime) -> bool:
        """As `put_ticket`, but only where no live one is."""
        over = [{"expires_at": {"$lte": now}}, {"stage": {"$nin": sorted(OPEN_STAGES)}}]
        return await self._replace(ticket, {"$or": over})

    async def _replace(self, ticket: Ticket, *queries: Document) -> bool:
        free = {"$or": [{"sealed_grant": None}, {"stage": Stage.DONE}]}
        try:
            await self._tickets.replace_one(
                {"_id": ticket.slack.key, "$and": [free, *queries]}, records.ticket_document(ticket), upsert=True
            )
        except DuplicateKeyError:
            return False
        return True

    @told
    async def ticket(self, slack: SlackUser) -> Ticket | None:
        """The person's ticket, live or not."""
        return await self._ticket({"_id": slack.key})

    @told
    async def ticket_by_hash(self, value: str) -> Ticket | None:
        """The ticket whose hash this is."""
        return await self._ticket({"hash": str(value)})

    @told
    async def ticket_after(self, value: str) -> Ticket | None:
        """The newest ticket of the person who once had the one whose hash this is."""
        return await self._ticket({"former": str(value)})

    @told
    async def ticket_by_state(self, value: str) -> Ticket | None:
        """The ticket whose last login was begun with this state."""
        return await self._ticket({"state_hash": str(value)})

    async def _ticket(self, query: Document) -> Ticket | None:
        found = await self._tickets.find_one(query)
        return records.ticket_of(found) if found else None

    @told
    async def advance(
        self,
        ticket: Ticket,
        stages: Set[Stage],
        changes: Mapping[str, object],
        *,
        match: Mapping[str, str | int | None] | None = None,
    ) -> Ticket | None:
        """Apply `changes` if this very ticket is in one of `stages` and matches; returns it as it was before."""
        found = await self._tickets.find_one_and_update(
            {"_id": ticket.slack.key, "hash": ticket.hash, "stage": {"$in": sorted(stages)}, **(match or {})},
            {"$set": records.changes_document(changes)},
            return_document=ReturnDocument.BEFORE,
        )
        return records.ticket_of(found) if found else None

    @told
    async def count_guess(self, slack: SlackUser, most: int, now: datetime) -> Ticket | None:
        """Take one of `most` guesses; the ticket with that guess counted, or None if none is left."""
        found = await self._tickets.find_one_and_update(
            {"_id": slack.key, "stage": Stage.PROVING, "guesses": {"$lt": most}, "expires_at": {"$gt": now}},
            {"$inc": {"guesses": 1}},
            return_document=ReturnDocument.AFTER,
        )
        return records.ticket_of(found) if found else None

    async def tickets(
        self, *, workspace: str | None = None, sub: Subject | None = None, sid: str | None = None
    ) -> AsyncIterator[Ticket]:
        """The tickets that may still lead to a link: of a workspace, or with a grant of an identity or a session."""
        wanted = {"workspace": workspace, "sub": sub, "sid": sid}
        query: Document = {name: value for name, value in wanted.items() if value is not None}
        query["stage"] = {"$in": sorted(OPEN_STAGES)}
        async for found in each(self._tickets, query):
            yield records.ticket_of(found)

    async def unasked(self, until: datetime) -> AsyncIterator[Ticket]:
        """Tickets that became a link, end by then, and still hold what was asked before."""
        query = {"stage": Stage.DONE, "sealed_waiting": {"$ne": None}, "expires_at": {"$lte": until}}
        async for found in each(self._tickets, query):
            yield records.ticket_of(found)

    async def over(self, now: datetime) -> AsyncIterator[Ticket]:
        """Tickets that are void, or whose time is over, while a grant is in them yet."""
        ended = [{"expires_at": {"$lte": now}}, {"stage": Stage.VOID}]
        async for found in each(self._tickets, {"sealed_grant": {"$ne": None}, "$or": ended}):
            yield records.ticket_of(found)

    @told
    async def take_place(self, name: str, most: int, now: datetime, until: datetime) -> bool:
        """Take one of `most` places of that name until then; False while all are taken."""
        for place in range(most):
            # Where the place is taken yet, the update finds nothing and its insertion meets the very same key.
            free = {"_id": f"{name}:{place}", "until": {"$lte": now}}
            try:
                await self._places.update_one(free, {"$set": {"schema": SCHEMA, "until": until}}, upsert=True)
            except DuplicateKeyError:
                continue
            return True
        return False

    @told
    async def forget_tickets(self, before: datetime) -> None:
        """Remove what was over by then: tickets that hold no grant, and places."""
        await self._tickets.delete_many({"expires_at": {"$lt": before}, "sealed_grant": None})
        await self._places.delete_many({"until": {"$lt": before}})


async def each(collection: AsyncIOMotorCollection[Document], query: Document) -> AsyncIterator[Document]:
    """All that match, in a steady order. Raises StoreUnavailable."""
    try:
        async for found in collection.find(query).sort("_id", 1):
            yield found
    except PyMongoError:
        raise StoreUnavailable from None
