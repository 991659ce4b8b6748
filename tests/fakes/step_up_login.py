"""The provider's login with a second factor, in memory.

Codes work once and under their own verifier, and the token says of the login what the test says of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

from oauth.errors import LoginRefused, ProviderUnavailable
from oauth.models import Clock
from tests.fakes.provider import CLIENT_ID, ISSUER, sign


@dataclass
class FakeStepUpLogin:
    """As `StepUpLogin`. `says` is what the next ID tokens say beside who it is; None leaves a claim out."""

    clock: Clock
    announces_iss: bool = False
    away: set[str] = field(default_factory=set)
    says: dict[str, Any] = field(default_factory=dict)
    authorized: list[dict[str, str | None]] = field(default_factory=list)
    exchanges: int = 0
    _codes: dict[str, tuple[str, dict[str, str | None]]] = field(default_factory=dict)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def answers_with_issuer(self) -> bool:
        """Whether callbacks of the login carry `iss`."""
        return self.announces_iss

    async def authenticate_url(self, *, state: str, nonce: str, verifier: str, login_hint: str | None) -> str:
        """The address of the login; what a browser would carry there is kept for `sign_in`."""
        if "authorize" in self.away:
            raise ProviderUnavailable
        self.authorized.append(
            {"state": state, "nonce": nonce, "challenge": _challenge(verifier), "login_hint": login_hint}
        )
        return f"{ISSUER}authorize?scope=openid&state={state}"

    def sign_in(self, email: str) -> dict[str, str]:
        """A person signs in where the last browser was sent; what that brings back."""
        asked = self.authorized[-1]
        code = secrets.token_urlsafe(16)
        self._codes[code] = (f"auth0|{email}", asked)
        return {"state": str(asked["state"]), "code": code}

    async def id_token(self, *, code: str, verifier: str) -> str:
        """For a code, once, to who knows the verifier."""
        await asyncio.sleep(0)
        self.exchanges += 1
        if "token" in self.away:
            raise ProviderUnavailable
        sub, asked = self._codes.pop(code, ("", {}))
        if not sub or asked["challenge"] != _challenge(verifier):
            raise LoginRefused("invalid_grant")
        now = int(self.clock().timestamp())
        claims = {
            "iss": ISSUER, "aud": CLIENT_ID, "iat": now, "exp": now + 600, "nonce": asked["nonce"], "sub": sub,
            "auth_time": now, "amr": ["mfa"], **self.says,
        }  # fmt: skip
        return sign({name: value for name, value in claims.items() if value is not None})


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
