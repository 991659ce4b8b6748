"""Tickets for authenticating once more in MongoDB, and how they are written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from oauth.errands.store import MongoErrandStore, plain_document
from oauth.models import LinkVersion, Subject
from oauth.records import Document, slack_of
from oauth.step_up.model import Stage, StepUpTicket
from oauth.tickets.store import told

_KEPT = 3600


class MongoStepUpStore(MongoErrandStore[StepUpTicket]):
    """The collection `step_ups`. The database removes a ticket an hour after its end; nobody relies on when."""

    collection = "step_ups"
    room = "step-up"
    seals = ("login", "evidence")

    async def _index_ends(self) -> None:
        await self._tickets.create_index([("expires_at", 1)], name="over", expireAfterSeconds=_KEPT)

    @told
    async def put(self, ticket: StepUpTicket, *, since: datetime) -> bool:
        """Make it the person's only ticket for its subject; False where an unopened one was made after `since`."""
        free: list[Document] = [
            {"created_at": {"$lte": since}},
            {"stage": {"$ne": Stage.OPEN}},
            {"link_version": {"$ne": ticket.link_version}},
        ]
        return await self._replaced(ticket, free)

    def untaken(self, since: datetime, until: datetime) -> AsyncIterator[StepUpTicket]:
        """Tickets that are done, end after `since` and by `until`, and still hold their evidence."""
        return self._left("evidence", since, until)

    @staticmethod
    def document_of(ticket: StepUpTicket) -> Document:
        """A ticket as it is kept."""
        return plain_document(ticket)

    @staticmethod
    def ticket_of(found: Document) -> StepUpTicket:
        """The ticket in a document; fields that a newer replica has added are left alone."""
        return StepUpTicket(
            slack=slack_of(found),
            sub=Subject(found["sub"]),
            link_version=LinkVersion(found["link_version"]),
            subject=found["subject"],
            about=found["about"],
            hash=found["hash"],
            stage=Stage(found["stage"]),
            created_at=found["created_at"],
            expires_at=found["expires_at"],
            browser_hash=found.get("browser_hash"),
            state_hash=found.get("state_hash"),
            sealed_login=found.get("sealed_login"),
            sealed_evidence=found.get("sealed_evidence"),
        )
