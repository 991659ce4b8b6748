"""Single-use link tickets, and the one-time codes that tie a browser's login to a Slack person.

One record per Slack person, so that the newest ticket is the only one. The ticket itself exists in the DM alone;
the database holds its hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from oauth.models import LinkVersion, SlackProfile, SlackUser, Subject

LIFETIME = timedelta(minutes=10)
GUESSES = 3
_REMEMBERED = 5
_WAITING = timedelta(hours=1)
# Crockford's base 32: without I, L, O and U nothing is misread. Eight letters carry 40 bits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans({"I": "1", "L": "1", "O": "0", "U": "V"})


class Stage(StrEnum):
    """How far a ticket has come."""

    OPEN = "open"
    STARTED = "started"
    RETURNED = "returned"
    PROVING = "proving"
    DONE = "done"
    VOID = "void"


OPEN_STAGES = frozenset(Stage) - {Stage.DONE, Stage.VOID}


@dataclass(frozen=True, slots=True)
class Ticket:
    """A stored ticket. All hashes are hex SHA-256 of 256 random bits; `sealed_*` open only for this record.

    `otp_*` is of the login by a one-time code from the provider: `otp_start` names the newest code, and is None while
    no code is waited for; `guesses` are those at that code, or at ours once the login is done.
    `granted_at` is before the provider was asked for the grant; `sub` and `sid` are whose grant waits in it, and of
    which session there.
    `former` are the hashes of the person's earlier links, so that whoever opens one of those can be helped.
    """

    slack: SlackUser
    profile: SlackProfile
    hash: str = field(repr=False)
    stage: Stage
    created_at: datetime
    expires_at: datetime
    browser_hash: str | None = field(default=None, repr=False)
    state_hash: str | None = field(default=None, repr=False)
    sealed_login: str | None = field(default=None, repr=False)
    sealed_grant: str | None = field(default=None, repr=False)
    sealed_code: str | None = field(default=None, repr=False)
    sealed_waiting: str | None = field(default=None, repr=False)
    sealed_slack: str | None = field(default=None, repr=False)
    guesses: int = 0
    sealed_address: str | None = field(default=None, repr=False)
    otp_start: str | None = None
    otp_sends: int = 0
    otp_sent_at: datetime | None = None
    former: tuple[str, ...] = field(default=(), repr=False)
    granted_at: datetime | None = None
    sub: Subject | None = None
    sid: str | None = None

    @property
    def record(self) -> str:
        """The name that this ticket's secrets are sealed for."""
        return f"ticket:{self.slack.key}"

    def live(self, now: datetime) -> bool:
        """Whether it can still lead to a link, whatever an index has or has not removed by now."""
        return now < self.expires_at and self.stage in OPEN_STAGES

    def after(self, former: Ticket) -> Ticket:
        """This ticket, in the place of a former one of the same person: what waited goes on waiting, for an hour."""
        waits = self.sealed_waiting is None and self.created_at - former.created_at < _WAITING
        return replace(
            self,
            former=(former.hash, *former.former)[:_REMEMBERED],
            sealed_waiting=former.sealed_waiting if waits else self.sealed_waiting,
        )

    @property
    def link_version(self) -> LinkVersion:
        """The version of the one link that can come of this ticket, so that a crash shows how far it came."""
        return LinkVersion(self.hash[:24])


def new_secret() -> str:
    """256 random bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """What the database may know of a secret of 256 bits: so many need no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_code() -> str:
    """A code of 40 bits for people to carry by hand, as `XXXX-XXXX`."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def same_code(typed: str, code: str) -> bool:
    """Compare in constant time, forgiving case, spaces, dashes and letters that look alike."""
    return hmac.compare_digest(_plain(typed).encode(), _plain(code).encode())


def _plain(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum()).translate(_MISREAD)
