"""A request for approval as it is kept, and the states it goes through.

pending ─┬─ approved ── executing ─┬─ done
         ├─ denied                 ├─ failed
         ├─ expired                ├─ unknown
         └─ cancelled              └─ cancelled   (refused at the last look, before any call)

An approved request can be cancelled too, until it executes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from oauth import SlackUser


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
    """What an approver says."""

    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in Slack a request came from, and so where its answer goes."""

    channel: str | None = None
    response_url: str | None = field(default=None, repr=False)
    request: str | None = None


@dataclass(frozen=True, slots=True)
class CardPlace:
    """A card in Slack, and which revision of the request it shows."""

    channel: str
    ts: str
    shown: int


@dataclass(frozen=True, slots=True)
class Approval:
    """One request. `digest` is what was shown and agreed to; `run` is the call's `Idempotency-Key`.

    `revision` grows with each change that people see; `told` says that the requester has the outcome. `audited` says
    that the entry of the present state stands, `tries` how often execution began, `attempts` how often Slack did
    not take what was to be said since the last change. What does not open (altered, moved, or its key is gone) has
    `readable` false and no arguments, and never runs. With `connection` the scopes are that third party's.
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
    decider: SlackUser | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    audited: bool = False
    result: str | None = field(default=None, repr=False)
    card: CardPlace | None = None
    told: bool = False
    tries: int = 0
    attempts: int = 0
    readable: bool = True
    connection: str | None = None
