"""The collection `approvals`. Each transition is one atomic update that names the state it comes from.

Arguments, result and answer address are sealed: they are the person's business and may be personal data.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import PyMongoError

from bot.approvals.model import Approval, Copy, State, Vote
from bot.approvals.records import (
    Document,
    Sealer,
    approval_of,
    copies_document,
    document_of,
    files_document,
    key_of,
    sealed_text,
    votes_document,
)
from bot.approvals.states import OPEN
from oauth import SlackUser, StoredSecret
from oauth.errors import StoreUnavailable

log = structlog.get_logger(__name__)

_SEALED = ("private", "votes", "result", "note", "asked", "files")
_OPEN = {"$in": sorted(str(state) for state in OPEN)}
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # with both ends a server knows that no record without a time is meant
_MOST = 100
_AGAIN = 5


class MongoApprovalStore:
    """Requests at rest; every query begins with the workspace but those of the sweep.

    Each change is a plain update of what was read: a step that returns the document costs some servers a look at all.
    """

    def __init__(self, database: AsyncIOMotorDatabase[Document], sealer: Sealer) -> None:
        self._approvals = database["approvals"]
        self._sealer = sealer

    async def ensure_indexes(self) -> None:
        """Create what is missing."""
        await self._approvals.create_index([("workspace", 1), ("user", 1), ("state", 1)], name="person")
        await self._approvals.create_index([("workspace", 1), ("kind", 1), ("state", 1)], name="for_others")
        await self._approvals.create_index([("workspace", 1), ("voted", 1)], name="voted")
        await self._approvals.create_index([("due_at", 1)], name="due", sparse=True)
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
        vote: Vote | None = None,
        not_before: datetime | None = None,
        reason: str | None = None,
        result: str | None = None,
        entry_until: datetime | None = None,
        lease_until: datetime | None = None,
        lease_over: bool = False,
        audited_only: bool = False,
    ) -> Approval | None:
        """From `source` to `target`, if it still is there; the request as it is then."""
        query: Document = {"state": str(source)}
        if vote is not None and source is State.PENDING:
            query["expires_at"] = {"$gt": now}
        if lease_over:
            query |= _past("lease_until", now)
        changes: Document = {
            "state": str(target),
            "lease_until": lease_until,
            "quiet_until": None,
            "attempts": 0,
            "due_at": lease_until or now,
        }
        if entry_until is not None:
            changes["entry_until"] = entry_until
        for _ in range(_AGAIN):
            moved = replace(
                approval,
                state=target,
                votes=approval.votes if vote is None else (*approval.votes, vote),
                not_before=not_before or approval.not_before,
                reason=approval.reason if reason is None else reason,
                result=approval.result if result is None else result,
                audited=audited_only or (approval.audited and entry_until is None),
                tries=approval.tries + (target is State.EXECUTING),
                attempts=0,
            )
            owes_nothing = {"audited": True} if audited_only and not approval.audited else {}
            done = await self._changed(approval, moved, query | owes_nothing, changes | self._fields(approval, moved))
            if done is not None or vote is not None:
                return done  # what a vote was about has changed, and it has to be looked at anew
            latest = await self.get(approval.requester.workspace, approval.id)
            if latest is None or latest.state is not source or latest.revision == approval.revision:
                return None
            approval = latest
        return None

    async def confirm(self, approval: Approval, slack: SlackUser) -> None:
        """The person has typed what the policy wants them to."""
        await self._approvals.update_one({"_id": key_of(approval)}, {"$addToSet": {"confirmed": slack.key}})

    async def comment(self, approval: Approval, note: str, *, now: datetime) -> Approval | None:
        """What the decider says of it; the first time alone."""
        commented = replace(approval, note=note, told=False)
        query: Document = {"note": None, "state": str(approval.state)}
        changes = {
            "told": False,
            "attempts": 0,
            "quiet_until": None,
            "due_at": now,
            **self._fields(approval, commented),
        }
        return await self._changed(approval, commented, query, changes)

    async def remind(self, approval: Approval) -> bool:
        """The right to remind people of it; True for one caller alone."""
        query = {"_id": key_of(approval), "state": str(State.PENDING), "reminded": False}
        done = await self._approvals.update_one(query, {"$set": {"reminded": True}})
        return done.matched_count == 1

    async def claim_poll(self, approval: Approval, now: datetime, until: datetime) -> bool:
        """The right to ask the provider what came of it, until then."""
        query = {"_id": key_of(approval), "state": str(State.PENDING), **_past("poll_at", now)}
        done = await self._approvals.update_one(query, {"$set": {"poll_at": until, "due_at": until}})
        return done.matched_count == 1

    async def poll_again(self, approval: Approval, at: datetime, asked: str | None) -> None:
        """Not before then; `asked` where that has changed."""
        changes: Document = {"poll_at": at, "due_at": at}
        if asked is not None:
            changes["asked"] = sealed_text(approval, "asked", asked, self._sealer)
        await self._approvals.update_one({"_id": key_of(approval), "state": str(State.PENDING)}, {"$set": changes})

    async def claim_entry(self, approval: Approval, now: datetime, until: datetime) -> bool:
        """The right to write the entries that are owed, until then."""
        query = {**_same(approval), "audited": False, **_past("entry_until", now)}
        done = await self._approvals.update_one(query, {"$set": {"entry_until": until}})
        return done.matched_count == 1

    async def audited(self, approval: Approval) -> None:
        """The entries are written; those of a later revision would be somebody else's to write."""
        await self._approvals.update_one(_same(approval), {"$set": {"audited": True}})

    async def beat(self, approval: Approval, until: datetime) -> None:
        """The executing process lives."""
        query = {"_id": key_of(approval), "state": str(State.EXECUTING)}
        await self._approvals.update_one(query, {"$set": {"lease_until": until, "due_at": until}})

    async def claim_outbox(self, approval: Approval, speaker: str, now: datetime, until: datetime) -> Approval | None:
        """The right to speak to Slack about this request until then, if nobody has it."""
        query = {"_id": key_of(approval), **_past("speaking_until", now), **_past("quiet_until", now)}
        mine = {"$set": {"speaking_until": until, "speaking_by": speaker}, "$inc": {"turns": 1}}
        done = await self._approvals.update_one(query, mine)
        return await self.get(approval.requester.workspace, approval.id) if done.matched_count else None

    async def said(
        self,
        approval: Approval,
        speaker: str,
        copies: tuple[Copy, ...],
        *,
        told: bool,
        quiet_until: datetime | None = None,
        due_at: datetime | None = None,
    ) -> Approval | None:
        """What people see now; ends the right to speak."""
        mine: Document = {"_id": key_of(approval), "speaking_by": speaker}
        changes: Document = {
            "copies": copies_document(copies),
            **files_document(approval, copies, self._sealer),
            "quiet_until": quiet_until,
            "speaking_until": None,
            "speaking_by": None,
            "attempts": 0 if quiet_until is None else approval.attempts + 1,
        }
        at_rest = {"told": told} | ({"due_at": due_at} if approval.audited else {})
        done = await self._approvals.update_one(mine | _same(approval), {"$set": changes | at_rest})
        if done.matched_count:
            return replace(approval, copies=copies, told=told, attempts=changes["attempts"])
        # It has changed meanwhile, so what was told was told of what was, and the round has more to do.
        done = await self._approvals.update_one(mine, {"$set": changes})
        return await self.get(approval.requester.workspace, approval.id) if done.matched_count else None

    async def put_off(self, approval: Approval, due_at: datetime | None) -> None:
        """Nothing is to be done about it before then; never again, where that is None."""
        await self._approvals.update_one({**_same(approval), "audited": True}, {"$set": {"due_at": due_at}})

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has waiting or agreed and not yet begun."""
        found = self._approvals.find({"workspace": slack.workspace, "user": slack.user, "state": _OPEN})
        return [approval_of(one, self._sealer) async for one in found.sort("created_at", 1).limit(_MOST)]

    async def for_others(self, workspace: str) -> list[Approval]:
        """What waits in a workspace for somebody else than who asked."""
        query = {"workspace": workspace, "kind": "other", "state": str(State.PENDING)}
        found = self._approvals.find(query).sort("created_at", 1).limit(_MOST)
        return [approval_of(one, self._sealer) async for one in found]

    async def links_in_use(self) -> set[tuple[SlackUser, str]]:
        """Everybody who has asked for something open, or agreed to it, with the version that their link had then."""
        names = ("team", "user", "enterprise", "link_version", "voters")
        used = set()
        async for one in self._approvals.find({"state": _OPEN}, dict.fromkeys(names, 1)):
            for who in (one, *(one.get("voters") or ())):
                used.add((SlackUser(who["team"], who["user"], who.get("enterprise")), who["link_version"]))
        return used

    async def voted_by(self, slack: SlackUser) -> list[Approval]:
        """What is open and this person has a vote in."""
        # A plain field finds the few that have votes and are open: not every server has an index into arrays.
        found = [one async for one in self._approvals.find({"workspace": slack.workspace, "voted": True})]
        mine = [one for one in found if any(voter["user"] == slack.user for voter in one["voters"])]
        return [approval_of(one, self._sealer) for one in mine[:_MOST]]

    async def unsettled(self, now: datetime) -> AsyncIterator[tuple[Approval, datetime | None]]:
        """Whatever may need a step. A record that cannot be read keeps no other from being seen to."""
        async for found in self._approvals.find({"due_at": {"$gt": _NEVER, "$lte": now}}).sort("due_at", 1):
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

    async def _changed(self, was: Approval, now_is: Approval, query: Document, changes: Document) -> Approval | None:
        """Put it in its place if nothing that people see has changed since it was read."""
        done = await self._approvals.update_one(_same(was) | query, {"$set": changes, "$inc": {"revision": 1}})
        return replace(now_is, revision=was.revision + 1) if done.matched_count else None

    def _fields(self, was: Approval, now_is: Approval) -> Document:
        """What differs, as it is kept."""
        fields: Document = {"audited": now_is.audited, "tries": now_is.tries}
        fields["voted"] = bool(now_is.votes) and now_is.policy.kind == "other" and now_is.state in OPEN
        fields |= {"reason": now_is.reason, "not_before": now_is.not_before}
        if now_is.votes != was.votes:
            fields |= votes_document(now_is, self._sealer)
        for name in ("result", "note"):
            text = getattr(now_is, name)
            if text is not None and text != getattr(was, name):
                fields[name] = sealed_text(was, name, text, self._sealer)
        return fields


def _same(approval: Approval) -> Document:
    return {"_id": key_of(approval), "revision": approval.revision}


def _past(name: str, now: datetime) -> Document:
    return {name: {"$not": {"$gt": now}}}  # or it is not there
