"""Pure decisions about a request; the store applies them atomically."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.approvals.model import Approval, State, Verdict
from bot.errors import AlreadyDecided, ApprovalError, ApprovalExpired, NotYours
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
    return Decided(State.APPROVED if verdict is Verdict.APPROVE else State.DENIED)
