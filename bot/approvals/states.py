"""Pure decisions about a request; the store applies them atomically."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from bot.approvals.model import Approval, Copy, Part, State, Verdict, Vote
from bot.errors import (
    AlreadyDecided,
    ApprovalError,
    ApprovalExpired,
    ChangedSinceAsked,
    ConfirmationNeeded,
    NotYours,
    StepUpNeeded,
    TooLate,
)
from oauth import Evidence, Principal

STEP_UP = timedelta(minutes=5)
_SKEW = timedelta(minutes=1)
_REMIND = 0.75  # of the time to decide has gone by


@dataclass(frozen=True, slots=True)
class Decided:
    """The vote counts, and the request goes to this state."""

    vote: Vote
    state: State
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class StillPending:
    """The vote counts, and `missing` more are needed."""

    vote: Vote
    missing: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The vote does not count."""

    why: ApprovalError


Outcome = Decided | StillPending | Refused


def decide(
    request: Approval,
    verdict: Verdict,
    voter: Principal,
    now: datetime,
    *,
    seated: bool = False,
    evidence: Evidence | None = None,
) -> Outcome:
    """What a vote does. `voter` is who pressed the button, resolved to a live link just now.

    `seated` says that somebody else than the requester is among the approvers, as Slack knows them at this moment.
    `evidence` is how they have authenticated for this very vote.
    """
    if request.state is State.EXPIRED or (request.state is State.PENDING and now >= request.expires_at):
        return Refused(ApprovalExpired())
    if verdict not in {Verdict.APPROVE, Verdict.DENY} or not _may(request, voter, seated):
        return Refused(NotYours(own=request.policy.kind != "other"))
    if request.state is not State.PENDING:
        return Refused(AlreadyDecided(request.state.value))
    if not request.readable:
        return Refused(ChangedSinceAsked())
    vote = Vote(voter.slack, voter.sub, voter.version, verdict, now, evidence)
    if verdict is Verdict.DENY:
        return Decided(vote, State.DENIED)
    if any(voter.sub == former.sub or voter.slack.key == former.by.key for former in request.votes):
        return Refused(AlreadyDecided("voted"))
    if lacking := _lacking(request, voter, now, evidence):
        return Refused(lacking)
    missing = request.policy.quorum - request.agreed - 1
    if missing > 0:
        return StillPending(vote, missing)
    hold = request.policy.hold
    return Decided(vote, State.APPROVED, now + hold if hold else None)


def take_back(request: Approval, voter: Principal, now: datetime) -> Decided | Refused:
    """Withdraw what waits, which only the requester may; or undo what is held, which whoever agreed may, too."""
    asked_it = voter.slack.key == request.requester.key and voter.sub == request.sub
    agreed = any((voter.slack.key, voter.sub) == (vote.by.key, vote.sub) for vote in request.votes)
    if not asked_it and not (agreed and request.state is not State.PENDING):
        return Refused(NotYours())
    if request.state is State.PENDING:
        return Decided(Vote(voter.slack, voter.sub, voter.version, Verdict.WITHDRAW, now), State.CANCELLED)
    if request.state is State.APPROVED and request.not_before is not None:
        return Decided(Vote(voter.slack, voter.sub, voter.version, Verdict.UNDO, now), State.CANCELLED)
    return Refused(TooLate(request.state.value))


def agreed(request: Approval) -> bool:
    """Whether enough people have agreed, counted anew: the last look before anything runs."""
    votes = [vote for vote in request.votes if vote.verdict is Verdict.APPROVE]
    if request.policy.step_up and not all(stepped_up(vote.evidence, vote.at) for vote in votes):
        return False
    if request.policy.kind == "ciba" and any(vote.evidence is None for vote in votes):
        return False
    own = [(vote.by.key, vote.sub) == (request.requester.key, request.sub) for vote in votes]
    if request.policy.kind == "other":
        people = {vote.sub for vote in votes}, {vote.by.key for vote in votes}
        return not any(own) and min(map(len, people)) >= request.policy.quorum
    return bool(own) and all(own)


def _may(request: Approval, voter: Principal, seated: bool) -> bool:
    """Whether they are among those who decide.

    The requester is the same Slack person and the same identity: somebody who has linked another account since is not
    who asked, and somebody who asks from one account may not agree from another.
    """
    same_person, same_identity = voter.slack.key == request.requester.key, voter.sub == request.sub
    if request.policy.kind == "other":
        same_place = voter.slack.workspace == request.requester.workspace
        return seated and same_place and not same_person and not same_identity
    return same_person and same_identity


