"""Who has agreed to this call? The shop believes nothing but a receipt that the bot's published key has signed.

What every API can do that wants more than a token before money moves; `docs/approvals.md` has it in a few lines.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import rfc8785
from aiohttp import web
from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError

from oauth import Clock

from .guard import Caller, Denied

HEADER = "Approval-Receipt"
_TYPE = "approval+jwt"
_PATIENCE = timedelta(seconds=5)
_SKEW = 5.0  # seconds between the bot's clock and ours


@dataclass
class Receipts:
    """Verifies receipts of one bot, for one audience; `issuer` is its public address."""

    issuer: str
    audience: str
    clock: Clock
    _keys: dict[str, PyJWK] = field(default_factory=dict)
    _tried_at: Any = None
    _taken: dict[str, float] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def approved(self, request: web.Request, caller: Caller, arguments: Mapping[str, Any], scope: str) -> str:
        """The receipt's own id, once all that it says fits this call. Raises Denied with 403."""
        values = request.headers.getall(HEADER, [])
        if len(values) != 1:
            raise _needed("Send one receipt of an approval with it")
        claims = await self._signed(values[0])
        now = self.clock().timestamp()
        audiences, expires, jti = claims.get("aud"), claims.get("exp"), claims.get("jti")
        fits = {
            "is of another bot": claims.get("iss") == self.issuer,
            "is for another audience": self.audience in (audiences if isinstance(audiences, list) else [audiences]),
            "has expired": isinstance(expires, int) and expires > now - _SKEW,
            "is of another person": claims.get("sub") == caller.sub,
            "is for another token": caller.jti is not None and claims.get("token_jti") == caller.jti,
            "is for other rights": scope in (claims.get("scopes") or ()),
            "is for other values": claims.get("arguments_sha256") == _sha256(arguments),
            "names nobody who agreed": bool(claims.get("approvers")),
            "has no id": isinstance(jti, str) and bool(jti),
        }
        if wrong := next((what for what, fine in fits.items() if not fine), None):
            raise _needed(f"The receipt {wrong}")
        return str(jti)

    def take(self, jti: str) -> None:
        """Each counts once. Raises Denied with 403."""
        now = self.clock().timestamp()
        self._taken = {one: until for one, until in self._taken.items() if until > now}
        if jti in self._taken:
            raise _needed("The receipt was used already")
        self._taken[jti] = now + 120

    async def _signed(self, receipt: str) -> dict[str, Any]:
        jws = PyJWS()
        try:
            header = jws.get_unverified_header(receipt)
            if header.get("alg") != "EdDSA" or header.get("typ") != _TYPE:
                raise _needed("The receipt is of the wrong kind")
            key = await self._key(str(header.get("kid", "")))
            claims = json.loads(jws.decode_complete(receipt, key, algorithms=["EdDSA"])["payload"])
        except (PyJWTError, ValueError, RecursionError):
            raise _needed("The receipt is not genuine") from None
        if not isinstance(claims, dict):
            raise _needed("The receipt is not genuine")
        return claims

    async def _key(self, kid: str) -> PyJWK:
        """The bot's key; asked for anew where it is unknown, but never more often than every 5 seconds."""
        async with self._lock:
            now = self.clock()
            if kid not in self._keys and (self._tried_at is None or now - self._tried_at >= _PATIENCE):
                self._tried_at = now
                await self._fetch()
        if kid not in self._keys:
            raise _needed("The receipt is signed by an unknown key")
        return self._keys[kid]

    async def _fetch(self) -> None:
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
                session.get(f"{self.issuer}/.well-known/jwks.json", allow_redirects=False) as answer,
            ):
                published = await answer.json() if answer.status == 200 else {}
            listed = [key for key in published["keys"] if key.get("kty") == "OKP" and key.get("crv") == "Ed25519"]
            self._keys = {str(key["kid"]): PyJWK(key, algorithm="EdDSA") for key in listed}
        except (aiohttp.ClientError, TimeoutError, PyJWTError, ValueError, KeyError, TypeError, AttributeError):
            return  # the keys that are known stay in use


def _sha256(arguments: Mapping[str, Any]) -> str | None:
    try:
        return hashlib.sha256(rfc8785.dumps(dict(arguments))).hexdigest()
    except (rfc8785.CanonicalizationError, RecursionError):
        return None


def _needed(why: str) -> Denied:
    return Denied(403, "approval_required", f"{why}: a refund needs somebody's approval, in an {HEADER} header.")
