"""One replica's identity rooms on the real store and the real trail, without its pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import oauth
from bot.audit.links import LinkTrail
from bot.audit.store import MongoAuditStore
from bot.audit.writer import AuditWriter
from bot.database import Database, connect
from bot.tasks import Tasks
from oauth import IdentityRooms, LinkEvent, Vault, utc_now
from tests.faults.replica import Given


@dataclass(frozen=True, slots=True)
class Standing:
    """The rooms, what they have told others, and their own connection."""

    rooms: IdentityRooms
    database: Database
    tasks: Tasks
    told: list[LinkEvent] = field(default_factory=list)

    async def heard(self, event: LinkEvent) -> None:
        """What the person would be sent."""
        self.told.append(event)


@asynccontextmanager
async def standing(given: Given) -> AsyncIterator[Standing]:
    """The rooms while they are needed. Nothing is connected before the first call."""
    client, database = connect(given.mongo_uri, given.database)
    tasks = Tasks()
    observer = LinkTrail(AuditWriter(MongoAuditStore(database), given.audit_key, utc_now), tasks)
    rooms = oauth.build(given.identity, database=database, vault=Vault(given.token_keys), observer=observer)
    replica = Standing(rooms, database, tasks)
    observer.subscribe(replica.heard)
    try:
        yield replica
    finally:
        await tasks.drain()
        await rooms.close()
        client.close()
