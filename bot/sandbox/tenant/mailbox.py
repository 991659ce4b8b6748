"""One-time codes by e-mail: the mails that were sent, and what a code that is brought back is worth.

Auth0's rules ("Passwordless Connections Best Practices"): only the newest code of an address is good, for three
minutes unless set otherwise, once, and three wrong guesses void it. Nothing here outlives a restart, as no login
under way does.
"""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from oauth import Clock

from .model import Refusal

MOST_WRONG = 3
_MOST_MAILS = 500


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was sent: with a `code`, or with a `link` where the application asked for one, or for nothing.

    `forwarded_for` is the header `auth0-forwarded-for` as it came.
    """

    to: str
    code: str | None = field(repr=False)
    link: str | None = field(repr=False)
    sent_at: datetime
    expires_at: datetime
    forwarded_for: str | None = None


@dataclass(slots=True)
class _Otp:
    """The newest code of an address."""

    mail: Mail
    code: str = field(repr=False)
    wrong: int = 0
    used: bool = False


Condition = Literal["good", "used", "replaced", "void", "expired"]


class Mailbox:
    """Every mail that was sent, oldest first, and the codes in them."""

    def __init__(self, clock: Clock) -> None:
        self.sent: deque[Mail] = deque(maxlen=_MOST_MAILS)
        self._clock = clock
        self._newest: dict[str, _Otp] = {}

    def to(self, address: str) -> list[Mail]:
        """What was sent to an address, oldest first."""
        return [mail for mail in self.sent if mail.to == address.casefold()]

    def send(self, address: str, *, link: Callable[[str], str] | None, seconds: int, forwarded_for: str | None) -> Mail:
        """A mail with a fresh code of six digits or, where `link` makes one, with a link around it."""
        code, now = f"{secrets.randbelow(1_000_000):06}", self._clock()
        mail = Mail(
            to=address.casefold(),
            code=code if link is None else None,
            link=link and link(code),
            sent_at=now,
            expires_at=now + timedelta(seconds=seconds),
            forwarded_for=forwarded_for,
        )
        self.sent.append(mail)
        self._newest[mail.to] = _Otp(mail, code)
        return mail

    def redeem(self, address: str, code: str) -> None:
        """Take a code, which is spent then. Raises Refusal, in Auth0's words."""
        found = self._newest.get(address.casefold())
        if found is None or found.used:
            raise _refused("Wrong email or verification code.")
        if found.wrong >= MOST_WRONG:
            raise _refused("You've reached the maximum number of attempts. Please try to login again.")
        if found.mail.expires_at <= self._clock():
            raise _refused("The verification code has expired. Please try to login again.")
        if not hmac.compare_digest(code.encode(), found.code.encode()):
            found.wrong += 1
            raise _refused("Wrong email or verification code.")
        found.used = True

    def condition(self, mail: Mail) -> Condition:
        """What has become of a mail, for whoever looks at it."""
        found = self._newest.get(mail.to)
        if found is None or found.mail is not mail:
            return "replaced"
        if found.used:
            return "used"
        if found.wrong >= MOST_WRONG:
            return "void"
        return "expired" if mail.expires_at <= self._clock() else "good"


def _refused(words: str) -> Refusal:
    return Refusal(403, "invalid_grant", words)
