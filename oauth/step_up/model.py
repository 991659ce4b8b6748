"""Single-use tickets for authenticating once more, and the steps that a browser takes with one.

One record per person and decision, so that the newest ticket is the only one. As with login links, the ticket itself
exists in the DM alone; the database holds its hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from oauth.models import Evidence, LinkVersion, Principal, SlackUser, Subject
from oauth.verify import LEEWAY

LIFETIME = timedelta(minutes=5)
FRESH = timedelta(minutes=5)


class Stage(StrEnum):
    """How far a ticket has come: at the provider's login (`started`), back from it, done."""

    OPEN = "open"
    STARTED = "started"
    RETURNED = "returned"
    DONE = "done"
    VOID = "void"


OPEN_STAGES = frozenset({Stage.OPEN, Stage.STARTED, Stage.RETURNED})


@dataclass(frozen=True, slots=True)
class StepUpTicket:
    """A stored ticket. All hashes are hex SHA-256 of 256 random bits; `sealed_*` open only for this record.

    It is good for one person, by `sub` and by the one link that `link_version` names, and for one `subject`: what is
    decided, in words that only whoever made it reads. `about` is what the page says of that.
    """

    slack: SlackUser
    sub: Subject
    link_version: LinkVersion
    subject: str
    about: str
    hash: str = field(repr=False)
    stage: Stage
    created_at: datetime
    expires_at: datetime
    browser_hash: str | None = field(default=None, repr=False)
    state_hash: str | None = field(default=None, repr=False)
    sealed_login: str | None = field(default=None, repr=False)
    sealed_evidence: str | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """`WORKSPACE:USER:SUBJECT`, the primary key."""
        return f"{self.slack.key}:{self.subject}"

    @property
    def record(self) -> str:
        """The name that this ticket's secrets are sealed for."""
        return f"step-up:{self.key}"

    def opens(self, now: datetime) -> bool:
        """Whether its link leads to a login, whatever an index has or has not removed by now."""
        return now < self.created_at + LIFETIME and self.stage in OPEN_STAGES

    def awaited(self, now: datetime) -> bool:
        """Whether a login that was begun may still come back: that takes time of its own."""
        return now < self.expires_at and self.stage is Stage.STARTED


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser brings back from the provider (RFC 6749 section 4.1.2)."""

    state: str = field(repr=False)
    browser: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    error: str | None = None
    iss: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A ticket, and the live link of an identity that it is for."""

    ticket: StepUpTicket
    principal: Principal


def fresh(evidence: Evidence, now: datetime) -> bool:
    """Whether somebody has authenticated in the last five minutes, and not in the future."""
    return -LEEWAY <= now.timestamp() - evidence.auth_time <= FRESH.total_seconds()
