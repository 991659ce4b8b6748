"""A request for approval as it is kept, and the states it goes through.

pending ─┬─ approved ── executing ─┬─ done
         ├─ denied                 ├─ failed
         ├─ expired                ├─ unknown
         └─ cancelled              └─ cancelled   (refused at the last look, before any call)

While more votes are needed it stays pending. An approved request can be cancelled too, until it executes; with a
`hold` it waits that long for somebody to undo it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.actions.policy import Policy
from oauth import Evidence, SlackUser


class State(StrEnum):
    """Where a request stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    EXECUTING = "executing"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        """Whether nothing can follow."""
        return self not in {State.PENDING, State.APPROVED, State.EXECUTING}


class Verdict(StrEnum):
    """What somebody says: an approver, or the requester who takes it back; undone is what was agreed to already."""

    APPROVE = "approve"
    DENY = "deny"
    WITHDRAW = "withdraw"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in Slack a request came from, and so where its answer goes."""

    channel: str | None = None
    response_url: str | None = field(default=None, repr=False)
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person said, under the link that they had then. `evidence` where they had to authenticate for it."""

    by: SlackUser
    sub: str
    link_version: str
    verdict: Verdict
    at: datetime
    evidence: Evidence | None = None


class Part(StrEnum):
    """Whom a copy of the card is for: it says what they need to know, and offers what they may do."""

    APPROVER = "approver"
    REQUESTER = "requester"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of the card: for whom, where it is in Slack once it was posted, and which revision it shows.

    `to` is a user's id, or a channel's where the part is that; `files` are the values that are attached above it, by
    name, each with its address.
    """

    part: Part
    to: str
    channel: str | None = None
    ts: str | None = None
    shown: int = 0
    files: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def posted(self) -> bool:
        """Whether its place is known."""
        return self.ts is not None


@dataclass(frozen=True, slots=True)
class Approval:
    """One request. `digest` is what was shown and agreed to; `run` is the call's `Idempotency-Key`.

    `revision` grows with each change that people see; `told` says that the requester has the outcome. `audited` says
    that the entries of all votes and of the present state stand, `tries` how often execution began, `attempts` how
    often Slack did not take what was to be said since the last change, and `turns` how often anybody has begun to say
    it: in the first turn no copy of the card can be there already. What does not open (altered, moved, or its key
    is gone) has `readable` false and no arguments, and never runs. With `connection` the scopes are that third party's.

    `asked` is what the provider calls the question on the requester's own device, as JSON, and `poll_at` when it may be
    asked what came of it.

    `confirmed` are the keys of those who have typed what `policy.confirm` asks for. `not_before` is when an approved
    request may begin, `why` what the requester said, `note` what the decider said, `seen` what a preview showed, and
    `unusual` what is out of the ordinary, in sentences.
    """

    id: str
    requester: SlackUser
    sub: str
    link_version: str
    action: str
    description: str
    arguments: Mapping[str, Any] = field(repr=False)
    scopes: frozenset[str]
    digest: str
    run: str
    origin: Origin
    created_at: datetime
    expires_at: datetime
    state: State = State.PENDING
    revision: int = 1
    policy: Policy = field(default_factory=Policy)
    votes: tuple[Vote, ...] = ()
    confirmed: frozenset[str] = frozenset()
    not_before: datetime | None = None
    reason: str | None = None
    audited: bool = False
    result: str | None = field(default=None, repr=False)
    copies: tuple[Copy, ...] = ()
    told: bool = False
    tries: int = 0
    attempts: int = 0
    turns: int = 0
    readable: bool = True
    connection: str | None = None
    org: str | None = None
    why: str | None = field(default=None, repr=False)
    note: str | None = field(default=None, repr=False)
    seen: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    unusual: tuple[str, ...] = ()
    reminded: bool = False
    asked: str | None = field(default=None, repr=False)
    poll_at: datetime | None = None

    @property
    def last(self) -> Vote | None:
        """The vote that decided, or the latest while it waits."""
        return self.votes[-1] if self.votes else None

    @property
    def agreed(self) -> int:
        """How many people have agreed."""
        return sum(vote.verdict is Verdict.APPROVE for vote in self.votes)


def to_type(approval: Approval, name: str) -> str:
    """What an approver has to type for this argument: the text as it is, anything else as JSON."""
    value = approval.arguments.get(name)
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
