"""`Approval-Receipt`: who agreed to a call, signed, so that an API need not take the bot's word for it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

import rfc8785

from bot.approvals.model import Approval, Verdict, Vote
from bot.signing import Signer
from oauth import AccessToken, Clock

_SECONDS = 60


class Receipts:
    """Makes them, each for one call."""

    def __init__(self, signer: Signer, issuer: str, clock: Clock) -> None:
        """`issuer` is PUBLIC_URL, under which the key is published."""
        self._signer = signer
        self._issuer = issuer
        self._clock = clock

    def make(self, approval: Approval, audience: str, token: AccessToken) -> str:
        """A compact JWS, `typ` `approval+jwt`, good for a minute: that these people agreed to this call, under this
        token and no other.
        """
        now = int(self._clock().timestamp())
        claims = {
            "iss": self._issuer,
            "aud": audience,
            "sub": approval.sub,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + _SECONDS,
            "approval": approval.id,
            "action": approval.action,
            "arguments_sha256": arguments_sha256(approval.arguments),
            "scopes": sorted(approval.scopes),
            "approvers": [_approver(vote) for vote in approval.votes if vote.verdict is Verdict.APPROVE],
        }
        if token.jti is not None:
            claims["token_jti"] = token.jti
        return self._signer.sign(claims, typ="approval+jwt")


def arguments_sha256(arguments: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the arguments' RFC 8785 form, which an API makes of the values that it got."""
    return hashlib.sha256(rfc8785.dumps(dict(arguments))).hexdigest()


def _approver(vote: Vote) -> dict[str, Any]:
    known: dict[str, Any] = {"sub": vote.sub}
    if vote.evidence is not None:
        known |= {"auth_time": vote.evidence.auth_time, "amr": list(vote.evidence.amr)}
    return known
