"""Who calls, and what may they do? The shop believes nothing but a token that the issuer's own key has signed.

RFC 6750 for the way in and the refusals, RFC 9068 section 4 for the checks.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web
from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError

from oauth import Clock

_PATIENCE = timedelta(seconds=5)
_FRESH = timedelta(minutes=10)
_TYPES = {None, "jwt", "at+jwt", "application/at+jwt"}


@dataclass(frozen=True, slots=True)
class Caller:
    """The person in whose name a call is made."""

    sub: str
    scopes: tuple[str, ...]
    jti: str | None


class Denied(Exception):
    """A call that is refused: the status, and the error of RFC 6750 section 3.1, if one is to be named."""

    def __init__(self, status: int, error: str | None, description: str, scope: str | None = None) -> None:
        self.status = status
        self.error = error
        self.description = description
        self.scope = scope
        super().__init__(description)

    @property
    def challenge(self) -> str:
        """The value of `WWW-Authenticate`."""
        named = {"error": self.error, "error_description": self.error and self.description, "scope": self.scope}
        return ", ".join(['Bearer realm="shop"', *(f'{name}="{value}"' for name, value in named.items() if value)])


@dataclass
class Guard:
    """Verifies access tokens for one audience of one issuer; `issuer` is compared to the letter."""

    issuer: str
    audience: str
    clock: Clock
    _keys: dict[str, PyJWK] = field(default_factory=dict)
    _tried_at: datetime | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def caller(self, request: web.Request) -> Caller:
        """Who calls. Raises Denied with 401, or 503 while the issuer's keys cannot be had."""
        values = request.headers.getall("Authorization", [])
        if not values:
            raise Denied(401, None, "A bearer token is needed.")
        scheme, _, token = values[0].partition(" ")
        if len(values) > 1 or scheme.lower() != "bearer" or not token.strip():
            raise Denied(401, "invalid_request", "Send one Authorization header, with a bearer token.")
        claims = await self._signed(token.strip())
        audiences = claims.get("aud")
        if claims.get("iss") != self.issuer:
            raise _invalid("The token is of another issuer.")
        if self.audience not in (audiences if isinstance(audiences, list) else [audiences]):
            raise _invalid("The token is for another audience.")
        expires, sub, scope = claims.get("exp"), claims.get("sub"), claims.get("scope", "")
        if not isinstance(expires, int) or isinstance(expires, bool) or expires <= self.clock().timestamp():
            raise _invalid("The token has expired.")
        if not isinstance(sub, str) or not sub or not isinstance(scope, str):
            raise _invalid("The token names nobody.")
        jti = claims.get("jti")
        return Caller(sub, tuple(scope.split()), jti if isinstance(jti, str) else None)

    async def _signed(self, token: str) -> dict[str, Any]:
        jws = PyJWS()
        try:
            header = jws.get_unverified_header(token)
            kind = header.get("typ")
            if header.get("alg") != "RS256" or (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
                raise _invalid("The token is of the wrong kind.")
            key = await self._key(str(header.get("kid", "")))
            claims = json.loads(jws.decode_complete(token, key, algorithms=["RS256"])["payload"])
        except (PyJWTError, ValueError, RecursionError):
            raise _invalid("The token is not genuine.") from None
        if not isinstance(claims, dict):
            raise _invalid("The token is not genuine.")
        return claims

    async def _key(self, kid: str) -> PyJWK:
        """The issuer's key; asked for anew where it is unknown or old, but never more often than every 5 seconds."""
        async with self._lock:
            now = self.clock()
            patience = _FRESH if kid in self._keys else _PATIENCE
            if self._tried_at is None or now - self._tried_at >= patience:
                self._tried_at = now
                await self._fetch()
        if kid in self._keys:
            return self._keys[kid]
        if not self._keys:
            raise Denied(503, None, "The issuer's keys cannot be had.")
        raise _invalid("The token is signed by an unknown key.")

    async def _fetch(self) -> None:
        address = f"{self.issuer.rstrip('/')}/.well-known/jwks.json"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
                session.get(address, allow_redirects=False) as answer,
            ):
                published = await answer.json() if answer.status == 200 else {}
            listed = [key for key in published["keys"] if key.get("kty") == "RSA" and key.get("use") == "sig"]
            self._keys = {str(key["kid"]): PyJWK(key, algorithm="RS256") for key in listed}
        except (aiohttp.ClientError, TimeoutError, PyJWTError, ValueError, KeyError, TypeError, AttributeError):
            return  # the keys that are known stay in use


def permitted(caller: Caller, scope: str) -> None:
    """Raises Denied unless the token carries the scope."""
    if scope not in caller.scopes:
        raise Denied(403, "insufficient_scope", f"This call needs the scope {scope}.", scope)


def _invalid(description: str) -> Denied:
    return Denied(401, "invalid_token", description)
