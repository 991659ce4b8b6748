"""How often somebody has done something, and with which amounts; and what of a new request stands out."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

MOST = 20  # amounts that are remembered of each argument
_ENOUGH = 3  # of them, before one can be out of the ordinary
_FAR = 3.0

Amounts = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class History:
    """How often a person has carried out an action, and the latest amounts of each argument that is a number."""

    times: int = 0
    amounts: Amounts = field(default_factory=dict, repr=False)

    def with_one_more(self, arguments: Mapping[str, Any]) -> History:
        """After it was carried out once more."""
        kept = dict(self.amounts)
        for name, value in amounts(arguments):
            kept[name] = (*kept.get(name, ()), value)[-MOST:]
        return History(self.times + 1, kept)


class HistoryStore(Protocol):
    """Keeps them, by workspace, identity and action."""

    async def get(self, workspace: str, sub: str, action: str) -> History:
        """What is known; an empty history where nothing is, or where it does not open."""

    async def put(self, workspace: str, sub: str, action: str, history: History) -> None:
        """What is known now. Of two at the same moment one may be lost: it is a hint, and no record."""


def amounts(arguments: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The arguments that are numbers."""
    for name, value in arguments.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)


def unusual(history: History, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands out, a sentence each: the first time, and amounts of three times the largest or more."""
    if history.times == 0:
        return ("It is the first time that this person asks for this.",)
    found = []
    for name, value in amounts(arguments):
        former = history.amounts.get(name, ())
        if len(former) >= _ENOUGH and value > 0 and value >= _FAR * max(former):
            found.append(
                f"{name} is {_shown(value)}: far more than usual. "
                f"So far {_shown(statistics.median(former))} in the middle, {_shown(max(former))} at most."
            )
    return tuple(found)


def _shown(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:g}"
