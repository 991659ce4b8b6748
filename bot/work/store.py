"""The collection `runs`: what lasts longer than a moment, so that every replica can stop it and say how it ended.

Nothing of what the action says is kept here; it is the person's business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from motor.motor_asyncio import AsyncIOMotorDatabase

from bot.work.model import Outcome, Person, Place, Run, Running, Stop
from oauth import SlackUser

log = structlog.get_logger(__name__)

Document = dict[str, Any]
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # with both ends a server knows that no record without a time is meant
_REMEMBERED = timedelta(days=1)


class MongoRunStore:
    """Runs at rest; what is over is forgotten after a day."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._runs = database["runs"]

    async def ensure_indexes(self) -> None:
        """Create what is missing."""
        forgotten = round(_REMEMBERED.total_seconds())
        await self._runs.create_index([("due_at", 1)], name="due", sparse=True)
        await self._runs.create_index([("ended_at", 1)], name="forgotten", expireAfterSeconds=forgotten)

    async def begin(self, running: Running, due_at: datetime) -> Run:
        """It goes on. That it has to stop stays said, should another process have been told so."""
        going_on = {"outcome": None, "reason": None, "told": False, "due_at": due_at, "ended_at": None}
        begun = {"$set": _document(running) | going_on, "$setOnInsert": {"stop": None}}
        await self._runs.update_one({"_id": _key(running)}, begun, upsert=True)
        return await self.get(running.requester.workspace, running.run) or Run(running)

    async def get(self, workspace: str, run: str) -> Run | None:
        """A run of this workspace."""
        found = await self._runs.find_one({"_id": f"{workspace}:{run}"})
        return _run(found) if found else None

    async def placed(self, running: Running, place: Place) -> None:
        """Where people see it."""
        at = {"channel": place.channel, "ts": place.ts}
        await self._runs.update_one({"_id": _key(running)}, {"$set": {"place": at}})

    async def stop(self, running: Running, stop: Stop) -> bool:
        """It has to end."""
        query = {"_id": _key(running), "outcome": None, "stop": None}
        kept = {"reason": stop.reason, "by": _person(stop.by) if stop.by else None}
        done = await self._runs.update_one(query, {"$set": {"stop": kept}})
        return done.matched_count == 1

    async def stops(self, runs: Iterable[Running]) -> dict[str, Stop]:
        """Which of these have to end."""
        found = self._runs.find({"_id": {"$in": [_key(one) for one in runs]}}, {"run": 1, "stop": 1})
        return {one["run"]: _stop(one["stop"]) async for one in found if one.get("stop")}

    async def alive(self, runs: Iterable[Running], due_at: datetime) -> None:
        """The process that does them lives."""
        query = {"_id": {"$in": [_key(one) for one in runs]}, "outcome": None}
        await self._runs.update_many(query, {"$set": {"due_at": due_at}})

    async def end(self, running: Running, outcome: Outcome, reason: str | None, due_at: datetime) -> bool:
        """It has ended so."""
        ended = {"outcome": str(outcome), "reason": reason, "due_at": due_at, "ended_at": datetime.now(UTC)}
        done = await self._runs.update_one({"_id": _key(running), "outcome": None}, {"$set": ended})
        return done.matched_count == 1

    async def told(self, running: Running) -> None:
        """People see how it ended."""
        query = {"_id": _key(running), "outcome": {"$ne": None}}
        await self._runs.update_one(query, {"$set": {"told": True, "due_at": None}})

    async def take(self, run: Run, due_at: datetime) -> bool:
        """The right to see to what is due."""
        query = {"_id": _key(run.running), "due_at": run.due_at}
        done = await self._runs.update_one(query, {"$set": {"due_at": due_at}})
        return done.matched_count == 1

    async def due(self, now: datetime) -> AsyncIterator[Run]:
        """Whatever nobody keeps alive, or has told. A record that cannot be read keeps no other waiting."""
        async for found in self._runs.find({"due_at": {"$gt": _NEVER, "$lte": now}}).sort("due_at", 1):
            try:
                yield _run(found)
            except (KeyError, TypeError, ValueError) as error:
                log.error("run_unreadable", run=str(found.get("_id")), kind=type(error).__name__)


def _key(running: Running) -> str:
    return f"{running.requester.workspace}:{running.run}"


def _document(running: Running) -> Document:
    return {
        "workspace": running.requester.workspace,
        "run": running.run,
        "requester": _person(Person(running.requester, running.sub)),
        "link_version": running.link_version,
        "org": running.org,
        "action": running.action,
        "approval": running.approval,
        "agreed": [_person(one) for one in running.agreed],
        "started_at": running.started_at,
    }


def _run(found: Document) -> Run:
    who = _someone(found["requester"])
    place, outcome, stop = found.get("place"), found.get("outcome"), found.get("stop")
    return Run(
        running=Running(
            run=found["run"],
            requester=who.slack,
            sub=who.sub,
            link_version=found["link_version"],
            action=found["action"],
            started_at=found["started_at"],
            approval=found.get("approval"),
            agreed=tuple(_someone(one) for one in found.get("agreed") or ()),
            org=found.get("org"),
        ),
        stop=_stop(stop) if stop else None,
        outcome=Outcome(outcome) if outcome else None,
        reason=found.get("reason"),
        place=Place(place["channel"], place["ts"]) if place else None,
        told=bool(found.get("told")),
        due_at=found.get("due_at"),
    )


def _person(one: Person) -> Document:
    return {"team": one.slack.team, "user": one.slack.user, "enterprise": one.slack.enterprise, "sub": one.sub}


def _someone(found: Document) -> Person:
    return Person(SlackUser(found["team"], found["user"], found.get("enterprise")), found["sub"])


def _stop(found: Document) -> Stop:
    return Stop(found["reason"], _someone(found["by"]) if found.get("by") else None)
