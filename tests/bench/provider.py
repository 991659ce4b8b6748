"""An OpenID provider that does little but refresh, and that quickly: it rotates, forgives no reuse, and counts.

A process of its own. Its tokens are truly signed (ES256), its clients truly asked for their secret; it keeps all in
memory, so that what is measured is what is around it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import itertools
import math
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from tests.bench.orders import Job, carried_out

LIFETIME = 3600
_KID = "bench"


@dataclass(slots=True)
class Family:
    """A grant: all refresh tokens that came of one login. Only the one of this generation is good."""

    sub: str
    secret: str
    generation: int = 0
    live: bool = True


class Provider:
    """Refreshes, revokes, and tells what it was asked. `delay` in seconds: half before it decides, half after."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self.issuer = ""
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._numbers = itertools.count()
        self.begin(0.0)

    def begin(self, delay: float) -> None:
        """Forget all grants, and count anew."""
        self._delay = delay
        self._families: dict[str, Family] = {}
        self._counts = dict.fromkeys(("refresh_calls", "refused", "revoked_for_reuse", "most_in_flight"), 0)
        self._in_flight, self._busy = 0, 0.0
        self._first, self._last = math.inf, 0.0
        self._ended = 0.0

    def grants(self, subs: list[str]) -> list[str]:
        """A refresh token of a new grant for each."""
        names = [str(next(self._numbers)) for _ in subs]
        for name, sub in zip(names, subs, strict=True):
            self._families[name] = Family(sub, secrets.token_urlsafe(24))
        return [self._refresh_token(name) for name in names]

    def counts(self) -> dict[str, float]:
        """Since it began; `live` are the grants that it honours yet, `ended` is when the last of the others died."""
        mean = self._busy / (self._last - self._first) if self._busy else 0.0
        live = sum(family.live for family in self._families.values())
        return self._counts | {"mean_in_flight": mean, "live": live, "ended": self._ended}

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/.well-known/openid-configuration", self.discovery)
        app.router.add_get("/keys", self.keys)
        app.router.add_post("/token", self.token)
        app.router.add_post("/revoke", self.revoke)

    async def discovery(self, _: web.Request) -> web.Response:
        """OpenID Connect Discovery section 4."""
        paths = {"authorization": "authorize", "token": "token", "revocation": "revoke"}
        found = {f"{name}_endpoint": self.issuer + path for name, path in paths.items()}
        return web.json_response(found | {"issuer": self.issuer, "jwks_uri": f"{self.issuer}keys"})

    async def keys(self, _: web.Request) -> web.Response:
        """RFC 7517 section 5."""
        public = ECKey.import_key(self._key.public_key()).as_dict(private=False)
        return web.json_response({"keys": [{**public, "kid": _KID, "use": "sig", "alg": "ES256"}]})

    async def token(self, request: web.Request) -> web.Response:
        """A refresh (RFC 6749 section 6), the only grant type."""
        self._counts["refresh_calls"] += 1
        self._in_flight += 1
        self._counts["most_in_flight"] = max(self._counts["most_in_flight"], self._in_flight)
        began = time.monotonic()
        self._first = min(self._first, began)
        try:
            form = await _form(request)
            await asyncio.sleep(self._delay / 2)
            body, status = self._refreshed(form)
            await asyncio.sleep(self._delay / 2)
        finally:
            self._in_flight -= 1
            self._last = time.monotonic()
            self._busy += self._last - began
        return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})

    async def revoke(self, request: web.Request) -> web.Response:
        """End a whole grant, by whichever of its tokens (RFC 7009), and at once."""
        form = await _form(request)
        if not self._knows(form):
            return web.json_response({"error": "invalid_client"}, status=401)
        family = self._families.get(form.get("token", "").partition(".")[0])
        if family is not None:
            self._end(family)
        return web.Response()

    def _refreshed(self, form: Mapping[str, str]) -> tuple[dict[str, Any], int]:
        if not self._knows(form):
            return {"error": "invalid_client"}, 401
        if form.get("grant_type") != "refresh_token":
            return {"error": "unsupported_grant_type"}, 400
        token = form.get("refresh_token", "")
        name = token.partition(".")[0]
        family = self._families.get(name)
        if family is not None and family.live and not hmac.compare_digest(token, self._refresh_token(name)):
            self._end(family)  # Two have it, so one has stolen it (RFC 9700 section 4.14.2).
            self._counts["revoked_for_reuse"] += 1
        if family is None or not family.live:
            self._counts["refused"] += 1
            return {"error": "invalid_grant"}, 403
        family.generation += 1
        scope, lifetime = form.get("scope", "orders:read"), {"expires_in": LIFETIME, "token_type": "Bearer"}
        access = self._access_token(family.sub, form.get("audience", ""), scope)
        return {"access_token": access, "refresh_token": self._refresh_token(name), "scope": scope} | lifetime, 200

    def _end(self, family: Family) -> None:
        if family.live:
            family.live, self._ended = False, time.monotonic()

    def _knows(self, form: Mapping[str, str]) -> bool:
        return all(hmac.compare_digest(form.get(name, ""), value) for name, value in self._client.items())

    def _refresh_token(self, name: str) -> str:
        family = self._families[name]
        return f"{name}.{family.generation}.{family.secret}"

    def _access_token(self, sub: str, audience: str, scope: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": sub, "aud": audience, "iat": now, "exp": now + LIFETIME, "scope": scope}
        claims |= {"jti": secrets.token_urlsafe(16), "azp": self._client["client_id"]}
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": _KID})


async def _form(request: web.Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.post()).items()}


async def serve() -> None:
    """Until the input ends. The first order is `open`; its answer is the issuer."""
    runner = web.AppRunner(web.Application(), access_log=None)
    jobs: dict[str, Job] = {}

    async def open_(client_id: str, client_secret: str) -> str:
        provider = Provider(client_id, client_secret)
        provider.add_to(runner.app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        jobs.update(begin=provider.begin, grants=provider.grants, counts=provider.counts)
        return provider.issuer

    jobs["open"] = open_
    await carried_out(jobs)


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(serve())
