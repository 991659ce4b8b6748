"""The claims of good tokens, to be spoilt one by one."""

from __future__ import annotations

from typing import Any

from oauth.keys import SigningKeys
from oauth.models import Subject
from oauth.verify import LOGOUT_EVENT, Expected, Verifier
from tests.conftest import HandClock
from tests.fakes.provider import AUDIENCE, CLIENT_ID, ISSUER, public_jwk, signing_key

NONCE = "nonce-1"
ADA = Subject("auth0|ada")


def verifier_for(
    clock: HandClock, organization: str | None = None, keys: list[dict[str, Any]] | None = None
) -> Verifier:
    """A verifier that knows these keys."""

    async def fetch() -> dict[str, Any]:
        return {"keys": keys or [public_jwk(signing_key())]}

    return Verifier(Expected(ISSUER, CLIENT_ID, organization), SigningKeys(fetch, clock), clock)


def id_claims(clock: HandClock, **changed: Any) -> dict[str, Any]:
    """The claims of a good ID token; a value of None leaves the claim out."""
    now = clock.now.timestamp()
    claims = {
        "iss": ISSUER, "sub": ADA, "aud": CLIENT_ID, "iat": now, "exp": now + 600, "nonce": NONCE,
        "email": "ada@corp.example", "email_verified": True, "name": "Ada", "sid": "session-1",
    }  # fmt: skip
    return {name: value for name, value in (claims | changed).items() if value is not None}


def access_claims(clock: HandClock, **changed: Any) -> dict[str, Any]:
    """The claims of a good access token."""
    now = clock.now.timestamp()
    claims = {"iss": ISSUER, "sub": ADA, "aud": AUDIENCE, "iat": now, "exp": now + 600, "scope": "orders:read"}
    return {name: value for name, value in (claims | changed).items() if value is not None}


def logout_claims(clock: HandClock, **changed: Any) -> dict[str, Any]:
    """The claims of a good logout token."""
    now = clock.now.timestamp()
    claims = {
        "iss": ISSUER, "sub": ADA, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": "jti-1",
        "events": {LOGOUT_EVENT: {}},
    }  # fmt: skip
    return {name: value for name, value in (claims | changed).items() if value is not None}
