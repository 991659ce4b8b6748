"""Single-use tickets for connecting an account, and the steps that a browser takes with one.

One record per person and connection, so that the newest ticket is the only one. As with login links, the ticket itself
exists in the DM alone; the database holds its hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from oauth.models import LinkVersion, Principal, SlackProfile, SlackUser


class Stage(StrEnum):
    """How far a ticket has come: at the provider's login (`started`), back, at the third party (`connecting`), done."""

    OPEN = "open"
    STARTED = "started"
    RETURNED = "returned"
    CONNECTING = "connecting"
    DONE = "done"
    VOID = "void"


OPEN_STAGES = frozenset(Stage) - {Stage.DONE, Stage.VOID}


@dataclass(frozen=True, slots=True)
class AccountTicket:
    """A stored ticket. All hashes are hex SHA-256 of 256 random bits; `sealed_*` open only for this record.

    It is good for one link, which `link_version` names, and for these scopes of the third party's.
    """

    slack: SlackUser
    profile: SlackProfile
    connection: str
    scopes: frozenset[str]
    link_version: LinkVersion
    hash: str = field(repr=False)
    stage: Stage
    created_at: datetime
    expires_at: datetime
    browser_hash: str | None = field(default=None, repr=False)
    state_hash: str | None = field(default=None, repr=False)
    sealed_login: str | None = field(default=None, repr=False)
    sealed_session: str | None = field(default=None, repr=False)
    sealed_waiting: str | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """`WORKSPACE:USER:CONNECTION`, the primary key."""
        return f"{self.slack.key}:{self.connection}"

    @property
    def record(self) -> str:
        """The name that this ticket's secrets are sealed for."""
        return f"account:{self.key}"

    @property
    def reason(self) -> str:
        """What the audit trail calls it."""
        return f"connect_{self.connection}"

    def live(self, now: datetime) -> bool:
        """Whether it can still lead to a connected account, as far as it says itself."""
        return now < self.expires_at and self.stage in OPEN_STAGES


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser brings back: `code` from the provider's login, `connect_code` from the third party."""

    state: str = field(repr=False)
    browser: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    connect_code: str | None = field(default=None, repr=False)
    error: str | None = None
    iss: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """How far a link has come, and for which live link of an identity: `onward`, or at its end."""

    ticket: AccountTicket
    principal: Principal
    onward: str | None = field(default=None, repr=False)
