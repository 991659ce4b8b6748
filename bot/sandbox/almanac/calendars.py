"""What Almanac remembers, in `almanac.json`: events, the journal, grants, and what idempotency keys stand for."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot.sandbox.slack import storage

from .grants import Grants
from .model import Call, Event, opening_events

_MOST = 1_000


class Calendars:
    """Changes happen in its methods without awaiting; they are written soon after."""

    def __init__(self, path: Path, grants: Grants) -> None:
        self.grants = grants
        self.events: dict[str, Event] = {}
        self.journal: deque[Call] = deque(maxlen=_MOST)
        self.done: dict[str, str] = {}
        self.keeper = storage.Keeper(path, self._snapshot)
        self._open()
        try:
            self._restore(storage.load(path))
        except (AttributeError, KeyError, TypeError, ValueError):
            storage.put_aside(path)
            self._open()

    def of(self, account: str) -> list[Event]:
        """An account's events, the soonest first."""
        theirs = [event for event in self.events.values() if event.account == account]
        return sorted(theirs, key=lambda event: (event.date, event.time, event.id))

    def add(self, *, account: str, title: str, date: str, time: str, token: str) -> Event:
        """A new event, and which token wrote it."""
        name = f"E-{101 + len(self.events)}"
        self.events[name] = Event(name, account, title, date, time, token)
        self.keeper.mark()
        return self.events[name]

    def note(self, call: Call) -> None:
        """Write into the journal."""
        self.journal.append(call)
        self.keeper.mark()

    def remember(self, key: str, event: Event) -> None:
        """What the next request with the same key is to be answered with."""
        self.done[key] = event.id
        for old in list(self.done)[:-_MOST]:
            del self.done[old]
        self.keeper.mark()

    def _open(self) -> None:
        self.events = {event.id: event for event in opening_events()}
        self.journal.clear()
        self.done.clear()

    def _snapshot(self) -> dict[str, Any]:
        return {
            "events": [asdict(event) for event in self.events.values()],
            "journal": [asdict(call) for call in self.journal],
            "done": self.done,
            **self.grants.snapshot(),
        }

    def _restore(self, kept: dict[str, Any] | None) -> None:
        if kept is None:
            return
        self.grants.restore(kept)
        self.events = {fields["id"]: Event(**fields) for fields in kept["events"]}
        self.journal.extend(Call(**fields | {"scopes": tuple(fields["scopes"])}) for fields in kept["journal"])
        self.done = dict(kept["done"])
