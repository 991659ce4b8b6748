"""Tickets for connecting accounts in MongoDB, and how they are written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields
from datetime import datetime

from oauth.accounts.tickets import OPEN_STAGES, AccountTicket, Stage
from oauth.errands.store import MongoErrandStore, plain_document
from oauth.models import LinkVersion, SlackProfile
from oauth.records import Document, slack_of
from oauth.tickets.store import told


class MongoAccountStore(MongoErrandStore[AccountTicket]):
    """The collection `account_tickets`."""

    collection = "account_tickets"
    room = "account"
    seals = ("login", "session", "waiting")

    async def _index_ends(self) -> None:
        await self._tickets.create_index([("expires_at", 1)], name="by_end")

    @told
    async def claim(self, ticket: AccountTicket, now: datetime) -> bool:
        """Make it the person's only ticket of its connection; False while a live one is there."""
        free: list[Document] = [
            {"expires_at": {"$lte": now}},
            {"stage": {"$nin": sorted(OPEN_STAGES)}},
            {"link_version": {"$ne": ticket.link_version}},
            {"scopes": {"$ne": sorted(ticket.scopes)}},
        ]
        return await self._replaced(ticket, free)

    def unasked(self, since: datetime, until: datetime) -> AsyncIterator[AccountTicket]:
        """Tickets that are done, end after `since` and by `until`, and still hold what was asked before."""
        return self._left("waiting", since, until)

    @told
    async def forget(self, before: datetime) -> None:
        """Remove what was over by then."""
        await self._tickets.delete_many({"expires_at": {"$lt": before}})

    @staticmethod
    def document_of(ticket: AccountTicket) -> Document:
        """A ticket as it is kept."""
        return plain_document(ticket) | {"scopes": sorted(ticket.scopes)}

    @staticmethod
    def ticket_of(found: Document) -> AccountTicket:
        """The ticket in a document; fields that a newer replica has added are left alone."""
        return AccountTicket(
            slack=slack_of(found),
            profile=SlackProfile(**{f.name: found["profile"].get(f.name) for f in fields(SlackProfile)}),
            connection=found["connection"],
            scopes=frozenset(found["scopes"]),
            link_version=LinkVersion(found["link_version"]),
            hash=found["hash"],
            stage=Stage(found["stage"]),
            created_at=found["created_at"],
            expires_at=found["expires_at"],
            browser_hash=found.get("browser_hash"),
            state_hash=found.get("state_hash"),
            sealed_login=found.get("sealed_login"),
            sealed_session=found.get("sealed_session"),
            sealed_waiting=found.get("sealed_waiting"),
        )
