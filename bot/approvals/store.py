"""The collection `approvals`. Each transition is one atomic update that names the state it comes from.

Arguments, result and answer address are sealed: they are the person's business and may be personal data.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument

from bot.approvals.model import Approval, CardPlace, Origin, State
from oauth import SlackUser

Document = dict[str, Any]
SCHEMA = 1


class Sealer(Protocol):
    """Seals for one field of one record."""

    def seal(self, plain: bytes, *, record: str, name: str) -> str:
        """The sealed form."""

    def open(self, sealed: str, *, record: str, name: str) -> bytes:
        """What was sealed."""


class MongoApprovalStore:
    """Requests at rest; every query begins with the workspace but those of the sweep."""

    def __init__(self, database: AsyncIOMotorDatabase[Document], sealer: Sealer) -> None:
        self._approvals = database["approvals"]
        self._sealer = sealer

    async def ensure_indexes(self) -> None:
        """Create what is missing."""
        await self._approvals.create_index([("workspace", 1), ("user", 1), ("state", 1)], name="person")
        await self._approvals.create_index([("state", 1), ("expires_at", 1)], name="sweep")
        await self._approvals.create_index([("settled", 1)], name="outbox")

    async def add(self, approval: Approval) -> None:
        """A new request."""
        await self._approvals.insert_one(self._document(approval))

    async def get(self, workspace: str, id_: str) -> Approval | None:
        """A request of this workspace."""
        found = await self._approvals.find_one({"_id": f"{workspace}:{id_}"})
        return self._approval(found) if found else None

    async def move(
        self,
        approval: Approval,
        source: State,
        target: State,
        *,
        now: datetime,
        by: SlackUser | None = None,
        reason: str | None = None,
        lease_until: datetime | None = None,
        result: str | None = None,
        audited_only: bool = False,
    ) -> Approval | None:
        """From `source` to `target`, if it still is there; the request as it is then."""
        query: Document = {"_id": _key(approval), "state": str(source)}
        if source is State.PENDING and target in {State.APPROVED, State.DENIED}:
            query["expires_at"] = {"$gt": now}
        if audited_only:
            query["audited"] = True
        changes: Document = {"state": str(target), "settled": False, "lease_until": lease_until}
        if by is not None:
            changes |= {"decider": asdict(by), "decided_at": now, "audited": False}
        if reason is not None:
            changes["reason"] = reason
        if result is not None:
            changes["result"] = self._sealer.seal(result.encode(), record=_key(approval), name="result")
        found = await self._approvals.find_one_and_update(
            query, {"$set": changes, "$inc": {"revision": 1}}, return_document=ReturnDocument.AFTER
        )
        return self._approval(found) if found else None

    async def audited(self, approval: Approval) -> None:
        """The entry of the verdict is written; only now may it be executed."""
        await self._approvals.update_one({"_id": _key(approval)}, {"$set": {"audited": True}})

    async def beat(self, approval: Approval, until: datetime) -> None:
        """The executing process lives."""
        query = {"_id": _key(approval), "state": str(State.EXECUTING)}
        await self._approvals.update_one(query, {"$set": {"lease_until": until}})

    async def claim_outbox(self, approval: Approval, now: datetime, until: datetime) -> Approval | None:
        """The right to speak to Slack about this request until then, if nobody has it; the request as it is."""
        found = await self._approvals.find_one_and_update(
            {"_id": _key(approval), "$or": [{"speaking_until": None}, {"speaking_until": {"$lte": now}}]},
            {"$set": {"speaking_until": until}},
            return_document=ReturnDocument.AFTER,
        )
        return self._approval(found) if found else None

    async def said(self, approval: Approval, card: CardPlace | None, *, told: bool) -> bool:
        """Slack shows `card`, and the requester was told; whether nothing is left to say."""
        settled = told and card is not None
        query: Document = {"_id": _key(approval)}
        changes: Document = {"card": asdict(card) if card else None, "told": told, "speaking_until": None}
        await self._approvals.update_one(query, {"$set": changes})
        if settled:
            final = {"$in": [str(state) for state in State if state.final]}
            done = await self._approvals.update_one(
                query | {"revision": approval.revision, "state": final}, {"$set": {"settled": True}}
            )
            settled = done.matched_count == 1
        return settled

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has waiting or agreed and not yet begun."""
        states = {"$in": [str(State.PENDING), str(State.APPROVED)]}
        found = self._approvals.find({"workspace": slack.workspace, "user": slack.user, "state": states})
        return [self._approval(one) async for one in found.sort("created_at", 1).limit(100)]

    async def unsettled(self) -> AsyncIterator[tuple[Approval, datetime | None]]:
        """What is not over, or not yet said, with the lease of its execution."""
        async for found in self._approvals.find({"settled": False}).sort("created_at", 1):
            yield self._approval(found), found.get("lease_until")

    def _document(self, approval: Approval) -> Document:
        key = _key(approval)
        private = {"arguments": dict(approval.arguments), "origin": asdict(approval.origin)}
        return {
            "_id": key,
            "schema": SCHEMA,
            "id": approval.id,
            "workspace": approval.requester.workspace,
            **asdict(approval.requester),
            "sub": approval.sub,
            "link_version": approval.link_version,
            "action": approval.action,
            "description": approval.description,
            "private": self._sealer.seal(json.dumps(private).encode(), record=key, name="private"),
            "scopes": sorted(approval.scopes),
            "digest": approval.digest,
            "run": approval.run,
            "created_at": approval.created_at,
            "expires_at": approval.expires_at,
            "state": str(approval.state),
            "revision": approval.revision,
            "audited": approval.audited,
            "told": approval.told,
            "card": None,
            "settled": False,
        }

    def _approval(self, found: Document) -> Approval:
        key = found["_id"]
        private = json.loads(self._sealer.open(found["private"], record=key, name="private"))
        result = found.get("result")
        return Approval(
            id=found["id"],
            requester=SlackUser(found["team"], found["user"], found.get("enterprise")),
            sub=found["sub"],
            link_version=found["link_version"],
            action=found["action"],
            description=found["description"],
            arguments=private["arguments"],
            scopes=frozenset(found["scopes"]),
            digest=found["digest"],
            run=found["run"],
            origin=Origin(**private["origin"]),
            created_at=found["created_at"],
            expires_at=found["expires_at"],
            state=State(found["state"]),
            revision=found["revision"],
            decider=SlackUser(**found["decider"]) if found.get("decider") else None,
            decided_at=found.get("decided_at"),
            reason=found.get("reason"),
            audited=found.get("audited", False),
            result=self._sealer.open(result, record=key, name="result").decode() if result else None,
            card=CardPlace(**found["card"]) if found.get("card") else None,
            told=found.get("told", False),
        )


def _key(approval: Approval) -> str:
    return f"{approval.requester.workspace}:{approval.id}"
