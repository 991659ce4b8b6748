"""What a replica of the benchmark works with."""

from __future__ import annotations

from dataclasses import dataclass

from bot.database import Database
from oauth import AccessToken, IdentityRooms, Principal
from tests.bench import people
from tests.bench.naive import NaiveClient
from tests.faults.replica import Given
from tests.faults.standing import Standing


@dataclass(frozen=True, slots=True)
class Worker:
    """The rooms on the real store and the real trail, and what a user would have written in their place."""

    given: Given
    standing: Standing

    @property
    def rooms(self) -> IdentityRooms:
        """Those of the product."""
        return self.standing.rooms

    @property
    def database(self) -> Database:
        """The replica's own connections."""
        return self.standing.database

    @property
    def naive(self) -> NaiveClient:
        """For comparison."""
        return NaiveClient(self.database, self.given)

    def who(self, number: int) -> Principal:
        """The person of this number."""
        return people.principal(number, self.given.issuer)

    async def token(self, who: Principal) -> AccessToken:
        """What is measured."""
        return await self.rooms.broker.token(who, people.READ, people.AUDIENCE)
