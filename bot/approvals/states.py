"""Pure decisions about a request; the store applies them atomically."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from bot.approvals.model import Approval, State, Verdict
from bot.errors import AlreadyDecided, ApprovalError, ApprovalExpired, ChangedSinceAsked, NotYours
from oauth import Principal


@dataclass(frozen=True, slots=True)
class Decided:
    """The request goes to this state."""

    state: State


@dataclass(frozen=True, slots=True)
class Refused:
    """The vote does not count."""

    why: ApprovalError


def decide(request: Approval, verdict: Verdict, voter: Principal, now: datetime) -> Decided | Refused:
    """What a vote does. `voter` is who pressed the button, resolved to a live link just now."""
    if request.state is State.EXPIRED or (request.state is State.PENDING and now >= request.expires_at):
        return Refused(ApprovalExpired())
    # Same Slack person and same identity: somebody who has linked another account since is not who asked.
    if voter.slack.key != request.requester.key or voter.sub != request.sub:
        return Refused(NotYours())
    if request.state is not State.PENDING:
        return Refused(AlreadyDecided(request.state.value))
    if not request.readable:
        return Refused(ChangedSinceAsked())
    return Decided(State.APPROVED if verdict is Verdict.APPROVE else State.DENIED)


class Step(Enum):
    """What the periodic round has to do about a request."""

    DISCARD = auto()
    EXPIRE = auto()
    RECORD = auto()
    TOO_LATE = auto()
    RESUME = auto()
    LEFT_BEHIND = auto()
    SPEAK = auto()
    REST = auto()


OPEN = frozenset({State.PENDING, State.APPROVED})
_OWING = frozenset({State.APPROVED, State.DENIED, State.EXPIRED, State.CANCELLED, State.UNKNOWN})


def due(request: Approval, lease_until: datetime | None, now: datetime) -> Step:
    """The next step. `lease_until` is how long the executing process may be thought alive."""
    if request.state in OPEN and not request.readable:
        return Step.DISCARD
    if request.state is State.PENDING and now >= request.expires_at:
        return Step.EXPIRE
    if request.state in _OWING and not request.audited:
        return Step.RECORD
    if request.state is State.APPROVED:
        return Step.TOO_LATE if _stale(request, now) else Step.RESUME
    if request.state is State.EXECUTING and (lease_until is None or lease_until <= now):
        return Step.LEFT_BEHIND
    return Step.SPEAK if unsaid(request) else Step.REST


def unsaid(request: Approval) -> bool:
    """Whether people do not see yet how it stands."""
    shown = request.card is not None and request.card.shown == request.revision
    return not shown or request.state.final


def _stale(request: Approval, now: datetime) -> bool:
    # Agreed to before a long outage: as much time as there was to decide has gone by since the decision, and what
    # was right to do then may be wrong now.
    agreed = request.decided_at or request.created_at
    return now >= agreed + (request.expires_at - request.created_at)
