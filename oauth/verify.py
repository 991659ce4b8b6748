"""Verification of what the provider signs, one function a claim; `now` comes in from outside.

OpenID Connect Core section 3.1.3.7 (ID token), RFC 9068 section 4 (access token), OpenID Connect Back-Channel
Logout section 2.6 (logout token). PyJWT checks the signature only: left to itself it accepts a token without
`exp` or `nonce`, with a foreign `azp`, and one kind of token in place of another.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from oauth.errors import TokenInvalid, WrongOrganization
from oauth.keys import SigningKeys
from oauth.models import Clock, Evidence, Identity, Subject

Claims = Mapping[str, Any]

ALGORITHMS = ("RS256", "PS256", "ES256")
LEEWAY = 60.0
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LONGEST = 16_384
_MOST_METHODS, _LONGEST_METHOD = 20, 64
_LAST_SECOND = 253_402_300_000.0  # the year 9999
_KEYS_IN_HEADER = {"jwk", "jku", "x5u", "crit"}


class Nonce(Enum):
    """What stands for a nonce where a login was begun without one."""

    NONE = "the login was no redirect, and its request had no place for one"
    LONG_AGO = "the token came of a refresh, and may name that of its login (OpenID Connect Core section 12.2)"


@dataclass(frozen=True, slots=True)
class Expected:
    """What tokens must say: the exact issuer, our client id, and the organization where one is required."""

    issuer: str
    client_id: str
    organization: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A verified ID token: who it is, whether the provider vouches for the e-mail, its session there, and all else."""

    identity: Identity
    email_verified: bool
    sid: str | None
    claims: Claims = field(repr=False)


@dataclass(frozen=True, slots=True)
class Logout:
    """A verified logout token: whose sessions end, or which one. It is good until `until`."""

    sub: Subject | None
    sid: str | None
    jti: str
    until: datetime


class Verifier:
    """Verifies tokens of one provider for one client."""

    def __init__(self, expected: Expected, keys: SigningKeys, clock: Clock) -> None:
        self.issuer = expected.issuer
        self._expected = expected
        self._keys = keys
        self._clock = clock

    async def id_token(self, token: str, *, nonce: str | Nonce) -> SignedIn:
        """Who signed in; `nonce` is what the login was begun with, or says that it was begun with none.

        Raises TokenInvalid, WrongOrganization or ProviderUnavailable.
        """
        claims = await self._signed(token, types={None, "JWT"})
        now = self._clock()
        issuer(claims, self._expected.issuer)
        audience(claims, self._expected.client_id)
        authorized_party(claims, self._expected.client_id)
        expiry(claims, now)
        issued_at(claims, now)
        one_time(claims, nonce)
        if "events" in claims:
            raise TokenInvalid("events")
        organization(claims, self._expected.organization)
        identity = Identity(
            iss=self._expected.issuer,
            sub=subject(claims),
            email=_text(claims, "email"),
            name=_text(claims, "name"),
            org=_text(claims, "org_id"),
        )
        return SignedIn(identity, claims.get("email_verified") is True, _text(claims, "sid"), claims)

    async def access_token(self, token: str, *, audience_: str, sub: Subject) -> Claims | None:
        """The claims of an access token that is a JWT; None for an opaque one.

        Raises TokenInvalid, also for an opaque one where an organization is required: it could be of any.
        """
        if token.count(".") != 2:
            if self._expected.organization is not None:
                raise TokenInvalid("org_id")
            return None
        claims = await self._signed(token, types={None, "JWT", "at+jwt", "application/at+jwt"})
        issuer(claims, self._expected.issuer)
        audience(claims, audience_)
        expiry(claims, self._clock())
        if subject(claims) != sub:
            raise TokenInvalid("sub")
        organization(claims, self._expected.organization)
        return claims

    async def logout_token(self, token: str) -> Logout:
        """Whom the provider has logged out. Raises TokenInvalid; that `jti` is new is for the caller to see."""
        claims = await self._signed(token, types={"logout+jwt"})
        now = self._clock()
        issuer(claims, self._expected.issuer)
        audience(claims, self._expected.client_id)
        expiry(claims, now)
        issued_at(claims, now)
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise TokenInvalid("events")
        if "nonce" in claims:
            raise TokenInvalid("nonce")
        jti, sid, sub = _text(claims, "jti"), _text(claims, "sid"), _text(claims, "sub")
        if jti is None:
            raise TokenInvalid("jti")
        if sid is None and sub is None:
            raise TokenInvalid("sub")
        until = datetime.fromtimestamp(_number(claims, "exp") + LEEWAY, UTC)
        return Logout(Subject(sub) if sub else None, sid, jti, until)

    async def _signed(self, token: str, *, types: set[str | None]) -> Claims:
        """The claims behind a valid signature of the provider's own key."""
        if len(token) > _LONGEST:
            raise TokenInvalid("size")
        try:
            header = PyJWS().get_unverified_header(token)
        except (PyJWTError, ValueError, RecursionError):
            raise TokenInvalid("header") from None
        if header.get("alg") not in ALGORITHMS:
            raise TokenInvalid("alg")
        if _KEYS_IN_HEADER & header.keys():
            raise TokenInvalid("header")
        kind = header.get("typ")
        if (kind.lower() if isinstance(kind, str) else kind) not in {t.lower() if t else t for t in types}:
            raise TokenInvalid("typ")
        kid = header.get("kid")
        key = await self._keys.get(kid if isinstance(kid, str) else None)
        if key.algorithm_name != header["alg"]:
            raise TokenInvalid("alg")
        return _payload(token, key)


