"""A service has taken a call and works on it: 202 with `Location` and `Retry-After` (RFC 9110, sections 15.3.3 and
10.2.3). It is asked how far it is until it says what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

MOST = 30.0  # seconds between two questions, whatever the service says
LOST = "The service has taken it, and does not say what came of it. Look there before you ask again."
_LATER = {202, 429, 503}


@dataclass(frozen=True, slots=True)
class Accepted:
    """Where it says how far it is, and when it wants to be asked, in seconds."""

    monitor: URL
    after: float


def accepted(answer: aiohttp.ClientResponse, before: Accepted | None = None) -> Accepted | None:
    """What the service wants; None where it does not ask for patience, or names another origin than its own.

    `before` is what it wanted last, which stands where it says nothing new.
    """
    if answer.status not in ({202} if before is None else _LATER):
        return None
    place, after = answer.headers.get("Location"), answer.headers.get("Retry-After")
    if before is None and (place is None or after is None):
        return None
    monitor = before.monitor if before is not None else None
    if place is not None:
        monitor = same_origin(answer, place)
    if monitor is None:
        return None
    seconds = float(after) if after is not None and after.isascii() and after.isdigit() else 5.0  # else it is a date
    return Accepted(monitor, min(MOST, max(1.0, seconds)))


def same_origin(answer: aiohttp.ClientResponse, place: str) -> URL | None:
    """The address that is meant, if the token may go there (RFC 6454)."""
    try:
        target = answer.url.join(URL(place, encoded=True))
        same = target.origin() == answer.url.origin() and target.user is None
    except ValueError:
        return None
    return target if same else None


def share(text: str) -> float | None:
    """How far it says it is, 0 to 1: `percentComplete` of a JSON object, as many APIs call it."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    percent = found.get("percentComplete") if isinstance(found, dict) else None
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        return None
    return percent / 100
