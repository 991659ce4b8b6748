"""Tickets of errands in memory; others may come first."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Set
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from oauth import SlackUser, StoredSecret
from oauth.errands.store import MongoErrandStore
from oauth.errors import StoreUnavailable

_T = TypeVar("_T", bound=Any)


def network_step(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """One call over a network."""

    @functools.wraps(method)
    async def step(self: MemoryErrandStore[Any], *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        before = self.first.pop(method.__name__, None)
        if before is not None:
            await before()
        if self.away:
            raise StoreUnavailable
        return await method(self, *args, **kwargs)

    return step


class MemoryErrandStore(Generic[_T]):
    """As `MongoErrandStore`. Between a method's first and last line nothing is awaited, so each is one atomic step.

    `first` names what another replica does in the moment before a method; `real` is how it is written down.
    """

    real: type[MongoErrandStore[Any]]

    def __init__(self) -> None:
        self.away = False
        self.first: dict[str, Callable[[], Awaitable[object]]] = {}
        self.kept: dict[str, _T] = {}

    @network_step
    async def ensure_indexes(self) -> None:
        pass

    @network_step
    async def ticket(self, slack: SlackUser, subject: str) -> _T | None:
        return self.kept.get(f"{slack.key}:{subject}")

    @network_step
    async def by_hash(self, value: str) -> _T | None:
        return next((one for one in self.kept.values() if one.hash == value), None)

    @network_step
    async def by_state(self, value: str) -> _T | None:
        return next((one for one in self.kept.values() if one.state_hash == value), None)

    @network_step
    async def advance(
        self,
        ticket: _T,
        stages: Set[Any],
        changes: Mapping[str, Any],
        *,
        match: Mapping[str, str | None] | None = None,
    ) -> _T | None:
        found = self.kept.get(ticket.key)
        if found is None or found.hash != ticket.hash or found.stage not in stages:
            return None
        if any(getattr(found, name) != value for name, value in (match or {}).items()):
            return None
        self.kept[ticket.key] = replace(found, **changes)
        return found

    async def secrets(self) -> AsyncIterator[StoredSecret]:
        for one in list(self.kept.values()):
            for secret in self.real.secrets_of(self.real.document_of(one)):
                yield secret

    @network_step
    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        _, key, path = secret.place
        found = self.kept.get(key)
        if found is None or getattr(found, path) != secret.sealed:
            return False
        self.kept[key] = replace(found, **{path: sealed})
        return True

    def dump(self) -> str:
        """Everything that it holds, as somebody would find it who stole it."""
        return repr([self.real.document_of(one) for one in self.kept.values()])

    async def left(self, sealed: str, since: datetime, until: datetime) -> AsyncIterator[_T]:
        """Tickets that are done, and still hold this."""
        for one in list(self.kept.values()):
            held = getattr(one, f"sealed_{sealed}") is not None
            if one.stage == "done" and held and since < one.expires_at <= until:
                yield one
