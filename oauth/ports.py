"""What keeps links and tickets, and what it promises: each change is one atomic step that names where it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from oauth.models import Identity, Link, LinkVersion, Principal, SlackUser, Subject
from oauth.tickets import Stage, Ticket


class Taken(Exception):
    """There is a link already: `holder` is who has this identity in the workspace, or the person themself."""

    def __init__(self, holder: SlackUser) -> None:
        self.holder = holder
        super().__init__()


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """One sealed value at rest: where it stands, and which record and field it was sealed for."""

    place: tuple[str, str, str]
    record: str
    name: str
    sealed: str = field(repr=False)


class SealedStore(Protocol):
    """Whatever keeps sealed values. Both methods raise StoreUnavailable where the store cannot be reached."""

    def secrets(self) -> AsyncIterator[StoredSecret]:
        """Every sealed value, its `place` being collection, key and path."""

    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        """Put another sealed form in its place, in one atomic step, if it has not changed since it was read."""


class LinkStore(SealedStore, Protocol):
    """Links, tickets, pending revocations, spent logout tokens, places. Times are UTC; secrets arrive sealed or hashed.

    Every method raises StoreUnavailable where the store cannot be reached.
    """

    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""

    # links

    async def link(self, slack: SlackUser) -> Link | None:
        """The person's link; one read."""

    async def versions(self, keys: list[str]) -> dict[str, LinkVersion]:
        """The versions of those of these links that are there."""

    def links(
        self, *, sub: Subject | None = None, sid: str | None = None, workspace: str | None = None
    ) -> AsyncIterator[Link]:
        """All links, or those of one identity, one session at the provider, one workspace."""

    async def holder(self, workspace: str, identity: Identity) -> SlackUser | None:
        """Who in the workspace is linked to this identity."""

    async def add_link(self, link: Link) -> None:
        """A new link. Raises Taken where the identity or the person has one in this workspace."""

    async def ended(self, since: datetime) -> list[tuple[SlackUser, LinkVersion]]:
        """Whose links have been removed since then, by the store's clock, and which they were; a thousand at most."""

    async def remove_link(self, link: Link) -> bool:
        """Remove it if it is the same yet, by version and generation."""

    async def lease(self, principal: Principal, owner: str) -> Link | None:
        """Take the right to refresh; the link as it is then.

        None if somebody has it, or died with it, or the link is not the principal's any more.
        """

    async def take_over(self, principal: Principal, owner: str, lasting: float) -> Link | None:
        """Take it from whoever has not prolonged it in the last `lasting` seconds by the store's own clock.

        The link as it is then, its lease marked as left; None as for `lease`, and also if nobody has it.
        """

    async def prolong(self, principal: Principal, owner: str) -> bool:
        """Keep the lease, counted from now; False if it is not this owner's any more."""

    async def release(self, principal: Principal, owner: str) -> None:
        """Give the lease back without a change."""

    async def leave(self, principal: Principal, owner: str) -> None:
        """Give the lease up with its work not settled: it is over at once, and whoever has it next is told."""

    async def left(self, lasting: float) -> list[Principal]:
        """A hundred at most of those whose lease nobody has prolonged for so long, nor given back."""

    async def save(self, link: Link) -> bool:
        """Save what a refresh brought, one generation up, and end the lease.

        False if the link is another one by now, or the refresh token that was spent is not in it any more. Whether
        the lease is ours yet does not matter: what the provider gave for that token is the only thing of use.
        """

    async def forget_access(self, principal: Principal, audience: str) -> None:
        """Drop the access tokens of an audience."""

    # tickets

    async def put_ticket(self, ticket: Ticket) -> bool:
        """Make it the person's only ticket; False while a grant waits in the former one.

        A former one that is done is none to wait for: its grant is a link, or becomes one in this moment.
        """

    async def claim_ticket(self, ticket: Ticket, now: datetime) -> bool:
        """As `put_ticket`, but only where no live one is."""

    async def ticket(self, slack: SlackUser) -> Ticket | None:
        """The person's ticket, live or not."""

    async def ticket_by_hash(self, value: str) -> Ticket | None:
        """The ticket whose hash this is."""

    async def ticket_after(self, value: str) -> Ticket | None:
        """The newest ticket of the person who once had the one whose hash this is."""

    async def ticket_by_state(self, value: str) -> Ticket | None:
        """The ticket whose last login was begun with this state."""

    async def advance(
        self,
        ticket: Ticket,
        stages: Set[Stage],
        changes: Mapping[str, object],
        *,
        match: Mapping[str, str | int | None] | None = None,
    ) -> Ticket | None:
        """Apply `changes` if this very ticket is in one of `stages` and matches; returns it as it was before.

        Both mappings are by the names of the fields of Ticket.
        """

    async def count_guess(self, slack: SlackUser, most: int, now: datetime) -> Ticket | None:
        """Take one of `most` guesses; the ticket with that guess counted, or None if none is left."""

    def tickets(
        self, *, workspace: str | None = None, sub: Subject | None = None, sid: str | None = None
    ) -> AsyncIterator[Ticket]:
        """The tickets that may still lead to a link: of a workspace, or with a grant of an identity or a session."""

    def unasked(self, until: datetime) -> AsyncIterator[Ticket]:
        """Tickets that became a link, end by then, and still hold what was asked before."""

    def over(self, now: datetime) -> AsyncIterator[Ticket]:
        """Tickets that are void, or whose time is over, while a grant is in them yet."""

    async def take_place(self, name: str, most: int, now: datetime, until: datetime) -> bool:
        """Take one of `most` places of that name until then; False while all are taken.

        How often something may be done in a time, counted for all replicas and all people at once.
        """

    async def forget(self, before: datetime) -> None:
        """Remove what was over by then: tickets that hold no grant, spent logout tokens, and places."""

    # revocations

    async def queue_revocation(self, name: str, sealed: str, due: datetime) -> None:
        """Remember that a refresh token is to be revoked, until the provider has done it; not tried before `due`."""

    async def revocations(self, now: datetime) -> list[tuple[str, str]]:
        """(name, sealed refresh token) of what is due, the oldest first, a hundred at most."""

    async def put_off(self, name: str, due: datetime) -> None:
        """Try again then."""

    async def revoked(self, name: str) -> None:
        """The provider has done it."""

    async def logout_spent(self, jti: str) -> bool:
        """Whether this logout token was used before."""

    async def hear_logout(self, jti: str, sub: Subject | None, sid: str | None, now: datetime, until: datetime) -> None:
        """Remember whom this logout token is about, before what it ends is looked for. It is not spent by that."""

    async def logged_out(self, sub: Subject, sid: str | None, since: datetime) -> bool:
        """Whether a logout of this session, or of all of this identity's, was heard since then."""

    async def spend_logout(self, jti: str, until: datetime) -> bool:
        """Mark it as used, to be remembered until then; False if it was used before."""
