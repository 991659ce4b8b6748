"""What keeps the tickets; each change is one atomic step that names where it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Set
from datetime import datetime
from typing import Protocol

from oauth.models import SlackUser
from oauth.ports import SealedStore
from oauth.step_up.model import Stage, StepUpTicket


class StepUpStore(SealedStore, Protocol):
    """Every method raises StoreUnavailable where the store cannot be reached."""

    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""

    async def put(self, ticket: StepUpTicket, *, since: datetime) -> bool:
        """Make it the person's only ticket for its subject; False where one is there that was made after `since` for
        the same link of theirs, and that nobody has opened.
        """

    async def ticket(self, slack: SlackUser, subject: str) -> StepUpTicket | None:
        """The person's ticket for a subject, live or not."""

    async def by_hash(self, value: str) -> StepUpTicket | None:
        """The ticket whose hash this is."""

    async def by_state(self, value: str) -> StepUpTicket | None:
        """The ticket whose login was begun with this state."""

    async def advance(
        self,
        ticket: StepUpTicket,
        stages: Set[Stage],
        changes: Mapping[str, object],
        *,
        match: Mapping[str, str | None] | None = None,
    ) -> StepUpTicket | None:
        """Apply `changes` if this very ticket is in one of `stages` and matches; returns it as it was before.

        Both mappings are by the names of the fields of StepUpTicket.
        """

    def untaken(self, since: datetime, until: datetime) -> AsyncIterator[StepUpTicket]:
        """Tickets that are done, end after `since` and by `until`, and still hold their evidence."""
