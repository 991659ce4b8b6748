"""Accounts, what is in their calendars, and the journal of who asked what of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

READ, WRITE = SCOPES = ("events:read", "events:write")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody with a calendar here, whatever they are called elsewhere. `id` is what Almanac's API says of them."""

    id: str
    name: str
    email: str

    @property
    def initials(self) -> str:
        """For the round mark beside the name."""
        return "".join(word[0] for word in self.name.split()[:2]).upper()


ACCOUNTS = (
    Account("ada", "Ada Lindqvist", "ada@almanac.example"),
    Account("bob", "Bob Okafor", "bob@almanac.example"),
    Account("carol", "Carol Reyes", "carol@almanac.example"),
    Account("dan", "Dan Whitfield", "dan@almanac.example"),
    Account("mallory", "Mallory Vance", "mallory@almanac.example"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of a calendar: `date` as 2026-11-30, `time` as 09:30. `token` names what wrote it, None is by hand."""

    id: str
    account: str
    title: str
    date: str
    time: str
    token: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {name: value for name, value in asdict(self).items() if name != "token"}


@dataclass(frozen=True, slots=True)
class Call:
    """A line of the journal. `account`, `scopes` and `token`, its name, only from tokens that were Almanac's own."""

    account: str | None
    method: str
    path: str
    scopes: tuple[str, ...]
    token: str | None
    status: int
    at: str


def opening_events() -> list[Event]:
    """What was in the calendars before anybody connected them to anything."""
    return [
        Event("E-101", "ada", "Budget review", "2026-11-30", "09:30"),
        Event("E-102", "ada", "Dentist", "2026-12-02", "16:00"),
        Event("E-103", "bob", "Stocktaking", "2026-12-01", "08:00"),
        Event("E-104", "carol", "Interview, back office", "2026-12-03", "11:00"),
        Event("E-105", "mallory", "Flight to Lisbon", "2026-12-04", "06:45"),
    ]
