"""Links, tickets and pending revocations in MongoDB. Every change is one atomic update.

Nothing else in this package knows the driver. All times are UTC; all secrets arrive sealed or hashed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from oauth.models import Identity, Link, LinkVersion, Principal, SlackUser, Subject
from oauth.ports import Taken
from oauth.records import (
    SCHEMA,
    Document,
    access_document,
    link_document,
    link_of,
    slack_of,
    ticket_document,
    ticket_of,
)
from oauth.tickets import Stage, Ticket


class MongoLinkStore:
    """Collections `links`, `tickets`, `revocations` and `logouts`."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._links = database["links"]
        self._tickets = database["tickets"]
        self._revocations = database["revocations"]
        self._logouts = database["logouts"]

    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""
        await self._links.create_index([("workspace", 1), ("iss", 1), ("sub", 1)], unique=True, name="one_identity")
        await self._links.create_index([("sub", 1)], name="by_subject")
        await self._tickets.create_index([("hash", 1)], name="by_ticket")
        await self._tickets.create_index([("state_hash", 1)], name="by_state", sparse=True)

    # links

    async def link(self, slack: SlackUser) -> Link | None:
        """The person's link; one read."""
        found = await self._links.find_one({"_id": slack.key})
        return link_of(found) if found else None

    async def holder(self, workspace: str, identity: Identity) -> SlackUser | None:
        """Who in the workspace is linked to this identity."""
        found = await self._links.find_one({"workspace": workspace, "iss": identity.iss, "sub": identity.sub})
        return slack_of(found) if found else None

    async def put_link(self, link: Link) -> Link | None:
        """Store it in place of the person's former one, which is returned. Raises Taken."""
        document = link_document(link)
        try:
            found = await self._links.find_one_and_replace(
                {"_id": document["_id"]}, document, upsert=True, return_document=ReturnDocument.BEFORE
            )
        except DuplicateKeyError:
            holder = await self.holder(link.principal.slack.workspace, link.principal.identity)
            if holder is None or holder == link.principal.slack:
                return await self.put_link(link)  # two first links of one person at once: the second replaces
            raise Taken(holder) from None
        return link_of(found) if found else None

    async def remove_link(self, slack: SlackUser, version: LinkVersion | None = None) -> Link | None:
        """Remove the link, of this version only if one is named, and return what it was."""
        query: Document = {"_id": slack.key} | ({"version": version} if version else {})
        found = await self._links.find_one_and_delete(query)
        return link_of(found) if found else None

    async def links(self, sub: Subject | None = None) -> AsyncIterator[Link]:
        """All links, or those of one subject."""
        async for found in self._links.find({"sub": sub} if sub else {}).sort("_id", 1):
            yield link_of(found)

    async def lease(self, principal: Principal, owner: str, now: datetime, until: datetime) -> Link | None:
        """Take the right to refresh, unless somebody holds it; the link as it is then, its generation one up."""
        found = await self._links.find_one_and_update(
            {
                "_id": principal.slack.key,
                "version": principal.version,
                "$or": [{"lease": None}, {"lease.until": {"$lte": now}}],
            },
            {"$set": {"lease": {"owner": owner, "until": until}}, "$inc": {"generation": 1}},
            return_document=ReturnDocument.AFTER,
        )
        return link_of(found) if found else None

    async def release(self, principal: Principal, owner: str) -> None:
        """Give the lease back without a change."""
        await self._links.update_one({"_id": principal.slack.key, "lease.owner": owner}, {"$set": {"lease": None}})

    async def save(self, link: Link, owner: str) -> bool:
        """Save what a refresh brought and end the lease; False if the link or the lease is no longer ours."""
        done = await self._links.update_one(
            {
                "_id": link.principal.slack.key,
                "version": link.principal.version,
                "generation": link.generation,
                "lease.owner": owner,
            },
            {
                "$set": {
                    "refresh": link.sealed_refresh,
                    "access": [access_document(a) for a in link.access],
                    "lease": None,
                }
            },
        )
        return done.matched_count == 1

    # tickets

    async def put_ticket(self, ticket: Ticket) -> Ticket | None:
        """Make it the person's only ticket; returns the one that it supersedes."""
        document = ticket_document(ticket)
        found = await self._tickets.find_one_and_replace(
            {"_id": ticket.slack.key}, document, upsert=True, return_document=ReturnDocument.BEFORE
        )
        return ticket_of(found) if found else None

    async def claim_ticket(self, ticket: Ticket, now: datetime) -> tuple[bool, Ticket | None]:
        """As `put_ticket`, but only where no live one is: (False, None) means that one is live."""
        over = {"$or": [{"expires_at": {"$lte": now}}, {"stage": {"$in": [Stage.DONE, Stage.VOID]}}]}
        try:
            found = await self._tickets.find_one_and_replace(
                {"_id": ticket.slack.key, **over},
                ticket_document(ticket),
                upsert=True,
                return_document=ReturnDocument.BEFORE,
            )
        except DuplicateKeyError:
            return False, None
        return True, ticket_of(found) if found else None

    async def ticket(self, slack: SlackUser) -> Ticket | None:
        """The person's ticket, live or not."""
        found = await self._tickets.find_one({"_id": slack.key})
        return ticket_of(found) if found else None

    async def ticket_by_hash(self, value: str) -> Ticket | None:
        """The ticket whose hash this is."""
        found = await self._tickets.find_one({"hash": str(value)})
        return ticket_of(found) if found else None

    async def ticket_by_state(self, value: str) -> Ticket | None:
        """The ticket whose login is under way with this state."""
        found = await self._tickets.find_one({"state_hash": str(value)})
        return ticket_of(found) if found else None

    async def advance(
        self, ticket: Ticket, stages: set[Stage], changes: Mapping[str, Any], *, match: Mapping[str, Any] | None = None
    ) -> Ticket | None:
        """Apply `changes` if this very ticket is in one of `stages`; returns it as it was before."""
        found = await self._tickets.find_one_and_update(
            {"_id": ticket.slack.key, "hash": ticket.hash, "stage": {"$in": sorted(stages)}, **(match or {})},
            {"$set": dict(changes)},
            return_document=ReturnDocument.BEFORE,
        )
        return ticket_of(found) if found else None

    async def count_guess(self, slack: SlackUser, most: int, now: datetime) -> Ticket | None:
        """Take one of `most` guesses; the ticket with that guess counted, or None if none is left."""
        found = await self._tickets.find_one_and_update(
            {"_id": slack.key, "stage": Stage.PROVING, "guesses": {"$lt": most}, "expires_at": {"$gt": now}},
            {"$inc": {"guesses": 1}},
            return_document=ReturnDocument.AFTER,
        )
        return ticket_of(found) if found else None

    async def over(self, now: datetime) -> AsyncIterator[Ticket]:
        """Tickets whose time is over while a grant still waits in them."""
        async for found in self._tickets.find({"expires_at": {"$lte": now}, "sealed_grant": {"$ne": None}}):
            yield ticket_of(found)

    # revocations

    async def queue_revocation(self, name: str, sealed: str, now: datetime) -> None:
        """Remember that a refresh token is to be revoked, until the provider has done it."""
        await self._revocations.insert_one({"_id": name, "schema": SCHEMA, "sealed": sealed, "at": now})

    async def revocations(self, name: str | None = None) -> list[tuple[str, str]]:
        """(name, sealed refresh token) of what is still to be revoked, or of that one."""
        return [(r["_id"], r["sealed"]) async for r in self._revocations.find({"_id": name} if name else {}).limit(100)]

    async def revoked(self, name: str) -> None:
        """The provider has done it."""
        await self._revocations.delete_one({"_id": name})

    async def spend_logout(self, jti: str, now: datetime) -> bool:
        """Whether this logout token is seen for the first time."""
        try:
            await self._logouts.insert_one({"_id": jti, "schema": SCHEMA, "at": now})
        except DuplicateKeyError:
            return False
        return True
