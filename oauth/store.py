"""Links, pending revocations and spent logout tokens in MongoDB. Every change is one atomic update.

Only this module and that of the tickets know the driver.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

from oauth import records
from oauth.gathering import Gathered
from oauth.models import Identity, Link, LinkVersion, Principal, SlackUser, Subject
from oauth.ports import StoredSecret, Taken
from oauth.records import SCHEMA, Document
from oauth.tickets.store import MongoTicketStore, each, told

_MOST_LEFT, _MOST_ENDED = 100, 1_000
_LEASED = {"lease.owner": {"$exists": True}}
_BY_LEASE = [("leased_at", 1)]
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class MongoLinkStore(MongoTicketStore):
    """Collections `links`, `revocations` and `logouts`, beside those of the tickets."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        super().__init__(database)
        self._links = database["links"]
        self._reads = Gathered(self._several)
        self._ended = database["ended"]
        self._revocations = database["revocations"]
        self._logouts = database["logouts"]

    @told
    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""
        await self._links.create_index([("workspace", 1), ("iss", 1), ("sub", 1)], unique=True, name="one_identity")
        await self._links.create_index([("sub", 1)], name="by_subject")
        await self._links.create_index([("sid", 1)], name="by_session")
        await self._links.create_index(_BY_LEASE, name="by_lease", sparse=True)
        await self._ended.create_index([("at", 1)], name="by_time")
        await self._revocations.create_index([("due", 1)], name="by_due")
        await self.ensure_ticket_indexes()

    # links

    async def link(self, slack: SlackUser) -> Link | None:
        """The person's link; one read, which is shared with whoever asks in the same moment."""
        return await self._reads.get(slack.key)

    @told
    async def _several(self, keys: list[str]) -> dict[str, Link]:
        if len(keys) == 1:
            one = await self._links.find_one({"_id": keys[0]})
            return {keys[0]: records.link_of(one)} if one else {}
        found = self._links.find({"_id": {"$in": keys}})
        return {one["_id"]: records.link_of(one) async for one in found}

    @told
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
        async for found in each(self._links, query):
            yield records.link_of(found)

    @told
    async def holder(self, workspace: str, identity: Identity) -> SlackUser | None:
        """Who in the workspace is linked to this identity."""
        found = await self._links.find_one({"workspace": workspace, "iss": identity.iss, "sub": identity.sub})
        return records.slack_of(found) if found else None

    @told
    async def add_link(self, link: Link) -> None:
        """A new link. Raises Taken where the identity or the person has one in this workspace."""
        try:
            await self._links.insert_one(records.link_document(link))
        except DuplicateKeyError:
            slack = link.principal.slack
            raise Taken(await self.holder(slack.workspace, link.principal.identity) or slack) from None

    @told
    async def ended(self, since: datetime) -> list[tuple[SlackUser, LinkVersion]]:
        """Whose links have been removed since then, by the server's clock, and which they were."""
        found = self._ended.find({"at": {"$gt": since}}).limit(_MOST_ENDED)
        return [(records.slack_of(one), LinkVersion(one["version"])) async for one in found]

    @told
    async def remove_link(self, link: Link) -> bool:
        """Remove it if it is the same yet, by version and generation. First it is noted down, so that every replica
        hears of it: whoever reads the note looks whether the link is gone.
        """
        who = link.principal
        name = {"_id": f"{who.slack.key}:{who.version}"}
        noted = {"schema": SCHEMA, **asdict(who.slack), "version": who.version}
        with contextlib.suppress(DuplicateKeyError):
            await self._ended.update_one(name, {"$setOnInsert": noted, "$currentDate": {"at": True}}, upsert=True)
        done = await self._links.delete_one(_same(link))
        return bool(done.deleted_count)

    @told
    async def lease(self, principal: Principal, owner: str) -> Link | None:
        """Take the right to refresh while nobody has it; the link as it is then.

        A plain update and a read: a step that returns the document, or computes, costs some servers many times as much.
        """
        free = {"_id": principal.slack.key, "version": principal.version, "lease": None}
        mine = {"$set": {"lease": {"owner": owner, "left": False}}, "$currentDate": {"leased_at": True}}
        taken = await self._links.update_one(free, mine)
        return await self.link(principal.slack) if taken.matched_count else None

    @told
    async def take_over(self, principal: Principal, owner: str, lasting: float) -> Link | None:
        """Take it where it is over by the server's clock: those of two replicas may be minutes apart."""
        over = {"_id": principal.slack.key, "version": principal.version, **_LEASED, "$expr": _over(lasting)}
        mine = {"$set": {"lease": {"owner": owner, "left": True}}, "$currentDate": {"leased_at": True}}
        taken = await self._links.update_one(over, mine)
        return await self.link(principal.slack) if taken.matched_count else None

    @told
    async def prolong(self, principal: Principal, owner: str) -> bool:
        """Keep the lease, counted from now; False if it is not this owner's any more."""
        done = await self._links.update_one(_of(principal, owner), {"$currentDate": {"leased_at": True}})
        return done.matched_count == 1

    @told
    async def release(self, principal: Principal, owner: str) -> None:
        """Give the lease back without a change."""
        await self._links.update_one(_of(principal, owner), {"$set": {"lease": None}, "$unset": {"leased_at": ""}})

    @told
    async def leave(self, principal: Principal, owner: str) -> None:
        """Give the lease up with its work not settled: it is over at once, and whoever has it next is told."""
        await self._links.update_one(_of(principal, owner), {"$set": {"lease.left": True, "leased_at": _LONG_AGO}})

    @told
    async def left(self, lasting: float) -> list[Principal]:
        """A hundred at most of those whose lease is over, and was not given back."""
        # With the index named: a server may not see by itself that it serves, and go over all links in every round.
        found = self._links.find({"leased_at": {"$gte": _LONG_AGO}, "$expr": _over(lasting)}).hint(_BY_LEASE)
        return [records.link_of(one).principal async for one in found.limit(_MOST_LEFT)]

    @told
    async def save(self, link: Link) -> bool:
        """Save what a refresh brought, one generation up, and end the lease; False if it is not that link any more."""
        access = [records.access_document(a) for a in link.access]
        done = await self._links.update_one(
            _same(link),
            {
                "$set": {"refresh": link.sealed_refresh, "access": access, "lease": None},
                "$unset": {"leased_at": ""},
                "$inc": {"generation": 1},
            },
        )
        return done.matched_count == 1

    @told
    async def forget_access(self, principal: Principal, audience: str) -> None:
        """Drop the access tokens of an audience."""
        same = {"_id": principal.slack.key, "version": principal.version}
        await self._links.update_one(same, {"$pull": {"access": {"audience": audience}}})

    @told
    async def forget(self, before: datetime) -> None:
        """Remove what was over by then: tickets that hold no grant, spent logout tokens, and places."""
        await self.forget_tickets(before)
        await self._logouts.delete_many({"until": {"$lt": before}})
        await self._ended.delete_many({"at": {"$lt": before}})

    # revocations

    @told
    async def queue_revocation(self, name: str, sealed: str, due: datetime) -> None:
        """Remember that a refresh token is to be revoked, until the provider has done it; not tried before `due`."""
        await self._revocations.insert_one({"_id": name, "schema": SCHEMA, "sealed": sealed, "due": due})

    @told
    async def revocations(self, now: datetime) -> list[tuple[str, str]]:
        """(name, sealed refresh token) of what is due, the oldest first, a hundred at most."""
        due = self._revocations.find({"due": {"$lte": now}}).sort("due", 1).limit(100)
        return [(found["_id"], found["sealed"]) async for found in due]

    @told
    async def put_off(self, name: str, due: datetime) -> None:
        """Try again then."""
        await self._revocations.update_one({"_id": name}, {"$set": {"due": due}})

    @told
    async def revoked(self, name: str) -> None:
        """The provider has done it."""
        await self._revocations.delete_one({"_id": name})

    @told
    async def logout_spent(self, jti: str) -> bool:
        """Whether this logout token was used before."""
        return await self._logouts.find_one({"_id": str(jti), "spent": {"$ne": False}}) is not None

    @told
    async def hear_logout(self, jti: str, sub: Subject | None, sid: str | None, now: datetime, until: datetime) -> None:
        """Remember whom this logout token is about, before what it ends is looked for. It is not spent by that."""
        about = {"schema": SCHEMA, "sub": sub, "sid": sid, "at": now, "until": until, "spent": False}
        with contextlib.suppress(DuplicateKeyError):
            await self._logouts.update_one({"_id": str(jti)}, {"$setOnInsert": about}, upsert=True)

    @told
    async def logged_out(self, sub: Subject, sid: str | None, since: datetime) -> bool:
        """Whether a logout of this session, or of all of this identity's, was heard since then."""
        whom = [{"sub": sub, "sid": None}, {"sub": sub} if sid is None else {"sid": sid}]
        return await self._logouts.find_one({"at": {"$gte": since}, "$or": whom}) is not None

    @told
    async def spend_logout(self, jti: str, until: datetime) -> bool:
        """Mark it as used, to be remembered until then; False if it was used before."""
        try:
            # Heard and not spent, it is there; spent, its key is taken; never heard, it is new.
            await self._logouts.update_one(
                {"_id": str(jti), "spent": False},
                {"$set": {"schema": SCHEMA, "until": until, "spent": True}},
                upsert=True,
            )
        except DuplicateKeyError:
            return False
        return True

    # sealing under another key

    async def secrets(self) -> AsyncIterator[StoredSecret]:
        """Every sealed value."""
        async for found in each(self._links, {}):
            for secret in records.link_secrets(found):
                yield secret
        async for found in each(self._tickets, {}):
            for secret in records.ticket_secrets(found):
                yield secret
        async for found in each(self._revocations, {}):
            yield records.revocation_secret(found)

    @told
    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        """Put another sealed form in its place, if it has not changed since it was read."""
        collection, key, path = secret.place
        keeper = {"links": self._links, "tickets": self._tickets, "revocations": self._revocations}[collection]
        done = await keeper.update_one({"_id": key, path: secret.sealed}, {"$set": {path: sealed}})
        return done.matched_count == 1


def _over(lasting: float) -> Document:
    """Whether nobody has prolonged it for so long.

    As numbers: not every server that speaks the protocol compares its own `$$NOW` with a stored date. A lease of a
    former version says in itself until when it is good.
    """
    prolonged = {"$toLong": {"$ifNull": ["$leased_at", "$lease.until"]}}
    return {"$lte": [prolonged, {"$subtract": [{"$toLong": "$$NOW"}, round(lasting * 1000)]}]}


def _of(principal: Principal, owner: str) -> Document:
    return {"_id": principal.slack.key, "lease.owner": owner}


def _same(link: Link) -> Document:
    who = link.principal
    generation = link.generation or {"$in": [0, None]}  # a link from before generations has none
    return {"_id": who.slack.key, "version": who.version, "generation": generation}
