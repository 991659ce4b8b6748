"""Tickets for authenticating once more in memory, under the promises of `StepUpStore`; others may come first."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

from oauth import SlackUser, StoredSecret
from oauth.errors import StoreUnavailable
from oauth.step_up.model import Stage, StepUpTicket
from oauth.step_up.store import document_of, secrets_of


def _step(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """One call over a network."""

    @functools.wraps(method)
    async def step(self: MemoryStepUpStore, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        before = self.first.pop(method.__name__, None)
        if before is not None:
            await before()
        if self.away:
            raise StoreUnavailable
        return await method(self, *args, **kwargs)

    return step


class MemoryStepUpStore:
    """As `MongoStepUpStore`. Between a method's first and last line nothing is awaited, so each is one atomic step.

    `first` names what another replica does in the moment before a method.
    """

    def __init__(self) -> None:
        self.away = False
        self.first: dict[str, Callable[[], Awaitable[object]]] = {}
        self.kept: dict[str, StepUpTicket] = {}

    @_step
    async def ensure_indexes(self) -> None:
        pass

    @_step
    async def put(self, ticket: StepUpTicket, *, since: datetime) -> bool:
        former = self.kept.get(ticket.key)
        if (
            former is not None
            and former.created_at > since
            and former.stage is Stage.OPEN
            and former.link_version == ticket.link_version
        ):
            return False
        self.kept[ticket.key] = ticket
        return True

    @_step
    async def ticket(self, slack: SlackUser, subject: str) -> StepUpTicket | None:
        return self.kept.get(f"{slack.key}:{subject}")

    @_step
    async def by_hash(self, value: str) -> StepUpTicket | None:
        return next((one for one in self.kept.values() if one.hash == value), None)

    @_step
    async def by_state(self, value: str) -> StepUpTicket | None:
        return next((one for one in self.kept.values() if one.state_hash == value), None)

    @_step
    async def advance(
        self,
        ticket: StepUpTicket,
        stages: Set[Stage],
        changes: Mapping[str, Any],
        *,
        match: Mapping[str, str | None] | None = None,
    ) -> StepUpTicket | None:
        found = self.kept.get(ticket.key)
        if found is None or found.hash != ticket.hash or found.stage not in stages:
            return None
        if any(getattr(found, name) != value for name, value in (match or {}).items()):
            return None
        self.kept[ticket.key] = replace(found, **changes)
        return found

    async def untaken(self, since: datetime, until: datetime) -> AsyncIterator[StepUpTicket]:
        for one in list(self.kept.values()):
            if one.stage is Stage.DONE and one.sealed_evidence is not None and since < one.expires_at <= until:
                yield one

    async def secrets(self) -> AsyncIterator[StoredSecret]:
        for one in list(self.kept.values()):
            for secret in secrets_of(document_of(one)):
                yield secret

    @_step
    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        _, key, path = secret.place
        found = self.kept.get(key)
        if found is None or getattr(found, path) != secret.sealed:
            return False
        self.kept[key] = replace(found, **{path: sealed})  # type: ignore[arg-type]
        return True

    def dump(self) -> str:
        """Everything that it holds, as somebody would find it who stole it."""
        return repr([document_of(one) for one in self.kept.values()])
