"""What keeps the tickets, and who gives tokens; each change is one atomic step that names where it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Set
from datetime import datetime
from typing import Protocol

from oauth.accounts.tickets import AccountTicket, Stage
from oauth.models import AccessToken, Principal, SlackUser
from oauth.ports import SealedStore


class AccountStore(SealedStore, Protocol):
    """Every method raises StoreUnavailable where the store cannot be reached."""

    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""

    async def claim(self, ticket: AccountTicket, now: datetime) -> bool:
        """Make it the person's only ticket of its connection; False while a live one is there.

        One for another link, or for other scopes, is none to wait for.
        """

    async def ticket(self, slack: SlackUser, connection: str) -> AccountTicket | None:
        """The person's ticket of a connection, live or not."""

    async def by_hash(self, value: str) -> AccountTicket | None:
        """The ticket whose hash this is."""

    async def by_state(self, value: str) -> AccountTicket | None:
        """The ticket whose last step was begun with this state."""

    async def advance(
        self,
        ticket: AccountTicket,
        stages: Set[Stage],
        changes: Mapping[str, object],
        *,
        match: Mapping[str, str | None] | None = None,
    ) -> AccountTicket | None:
        """Apply `changes` if this very ticket is in one of `stages` and matches; returns it as it was before.

        Both mappings are by the names of the fields of AccountTicket.
        """

    def unasked(self, since: datetime, until: datetime) -> AsyncIterator[AccountTicket]:
        """Tickets that are done, end after `since` and by `until`, and still hold what was asked before."""

    async def forget(self, before: datetime) -> None:
        """Remove what was over by then."""


class Tokens(Protocol):
    """Where tokens come from."""

    async def token(
        self, principal: Principal, scopes: frozenset[str], audience: str, fresh_for: float = 0.0
    ) -> AccessToken:
        """A token for this person and these scopes. Raises IdentityError."""

    async def forget(self, principal: Principal, connection: str) -> None:
        """Let go of the third party's token that is kept. Raises StoreUnavailable."""
