"""What keeps links and tickets, and what it promises: every change is one atomic step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from oauth.models import Identity, Link, LinkVersion, Principal, SlackUser, Subject
from oauth.tickets import Stage, Ticket


class Taken(Exception):
    """The identity is linked to `holder` already."""

    def __init__(self, holder: SlackUser) -> None:
        self.holder = holder
        super().__init__()


class LinkStore(Protocol):
    """Links, tickets, pending revocations and spent logout tokens. Times are UTC; secrets arrive sealed or hashed."""

    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""

    async def link(self, slack: SlackUser) -> Link | None:
        """The person's link; one read."""

    async def holder(self, workspace: str, identity: Identity) -> SlackUser | None:
        """Who in the workspace is linked to this identity."""

    async def put_link(self, link: Link) -> Link | None:
        """Store it in place of the person's former one, which is returned. Raises Taken."""

    async def remove_link(self, slack: SlackUser, version: LinkVersion | None = None) -> Link | None:
        """Remove the link, of this version only if one is named, and return what it was."""

    def links(self, sub: Subject | None = None) -> AsyncIterator[Link]:
        """All links, or those of one subject."""

    async def lease(self, principal: Principal, owner: str, now: datetime, until: datetime) -> Link | None:
        """Take the right to refresh, unless somebody holds it; the link as it is then, its generation one up."""

    async def release(self, principal: Principal, owner: str) -> None:
        """Give the lease back without a change."""

    async def save(self, link: Link, owner: str) -> bool:
        """Save what a refresh brought and end the lease; False if the link or the lease is no longer ours."""

    async def put_ticket(self, ticket: Ticket) -> Ticket | None:
        """Make it the person's only ticket; returns the one that it supersedes."""

    async def claim_ticket(self, ticket: Ticket, now: datetime) -> tuple[bool, Ticket | None]:
        """As `put_ticket`, but only where no live one is: (False, None) means that one is live."""

    async def ticket(self, slack: SlackUser) -> Ticket | None:
        """The person's ticket, live or not."""

    async def ticket_by_hash(self, value: str) -> Ticket | None:
        """The ticket whose hash this is."""

    async def ticket_by_state(self, value: str) -> Ticket | None:
        """The ticket whose login is under way with this state."""

    async def advance(
        self, ticket: Ticket, stages: set[Stage], changes: Mapping[str, Any], *, match: Mapping[str, Any] | None = None
    ) -> Ticket | None:
        """Apply `changes` if this very ticket is in one of `stages`; returns it as it was before."""

    async def count_guess(self, slack: SlackUser, most: int, now: datetime) -> Ticket | None:
        """Take one of `most` guesses; the ticket with that guess counted, or None if none is left."""

    def over(self, now: datetime) -> AsyncIterator[Ticket]:
        """Tickets whose time is over while a grant still waits in them."""

    async def queue_revocation(self, name: str, sealed: str, now: datetime) -> None:
        """Remember that a refresh token is to be revoked, until the provider has done it."""

    async def revocations(self, name: str | None = None) -> list[tuple[str, str]]:
        """(name, sealed refresh token) of what is still to be revoked, or of that one."""

    async def revoked(self, name: str) -> None:
        """The provider has done it."""

    async def spend_logout(self, jti: str, now: datetime) -> bool:
        """Whether this logout token is seen for the first time."""
