"""A run that lasts, as all replicas know it, and what people see of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.actions.progress import Progress
from bot.approvals.model import Approval
from oauth import Principal, SlackUser

STOPPED = "stopped"
UNLINKED = "not_linked"
BLIND = "store_unavailable"
INTERRUPTED = "interrupted"


class Outcome(StrEnum):
    """How it ended, in the words of the audit trail."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody under the identity that they had then."""

    slack: SlackUser
    sub: str


@dataclass(frozen=True, slots=True)
class Running:
    """One execution: `run` is its `Idempotency-Key`, `agreed` are those who have agreed to it, who may stop it, too."""

    run: str
    requester: SlackUser
    sub: str
    link_version: str
    action: str
    started_at: datetime
    approval: str | None = None
    agreed: tuple[Person, ...] = ()
    org: str | None = None

    @classmethod
    def of(cls, principal: Principal, action: str, run: str, approval: Approval | None, now: datetime) -> Running:
        """For this person, who is linked as that shows."""
        others = [vote for vote in approval.votes if vote.by.key != principal.slack.key] if approval else []
        return cls(
            run=run,
            requester=principal.slack,
            sub=principal.sub,
            link_version=principal.version,
            action=action,
            started_at=now,
            approval=approval.id if approval else None,
            agreed=tuple(Person(vote.by, vote.sub) for vote in others),
            org=principal.identity.org,
        )

    def may_stop(self, who: Principal) -> bool:
        """Whoever asked for it or agreed to it, as the same person and the same identity as then."""
        known = {(self.requester.key, self.sub), *((one.slack.key, one.sub) for one in self.agreed)}
        return (who.slack.key, who.sub) in known


@dataclass(frozen=True, slots=True)
class Stop:
    """Why it has to end before its time: a stable word, and by whom where somebody said so."""

    reason: str
    by: Person | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in Slack a message is."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run at rest. `outcome` is None while it goes on; `told` says that people see how it ended."""

    running: Running
    stop: Stop | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    place: Place | None = None
    told: bool = False
    due_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class View:
    """What there is to see of a run at one moment."""

    progress: Progress = field(default_factory=Progress)
    stop: Stop | None = None
    outcome: Outcome | None = None
    reason: str | None = None