def _payload(token: str, key: Any) -> Claims:
    try:
        decoded = PyJWS().decode_complete(token, key, algorithms=list(ALGORITHMS))
        claims = json.loads(decoded["payload"])
    except (PyJWTError, ValueError, RecursionError):
        raise TokenInvalid("signature") from None
    if not isinstance(claims, dict):
        raise TokenInvalid("payload")
    return claims


def issuer(claims: Claims, expected: str) -> None:
    """`iss` to the letter: a missing slash is another issuer."""
    if claims.get("iss") != expected:
        raise TokenInvalid("iss")


def audience(claims: Claims, expected: str) -> None:
    """`aud` is, or holds, exactly what is expected."""
    found = claims.get("aud")
    if found != expected and not (isinstance(found, list) and expected in found):
        raise TokenInvalid("aud")


def authorized_party(claims: Claims, client_id: str) -> None:
    """`azp` is ours where it is there, and it is there where the audiences are several."""
    several = isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1
    if ("azp" in claims or several) and claims.get("azp") != client_id:
        raise TokenInvalid("azp")


def expiry(claims: Claims, now: datetime) -> None:
    """`exp` is there and not over."""
    if _number(claims, "exp") + LEEWAY <= now.timestamp():
        raise TokenInvalid("exp")


def issued_at(claims: Claims, now: datetime) -> None:
    """`iat` is there and not in the future."""
    if _number(claims, "iat") - LEEWAY > now.timestamp():
        raise TokenInvalid("iat")


def one_time(claims: Claims, expected: str | Nonce) -> None:
    """`nonce` is the one that this login was started with; a login without one takes no token of another that had."""
    if isinstance(expected, Nonce):
        if expected is Nonce.NONE and "nonce" in claims:
            raise TokenInvalid("nonce")
        return
    found = claims.get("nonce")
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), expected.encode()):
        raise TokenInvalid("nonce")


def subject(claims: Claims) -> Subject:
    """`sub`, at most 255 characters (OpenID Connect Core section 2)."""
    found = claims.get("sub")
    if not isinstance(found, str) or not 0 < len(found) <= 255:
        raise TokenInvalid("sub")
    return Subject(found)


def organization(claims: Claims, expected: str | None) -> None:
    """`org_id` is the required organization (Auth0, "Work with Tokens and Organizations")."""
    if expected is not None and claims.get("org_id") != expected:
        raise WrongOrganization


def authentication(claims: Claims) -> Evidence:
    """`auth_time` is there, and `amr`, where it is, is a few names (OpenID Connect Core section 2, RFC 8176)."""
    methods = claims.get("amr", [])
    if not isinstance(methods, list) or len(methods) > _MOST_METHODS:
        raise TokenInvalid("amr")
    if not all(isinstance(one, str) and 0 < len(one) <= _LONGEST_METHOD for one in methods):
        raise TokenInvalid("amr")
    return Evidence(int(_number(claims, "auth_time")), tuple(methods))


def _number(claims: Claims, name: str) -> float:
    found = claims.get(name)
    # A whole number of a thousand digits is valid JSON, and so are NaN and Infinity for Python's reader.
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) < _LAST_SECOND:
        raise TokenInvalid(name)
    return float(found)


def _text(claims: Claims, name: str) -> str | None:
    found = claims.get(name)
    return found if isinstance(found, str) and 0 < len(found) <= 1024 else None
