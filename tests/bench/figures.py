"""A figure, its goal, and the line that says both."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done for each figure. `delay` is the provider's, in seconds."""

    blocks: int = 60
    links: int = 1_000_000
    herd: int = 5_000
    window: int = 4
    delay: float = 0.1
    rounds: int = 1_000
    naive_rounds: int = 50
    unlinks: int = 50
    kills: int = 500
    clicks: int = 400
    pending: int = 10_000
    races: int = 10_000
    crashes: int = 1_000


QUICK = Sizes(
    blocks=8,
    links=20_000,
    herd=200,
    rounds=20,
    naive_rounds=3,
    unlinks=4,
    kills=10,
    clicks=100,
    pending=500,
    races=60,
    crashes=12,
)


@dataclass(frozen=True, slots=True)
class Bound:
    """What must be: at most `most`, or exactly `exactly`. With neither, the figure is reported only."""

    value: float
    most: float | None = None
    exactly: float | None = None

    @property
    def goal(self) -> str | None:
        """In words that a reader and a program understand."""
        if self.most is not None:
            return f"<= {self.most:g}"
        return f"= {self.exactly:g}" if self.exactly is not None else None

    @property
    def met(self) -> bool | None:
        """None where nothing was to be met."""
        if self.most is not None:
            return self.value <= self.most
        return self.value == self.exactly if self.exactly is not None else None


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure. `against` is what it was compared with in the same run, `also` what must be true beside it."""

    name: str
    bound: Bound
    unit: str
    against: str
    also: Mapping[str, Bound] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether all of it is; None where nothing was to be met."""
        asked = [bound.met for bound in (self.bound, *self.also.values()) if bound.met is not None]
        return all(asked) if asked else None

    def line(self) -> str:
        """As JSON."""
        return json.dumps(
            {
                "figure": self.name,
                "value": rounded(self.bound.value),
                "unit": self.unit,
                "goal": self.bound.goal,
                "met": self.met,
                "against": self.against,
                **{name: {"value": rounded(bound.value), "goal": bound.goal} for name, bound in self.also.items()},
                **{name: rounded(value) for name, value in self.detail.items()},
                "load": [round(load, 2) for load in os.getloadavg()],
            }
        )


def rounded(value: Any) -> Any:
    """Four digits are more than any of these figures can bear."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {name: rounded(one) for name, one in value.items()}
    return value


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Median and tail of what was measured."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"median_ms": cuts[49] * 1000, "p95_ms": cuts[94] * 1000, "p99_ms": cuts[98] * 1000}


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """How far single measurements were apart."""
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return {"lower": lower, "median": middle, "upper": upper}
