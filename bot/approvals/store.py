"""The collection `approvals`. Each transition is one atomic update that names the state it comes from.

Arguments, result and answer address are sealed: they are the person's business and may be personal data.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime

import structlog
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from bot.approvals.model import Approval, CardPlace, State
from bot.approvals.records import Document, Sealer, approval_of, document_of, key_of, sealed_result
from bot.approvals.states import OPEN
from oauth import SlackUser, StoredSecret
from oauth.errors import StoreUnavailable

log = structlog.get_logger(__name__)

_SEALED = ("private", "result")
_FINAL = [str(state) for state in State if state.final]


class MongoApprovalStore:
    """Requests at rest; every query begins with the workspace but those of the sweep."""

    def __init__(self, database: AsyncIOMotorDatabase[Document], sealer: Sealer) -> None:
        self._approvals = database["approvals"]
        self._sealer = sealer

    async def ensure_indexes(self) -> None:
        """Create what is missing."""
        await self._approvals.create_index([("workspace", 1), ("user", 1), ("state", 1)], name="person")
        await self._approvals.create_index([("settled", 1), ("created_at", 1)], name="unsettled")
        await self._approvals.create_index([("state", 1)], name="state")

    async def add(self, approval: Approval) -> None:
        """A new request."""
        await self._approvals.insert_one(document_of(approval, self._sealer))

    async def get(self, workspace: str, id_: str) -> Approval | None:
        """A request of this workspace."""
        found = await self._approvals.find_one({"_id": f"{workspace}:{id_}"})
        return approval_of(found, self._sealer) if found else None

    async def move(
        self,
        approval: Approval,
        source: State,
        target: State,
        *,
        now: datetime,
        by: SlackUser | None = None,
        reason: str | None = None,
        result: str | None = None,
        entry_until: datetime | None = None,
        lease_until: datetime | None = None,
        lease_over: bool = False,
        audited_only: bool = False,
    ) -> Approval | None:
        """From `source` to `target`, if it still is there; the request as it is then."""
        query: Document = {"_id": key_of(approval), "state": str(source)}
        if source is State.PENDING and target in {State.APPROVED, State.DENIED}:
            query["expires_at"] = {"$gt": now}
        if lease_over:
            query |= _past("lease_until", now)
        if audited_only:
            query["audited"] = True
        changes: Document = {
            "state": str(target),
            "settled": False,
            "behind": True,
            "lease_until": lease_until,
            "quiet_until": None,
            "attempts": 0,
        }
        if by is not None:
            changes |= {"decider": asdict(by), "decided_at": now}
        if entry_until is not None:
            changes |= {"audited": False, "entry_until": entry_until}
        if reason is not None:
            changes["reason"] = reason
        if result is not None:
            changes["result"] = sealed_result(approval, result, self._sealer)
        grown = {"revision": 1} | ({"tries": 1} if target is State.EXECUTING else {})
        return await self._updated(query, {"$set": changes, "$inc": grown})

    async def claim_entry(self, approval: Approval, now: datetime, until: datetime) -> bool:
        """The right to write the entry that is owed, until then."""
        query = {"_id": key_of(approval), "state": str(approval.state), "audited": False, **_past("entry_until", now)}
        done = await self._approvals.update_one(query, {"$set": {"entry_until": until}})
        return done.matched_count == 1

    async def audited(self, approval: Approval) -> None:
        """The entry of this state is written; one of another state would be somebody else's to write."""
        query = {"_id": key_of(approval), "state": str(approval.state)}
        await self._approvals.update_one(query, {"$set": {"audited": True}})

    async def beat(self, approval: Approval, until: datetime) -> None:
        """The executing process lives."""
        query = {"_id": key_of(approval), "state": str(State.EXECUTING)}
        await self._approvals.update_one(query, {"$set": {"lease_until": until}})

    async def claim_outbox(self, approval: Approval, speaker: str, now: datetime, until: datetime) -> Approval | None:
        """The right to speak to Slack about this request until then, if nobody has it."""
        query = {"_id": key_of(approval), "$and": [_past("speaking_until", now), _past("quiet_until", now)]}
        return await self._updated(query, {"$set": {"speaking_until": until, "speaking_by": speaker}})

    async def said(
        self,
        approval: Approval,
        speaker: str,
        card: CardPlace | None,
        *,
        told: bool,
        quiet_until: datetime | None = None,
        settled: bool = False,
    ) -> Approval | None:
        """What people see now; ends the right to speak."""
        query: Document = {"_id": key_of(approval)}
        changes: Document = {
            "card": asdict(card) if card else None,
            "told": told,
            "quiet_until": quiet_until,
            "speaking_until": None,
            "speaking_by": None,
        }
        update: Document = {"$set": changes}
        if quiet_until is None:
            changes["attempts"] = 0
        else:
            update["$inc"] = {"attempts": 1}
        latest = await self._updated(query | {"speaking_by": speaker}, update)
        if latest is None or latest.revision != approval.revision:
            return latest
        same = query | {"revision": approval.revision}
        if card is not None and card.shown == approval.revision:
            await self._approvals.update_one(same, {"$set": {"behind": False}})
        if settled:
            await self._approvals.update_one(
                same | {"state": {"$in": _FINAL}, "audited": True}, {"$set": {"settled": True}}
            )
        return latest

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has waiting or agreed and not yet begun."""
        states = {"$in": sorted(str(state) for state in OPEN)}
        found = self._approvals.find({"workspace": slack.workspace, "user": slack.user, "state": states})
        return [approval_of(one, self._sealer) async for one in found.sort("created_at", 1).limit(100)]

    async def links_in_use(self) -> set[tuple[SlackUser, str]]:
        """Each requester of something open, with the version of their link when they asked."""
        fields = ("team", "user", "enterprise", "link_version")
        found = self._approvals.find({"state": {"$in": sorted(str(state) for state in OPEN)}}, dict.fromkeys(fields, 1))
        return {
            (SlackUser(one["team"], one["user"], one.get("enterprise")), one["link_version"]) async for one in found
        }

    async def unsettled(self, now: datetime) -> AsyncIterator[tuple[Approval, datetime | None]]:
        """Whatever may need a step. A record that cannot be read keeps no other from being seen to."""
        quiet = {"state": str(State.PENDING), "behind": False, "expires_at": {"$gt": now}}
        async for found in self._approvals.find({"settled": False, "$nor": [quiet]}).sort("created_at", 1):
            try:
                yield approval_of(found, self._sealer), found.get("lease_until")
            except (KeyError, TypeError, ValueError) as error:
                log.error("approval_unreadable", approval=str(found.get("_id")), kind=type(error).__name__)

    # sealing under another key

    async def secrets(self) -> AsyncIterator[StoredSecret]:
        """Every sealed value."""
        try:
            async for found in self._approvals.find({}, dict.fromkeys(_SEALED, 1)).sort("_id", 1):
                for name in _SEALED:
                    if found.get(name) is not None:
                        yield StoredSecret(("approvals", found["_id"], name), found["_id"], name, str(found[name]))
        except PyMongoError:
            raise StoreUnavailable from None

    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        """Put another sealed form in its place, if it has not changed since it was read."""
        _, key, name = secret.place
        try:
            done = await self._approvals.update_one({"_id": key, name: secret.sealed}, {"$set": {name: sealed}})
        except PyMongoError:
            raise StoreUnavailable from None
        return done.matched_count == 1

    async def _updated(self, query: Document, update: Document) -> Approval | None:
        found = await self._approvals.find_one_and_update(query, update, return_document=ReturnDocument.AFTER)
        return approval_of(found, self._sealer) if found else None


def _past(name: str, now: datetime) -> Document:
    return {"$or": [{name: None}, {name: {"$lte": now}}]}
