"""What the bot needs of the identity rooms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from oauth import AccessToken, LinkVersion, Principal, SlackUser


class Tokens(Protocol):
    """Where tokens come from."""

    async def token(
        self, principal: Principal, scopes: frozenset[str], audience: str, fresh_for: float = 0.0
    ) -> AccessToken:
        """A token for this person and these scopes. Raises IdentityError."""

    async def connected(
        self, principal: Principal, connection: str, scopes: frozenset[str], fresh_for: float = 0.0
    ) -> AccessToken:
        """A third party's token of the person's account there. Raises AccountNotConnected or another IdentityError."""


class People(Protocol):
    """Who is linked."""

    async def principal(self, slack: SlackUser) -> Principal | None:
        """The live link of a person."""

    async def ended(self, since: datetime) -> list[tuple[SlackUser, LinkVersion]]:
        """Whose links have ended since then, and which they were; a thousand at most."""

    async def versions(self, people: Iterable[SlackUser]) -> dict[str, LinkVersion]:
        """The versions of those links that live, by `SlackUser.key`."""
