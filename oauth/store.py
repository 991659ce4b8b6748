"""Links, tickets and pending revocations in MongoDB. Every change is one atomic update.

Nothing else in this package knows the driver.
"""

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
from oauth.models import Identity, Link, LinkVersion, Principal, SlackUser, Subject
from oauth.ports import StoredSecret, Taken
from oauth.records import SCHEMA, Document
from oauth.tickets import OPEN_STAGES, Stage, Ticket

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _told(method: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Tell the driver's failures in this package's words."""

    @functools.wraps(method)
    async def told(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await method(*args, **kwargs)
        except PyMongoError:
            raise StoreUnavailable from None

    return told


class MongoLinkStore:
    """Collections `links`, `tickets`, `revocations`, `logouts` and `places`."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._links = database["links"]
        self._tickets = database["tickets"]
        self._revocations = database["revocations"]
        self._logouts = database["logouts"]
        self._places = database["places"]

    @_told
    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""
        await self._links.create_index([("workspace", 1), ("iss", 1), ("sub", 1)], unique=True, name="one_identity")
        await self._links.create_index([("sub", 1)], name="by_subject")
        await self._links.create_index([("sid", 1)], name="by_session")
        await self._tickets.create_index([("hash", 1)], name="by_ticket")
        await self._tickets.create_index([("former", 1)], name="by_former", sparse=True)
        await self._tickets.create_index([("state_hash", 1)], name="by_state", sparse=True)
        await self._tickets.create_index([("expires_at", 1)], name="by_end")
        await self._revocations.create_index([("due", 1)], name="by_due")

    # links

    @_told
    async def link(self, slack: SlackUser) -> Link | None:
        """The person's link; one read."""
        found = await self._links.find_one({"_id": slack.key})
        return records.link_of(found) if found else None

    async def versions(self, keys: list[str]) -> dict[str, LinkVersion]:
        """The versions of those of these links that are there."""
        found = self._links.find({"_id": {"$in": keys}}, {"version": 1})
        return {one["_id"]: LinkVersion(one["version"]) async for one in found}

    async def links(
        self, *, sub: Subject | None = None, sid: str | None = None, workspace: str | None = None
    ) -> AsyncIterator[Link]:
        """All links, or those of one identity, one session at the provider, one workspace."""
        wanted = {"sub": sub, "sid": sid, "workspace": workspace}
        query = {name: value for name, value in wanted.items() if value is not None}
        async for found in _each(self._links, query):
            yield records.link_of(found)

    @_told
    async def holder(self, workspace: str, identity: Identity) -> SlackUser | None:
        """Who in the workspace is linked to this identity."""
        found = await self._links.find_one({"workspace": workspace, "iss": identity.iss, "sub": identity.sub})
        return records.slack_of(found) if found else None

    @_told
    async def add_link(self, link: Link) -> None:
        """A new link. Raises Taken where the identity or the person has one in this workspace."""
        try:
            await self._links.insert_one(records.link_document(link))
        except DuplicateKeyError:
            slack = link.principal.slack
            raise Taken(await self.holder(slack.workspace, link.principal.identity) or slack) from None

    @_told
    async def remove_link(self, link: Link) -> bool:
        """Remove it if it is the same yet, by version and generation."""
        done = await self._links.delete_one(_same(link))
        return bool(done.deleted_count)

    @_told
    async def lease(self, principal: Principal, owner: str, now: datetime, until: datetime) -> Link | None:
        """Take the right to refresh until then, unless somebody has it; the link as it is at that moment."""
        found = await self._links.find_one_and_update(
            {
                "_id": principal.slack.key,
                "version": principal.version,
                "$or": [{"lease": None}, {"lease.until": {"$lte": now}}],
            },
            {"$set": {"lease": {"owner": owner, "until": until}}},
            return_document=ReturnDocument.AFTER,
        )
        return records.link_of(found) if found else None

    @_told
    async def release(self, principal: Principal, owner: str) -> None:
        """Give the lease back without a change."""
        await self._links.update_one({"_id": principal.slack.key, "lease.owner": owner}, {"$set": {"lease": None}})

    @_told
    async def save(self, link: Link) -> bool:
        """Save what a refresh brought, one generation up, and end the lease; False if it is not that link any more."""
        access = [records.access_document(a) for a in link.access]
        done = await self._links.update_one(
            _same(link),
            {"$set": {"refresh": link.sealed_refresh, "access": access, "lease": None}, "$inc": {"generation": 1}},
        )
        return done.matched_count == 1

    # tickets

    @_told
    async def put_ticket(self, ticket: Ticket) -> bool:
        """Make it the person's only ticket; False while a grant waits in the former one."""
        return await self._replace(ticket)

    @_told
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

    @_told
    async def ticket(self, slack: SlackUser) -> Ticket | None:
        """The person's ticket, live or not."""
        return await self._ticket({"_id": slack.key})

    @_told
    async def ticket_by_hash(self, value: str) -> Ticket | None:
        """The ticket whose hash this is."""
        return await self._ticket({"hash": str(value)})

    @_told
    async def ticket_after(self, value: str) -> Ticket | None:
        """The newest ticket of the person who once had the one whose hash this is."""
        return await self._ticket({"former": str(value)})

    @_told
    async def ticket_by_state(self, value: str) -> Ticket | None:
        """The ticket whose last login was begun with this state."""
        return await self._ticket({"state_hash": str(value)})

    async def _ticket(self, query: Document) -> Ticket | None:
        found = await self._tickets.find_one(query)
        return records.ticket_of(found) if found else None

    @_told
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

    @_told
    async def count_guess(self, slack: SlackUser, most: int, now: datetime) -> Ticket | None:
        """Take one of `most` guesses; the ticket with that guess counted, or None if none is left."""
        found = await self._tickets.find_one_and_update(
            {"_id": slack.key, "stage": Stage.PROVING, "guesses": {"$lt": most}, "expires_at": {"$gt": now}},
            {"$inc": {"guesses": 1}},
            return_document=ReturnDocument.AFTER,
        )
        return records.ticket_of(found) if found else None

    async def tickets(self, workspace: str) -> AsyncIterator[Ticket]:
        """The tickets of a workspace that may still lead to a link."""
        query = {"workspace": workspace, "stage": {"$in": sorted(OPEN_STAGES)}}
        async for found in _each(self._tickets, query):
            yield records.ticket_of(found)

    async def unasked(self, until: datetime) -> AsyncIterator[Ticket]:
        """Tickets that became a link, end by then, and still hold what was asked before."""
        query = {"stage": Stage.DONE, "sealed_waiting": {"$ne": None}, "expires_at": {"$lte": until}}
        async for found in _each(self._tickets, query):
            yield records.ticket_of(found)

    async def over(self, now: datetime) -> AsyncIterator[Ticket]:
        """Tickets that are void, or whose time is over, while a grant is in them yet."""
        ended = [{"expires_at": {"$lte": now}}, {"stage": Stage.VOID}]
        async for found in _each(self._tickets, {"sealed_grant": {"$ne": None}, "$or": ended}):
            yield records.ticket_of(found)

    @_told
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

    @_told
    async def forget(self, before: datetime) -> None:
        """Remove what was over by then: tickets that hold no grant, spent logout tokens, and places."""
        await self._tickets.delete_many({"expires_at": {"$lt": before}, "sealed_grant": None})
        await self._logouts.delete_many({"until": {"$lt": before}})
        await self._places.delete_many({"until": {"$lt": before}})

    # revocations

    @_told
    async def queue_revocation(self, name: str, sealed: str, due: datetime) -> None:
        """Remember that a refresh token is to be revoked, until the provider has done it; not tried before `due`."""
        await self._revocations.insert_one({"_id": name, "schema": SCHEMA, "sealed": sealed, "due": due})

    @_told
    async def revocations(self, now: datetime) -> list[tuple[str, str]]:
        """(name, sealed refresh token) of what is due, the oldest first, a hundred at most."""
        due = self._revocations.find({"due": {"$lte": now}}).sort("due", 1).limit(100)
        return [(found["_id"], found["sealed"]) async for found in due]

    @_told
    async def put_off(self, name: str, due: datetime) -> None:
        """Try again then."""
        await self._revocations.update_one({"_id": name}, {"$set": {"due": due}})

    @_told
    async def revoked(self, name: str) -> None:
        """The provider has done it."""
        await self._revocations.delete_one({"_id": name})

    @_told
    async def logout_spent(self, jti: str) -> bool:
        """Whether this logout token was used before."""
        return await self._logouts.find_one({"_id": str(jti)}) is not None

    @_told
    async def spend_logout(self, jti: str, until: datetime) -> bool:
        """Mark it as used, to be remembered until then; False if it was used before."""
        try:
            await self._logouts.insert_one({"_id": str(jti), "schema": SCHEMA, "until": until})
        except DuplicateKeyError:
            return False
        return True

    # sealing under another key

    async def secrets(self) -> AsyncIterator[StoredSecret]:
        """Every sealed value."""
        async for found in _each(self._links, {}):
            for secret in records.link_secrets(found):
                yield secret
        async for found in _each(self._tickets, {}):
            for secret in records.ticket_secrets(found):
                yield secret
        async for found in _each(self._revocations, {}):
            yield records.revocation_secret(found)

    @_told
    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        """Put another sealed form in its place, if it has not changed since it was read."""
        collection, key, path = secret.place
        keeper = {"links": self._links, "tickets": self._tickets, "revocations": self._revocations}[collection]
        done = await keeper.update_one({"_id": key, path: secret.sealed}, {"$set": {path: sealed}})
        return done.matched_count == 1


def _same(link: Link) -> Document:
    who = link.principal
    return {"_id": who.slack.key, "version": who.version, "generation": link.generation}


async def _each(collection: AsyncIOMotorCollection[Document], query: Document) -> AsyncIterator[Document]:
    try:
        async for found in collection.find(query).sort("_id", 1):
            yield found
    except PyMongoError:
        raise StoreUnavailable from None
