"""What an action says of work that lasts: in which step it is, and how far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, Protocol

from oauth import AccessToken

_MOST_STEPS = 30
_NAME = 150
_TEXT = 200


class StepState(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    FAILED = "failed"


Stepped = Literal["pending", "in_progress", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Step:
    """One of the things that there are to do."""

    name: str
    state: StepState = StepState.PENDING


@dataclass(frozen=True, slots=True)
class Progress:
    """All that is known: `text` and `part` are of what is being done now, `part` is 0 to 1."""

    text: str | None = None
    part: float | None = None
    steps: tuple[Step, ...] = ()

    @property
    def fraction(self) -> float | None:
        """How much of all is done, 0 to 1: the steps that are over and the part of the present one; None if unknown."""
        if not self.steps:
            return self.part
        over = sum(step.state in {StepState.DONE, StepState.FAILED} for step in self.steps)
        going_on = any(step.state is StepState.IN_PROGRESS for step in self.steps)
        return min(1.0, (over + (self.part or 0.0) * going_on) / len(self.steps))

    def said(
        self, text: str | None, done: float | None = None, of: float | None = None, fraction: float | None = None
    ) -> Progress:
        """With what is being done now, and how far that is. What makes no sense is passed over."""
        shown, part = _short(text, _TEXT) if text is not None else self.text, _number(fraction)
        have, want = _number(done), _number(of)
        if have is not None and want is not None and want > 0:
            part = have / want
            shown = f"{_short(text, _TEXT)} ({have:g} of {want:g})" if text else f"{have:g} of {want:g}"
        return replace(self, text=shown, part=self.part if part is None else min(1.0, max(0.0, part)))

    def planned(self, names: Sequence[str]) -> Progress:
        """With these steps, none of them begun. More than thirty are not shown one by one."""
        steps = tuple(Step(_short(name, _NAME)) for name in dict.fromkeys(map(str, names)))
        return Progress(steps=steps[:_MOST_STEPS])

    def stepped(self, name: str, state: StepState = StepState.IN_PROGRESS) -> Progress:
        """With this step in that state; one that begins ends those before it. An unknown name is one more step."""
        name = _short(name, _NAME)
        steps = self.steps if any(one.name == name for one in self.steps) else (*self.steps, Step(name))
        begins = state is StepState.IN_PROGRESS
        moved = tuple(
            replace(one, state=state)
            if one.name == name
            else replace(one, state=StepState.DONE)
            if begins and one.state is StepState.IN_PROGRESS
            else one
            for one in steps
        )
        return Progress(steps=moved[:_MOST_STEPS])

    def ended(self, *, ok: bool) -> Progress:
        """When the work is over: what went on then is done, or it is where it failed."""
        state = StepState.DONE if ok else StepState.FAILED
        steps = (replace(one, state=state) if one.state is StepState.IN_PROGRESS else one for one in self.steps)
        return replace(self, steps=tuple(steps))

    def without(self, secrets: Sequence[str]) -> Progress:
        """Without tokens, should the action have said one."""

        def clean(text: str) -> str:
            for secret in filter(None, secrets):
                text = text.replace(secret, "[token]")
            return text

        return Progress(
            text=clean(self.text) if self.text is not None else None,
            part=self.part,
            steps=tuple(replace(one, name=clean(one.name)) for one in self.steps),
        )


class Work(Protocol):
    """The work that one call is, as the action that does it sees it."""

    def show(self, progress: Progress) -> None:
        """People see this soon. Never raises, and waits for nobody."""

    @property
    def progress(self) -> Progress:
        """What was shown last."""

    async def fresh_token(self) -> AccessToken:
        """A token that is good now. Raises IdentityError or AuditUnavailable."""


def _number(value: float | None) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _short(text: object, most: int) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