def _lacking(request: Approval, voter: Principal, now: datetime, evidence: Evidence | None) -> ApprovalError | None:
    """What has to come first before they may agree."""
    policy = request.policy
    if policy.kind == "ciba" and evidence is None:
        return NotYours()  # it is asked on their device, and no button in Slack answers for that
    if policy.confirm is not None and voter.slack.key not in request.confirmed:
        return ConfirmationNeeded(policy.confirm)
    if policy.step_up and not stepped_up(evidence, now):
        return StepUpNeeded()
    return None


def stepped_up(evidence: Evidence | None, now: datetime) -> bool:
    """Whether somebody has authenticated in the last five minutes, with more than one factor (RFC 8176, `mfa`)."""
    if evidence is None or "mfa" not in evidence.amr:
        return False
    age = now.timestamp() - evidence.auth_time
    return -_SKEW.total_seconds() <= age <= STEP_UP.total_seconds()


class Step(Enum):
    """What the periodic round has to do about a request."""

    DISCARD = auto()
    EXPIRE = auto()
    RECORD = auto()
    TOO_LATE = auto()
    RESUME = auto()
    LEFT_BEHIND = auto()
    POLL = auto()
    REMIND = auto()
    SPEAK = auto()
    REST = auto()


OPEN = frozenset({State.PENDING, State.APPROVED})
OWING = frozenset({State.APPROVED, State.DENIED, State.EXPIRED, State.CANCELLED, State.UNKNOWN})


def due(request: Approval, lease_until: datetime | None, now: datetime) -> Step:
    """The next step. `lease_until` is how long the executing process may be thought alive."""
    if request.state in OPEN and not request.readable:
        return Step.DISCARD
    if request.state is State.PENDING and now >= request.expires_at:
        return Step.EXPIRE
    if not request.audited and (request.state in OWING or request.votes):
        return Step.RECORD
    if request.state is State.APPROVED:
        if request.not_before is not None and now < request.not_before:
            return Step.SPEAK if unsaid(request) else Step.REST
        return Step.TOO_LATE if _stale(request, now) else Step.RESUME
    if request.state is State.EXECUTING and _over(lease_until, now):
        return Step.LEFT_BEHIND
    if request.state is State.PENDING and request.asked is not None and _over(request.poll_at, now):
        return Step.POLL
    if request.state is State.PENDING and not request.reminded and now >= remind_at(request):
        return Step.REMIND
    return Step.SPEAK if unsaid(request) else Step.REST


def remind_at(request: Approval) -> datetime:
    """When those who have not voted are reminded."""
    return request.created_at + (request.expires_at - request.created_at) * _REMIND


def due_at(request: Approval, now: datetime) -> datetime | None:
    """When the round has to look at a request of which everything is said and on record; None for never again."""
    if request.state is State.PENDING:
        soonest = request.expires_at if request.reminded else remind_at(request)
        return soonest if request.asked is None else min(soonest, request.poll_at or now)
    if request.state is State.APPROVED and request.not_before is not None:
        return request.not_before
    return None if request.state.final else now


def behind(request: Approval, copy: Copy) -> bool:
    """Whether a copy of the card does not show yet how it stands."""
    return not copy.posted or copy.shown != request.revision


def unsaid(request: Approval) -> bool:
    """Whether people do not see yet how it stands."""
    return any(behind(request, copy) for copy in request.copies) or (request.state.final and not request.told)


def copies_for(request: Approval, asked: tuple[str, ...]) -> tuple[Copy, ...]:
    """The copies of a new request's card; `asked` are the users that it is to be sent to.

    Who asks oneself has one card; otherwise the requester has a copy of their own, to see how it stands and withdraw.
    """
    own = Copy(Part.REQUESTER, request.requester.user)
    match request.policy.kind:
        case "self":
            return (Copy(Part.APPROVER, request.requester.user),)
        case "ciba":
            return (own,)
    if request.policy.channel is not None:
        return (Copy(Part.CHANNEL, request.policy.channel), own)
    return (*(Copy(Part.APPROVER, user) for user in asked), own)


def _over(at: datetime | None, now: datetime) -> bool:
    return at is None or at <= now


def _stale(request: Approval, now: datetime) -> bool:
    # Agreed to before a long outage: as much time as there was to decide has gone by since the decision, and what
    # was right to do then may be wrong now.
    agreed = request.not_before or (request.last.at if request.last else request.created_at)
    return now >= agreed + (request.expires_at - request.created_at)
