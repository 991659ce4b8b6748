"""The provider's token endpoint as a test wants it, and what it was asked; `token_endpoint.mjs` does as it is told."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.foreign import rig
from tests.foreign.client import claims

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Beside the endpoint's own address, which only clients use."""

    issuer: str

    async def asked(self, sub: str | None = None, endpoint: str = "token") -> list[Entry]:
        """What it was asked: `sub`, `token` (the refresh token), `scope`, `audience`, `authentication`, `status`."""
        found: list[Entry] = await rig.got(f"{self.issuer}/rig/asked")
        return [each for each in found if each["endpoint"] == endpoint and sub in (None, each.get("sub"))]

    async def refreshes(self, sub: str, after: int = 0) -> list[Entry]:
        """Every attempt to refresh a person's token, less the first `after`."""
        return [each for each in await self.asked(sub) if each["grant_type"] == "refresh_token"][after:]

    async def gives_for(self, seconds: int) -> None:
        """From now on access tokens live so long."""
        await self._becomes(lifetime=seconds)

    async def forgives(self, sub: str, seconds: float) -> None:
        """A spent refresh token of this person is taken again for so long (Auth0: "Rotation Overlap Period")."""
        await self._becomes(overlap={sub: seconds})

    async def holds(self, held: bool) -> None:
        """Whether it does what it is told and keeps the answers to refreshes back, until it is told otherwise."""
        await self._becomes(held=held)

    async def loses(self, answers: int) -> None:
        """It does what it is told for so many refreshes, and breaks the connection instead of answering."""
        await self._becomes(lost=answers)

    async def fails(self, status: int, retry_after: int | None = None) -> None:
        """From now on it answers every call with this status, and does nothing."""
        await self._becomes(outage=status, retry_after=retry_after)

    async def works(self) -> None:
        """It answers everything again, what it holds too, and forgives nobody."""
        await self._becomes(outage=None, retry_after=None, held=False, lost=0, overlap={})

    async def spent(self, sub: str, after: int = 0) -> None:
        """Wait until it has given an answer to a refresh of this person's token, heard or not."""

        async def once() -> bool:
            return bool(await self.refreshes(sub, after))

        await rig.until(once)

    async def _becomes(self, **mood: Any) -> None:
        url, form = f"{self.issuer}/rig/mood", {"to": json.dumps(mood)}
        async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
            assert answer.status == 200


async def over(*access_tokens: str) -> None:
    """Wait until all of these are over, also for whoever counts from their arrival: a JWT knows whole seconds only."""
    await reached(max(claims(token)["exp"] for token in access_tokens) + 0.5)


async def reached(moment: float) -> None:
    """Wait until the clock that this machine's processes share says so (seconds since 1970)."""

    async def now() -> bool:
        return time.time() >= moment

    await rig.until(now)
