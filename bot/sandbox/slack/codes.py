"""The codes that a browser carries back to the app: ten minutes, one use (docs.slack.dev, "Installing with OAuth")."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from .authorize import Asked, Flow
from .choices import Choice
from .errors import SlackRefusal
from .state import Clock

MINUTES = 10


@dataclass(frozen=True)
class Code:
    """What somebody agreed to: `choice` is the person or the place that they chose, `at` when."""

    asked: Asked
    choice: Choice
    at: datetime


class Codes:
    """Those that are waiting to be exchanged."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, Code] = {}

    def new(self, asked: Asked, choice: Choice) -> str:
        """A code for this."""
        name = f"{secrets.randbelow(10**10)}.{secrets.randbelow(10**13)}.{secrets.token_hex(32)}"
        self._waiting[name] = Code(asked, choice, self._clock())
        return name

    def take(self, flow: Flow, name: str, redirect_uri: str, verifier: str) -> Code:
        """Spend one; it is spent also where it is refused.

        SlackRefusal `invalid_code`, `oauth_authorization_url_mismatch`, `bad_redirect_uri`. Slack documents no error
        of its own for a `code_verifier` (RFC 7636) that does not fit; here the code is then an invalid one.
        """
        code = self._waiting.pop(name, None)
        if code is None or self._clock() >= code.at + timedelta(minutes=MINUTES):
            raise SlackRefusal("invalid_code")
        if code.asked.flow is not flow:
            raise SlackRefusal("oauth_authorization_url_mismatch")
        if (code.asked.named or redirect_uri) and redirect_uri != code.asked.redirect_uri:
            raise SlackRefusal("bad_redirect_uri")
        if code.asked.challenge is not None and not hmac.compare_digest(code.asked.challenge, _challenge(verifier)):
            raise SlackRefusal("invalid_code")
        return code


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
