"""An OpenID provider in memory, as strict as a real one: codes and refresh tokens work once, reuse ends the grant."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from oauth.errors import AccountNotConnected, GrantDead, GrantRefused, LoginRefused, ProviderUnavailable, ScopeRefused
from oauth.models import Clock, TokenSet

ISSUER = "https://tenant.example/"
CLIENT_ID = "client-1"
AUDIENCE = "https://api.example"
SCOPES = ("orders:read", "orders:refund")
IDENTITY = {"openid", "profile", "email", "offline_access"}


@functools.cache
def signing_key() -> rsa.RSAPrivateKey:
    """One key for the whole run: making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(key: rsa.RSAPrivateKey, kid: str = "key-1") -> dict[str, Any]:
    """The public part as published."""
    return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig", "alg": "RS256"}


def sign(claims: Mapping[str, Any], *, typ: str | None = "JWT", kid: str = "key-1") -> str:
    """A token of the provider's own key."""
    payload = json.dumps(dict(claims)).encode()  # as is: PyJWT's own encoder would refuse some of what is forged
    return jwt.PyJWS().encode(payload, signing_key(), "RS256", headers={"kid": kid, "typ": typ})


class Gate:
    """Whoever comes waits here until the test goes on."""

    def __init__(self) -> None:
        self.reached, self._open = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self._open.wait()

    def open(self) -> None:
        """Let them go on."""
        self._open.set()


@dataclass
class Grant:
    """What one login gave: all its refresh tokens live and die together."""

    person: dict[str, Any]
    scopes: frozenset[str]
    current: str = ""
    spent: set[str] = field(default_factory=set)
    alive: bool = True


@dataclass
class _Login:
    nonce: str
    challenge: str
    person: dict[str, Any]
    scopes: frozenset[str]


@dataclass
class FakeProvider:
    """As `Provider`. `away` is an outage, `hold` happens before the next tokens arrive, `overlap` forgives a reuse.

    `accounts` are those that people have connected, by `sub` and connection, each with its scopes.
    With `one_grant` a revocation ends all that a person granted us. `spoil_refreshed` is in the ID token of a refresh.
    """

    clock: Clock
    lifetime: float = 3600.0
    announces_iss: bool = False
    overlap: bool = False
    one_grant: bool = False
    opaque: bool = False
    denies: bool = False
    spoil_refreshed: dict[str, Any] | None = None
    away: bool = False
    retry_after: float | None = 7.0
    away_for_keys: bool = False
    more_scopes: tuple[str, ...] = ()
    revoking: Callable[[], Awaitable[object]] | None = None
    hold: Callable[[], Awaitable[object]] | None = None
    spoil_access: dict[str, Any] = field(default_factory=dict)
    spoil_id: dict[str, Any] = field(default_factory=dict)
    omit: set[str] = field(default_factory=set)
    grants: list[Grant] = field(default_factory=list)
    accounts: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    vaulted: int = 0
    refreshes: int = 0
    exchanges: int = 0
    revoked: list[str] = field(default_factory=list)
    authorized: list[dict[str, str | None]] = field(default_factory=list)
    _codes: dict[str, _Login] = field(default_factory=dict)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def metadata(self) -> dict[str, Any]:
        """As discovered."""
        return {"issuer": ISSUER}

    async def signing_keys(self) -> dict[str, Any]:
        """The published JWK Set."""
        if self.away_for_keys:
            raise ProviderUnavailable
        return {"keys": [public_jwk(signing_key())]}

    async def answers_with_issuer(self) -> bool:
        """Whether callbacks carry `iss`."""
        return self.announces_iss

    async def authorize_url(self, *, state: str, nonce: str, verifier: str, login_hint: str | None) -> str:
        """The address of the login; what a browser would carry there is kept for `sign_in`."""
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        self.authorized.append({"state": state, "nonce": nonce, "challenge": challenge, "login_hint": login_hint})
        return f"{ISSUER}authorize?state={state}&nonce={nonce}&code_challenge={challenge}"

    def sign_in(self, url: str, email: str, *, verified: bool = True, scopes: tuple[str, ...] = SCOPES) -> str:
        """A person signs in at this address and agrees to these scopes; the code that the browser brings back."""
        asked = dict(part.split("=", 1) for part in url.partition("?")[2].split("&"))
        person = {"sub": f"auth0|{email}", "email": email, "email_verified": verified, "name": email.partition("@")[0]}
        code = secrets.token_urlsafe(16)
        self._codes[code] = _Login(asked["nonce"], asked["code_challenge"], person, frozenset(scopes))
        return code

    async def exchange(self, *, code: str, verifier: str) -> TokenSet:
        """Tokens for a code, once, to who knows the verifier."""
        await asyncio.sleep(0)
        self.exchanges += 1
        if self.away:
            raise ProviderUnavailable
        login = self._codes.pop(code, None)
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if login is None or challenge != login.challenge:
            raise LoginRefused("invalid_grant")
        grant = Grant(login.person, login.scopes, current=secrets.token_urlsafe(24))
        self.grants.append(grant)
        await self._held()
        now = self.clock().timestamp()
        claims = {
            "iss": ISSUER, "aud": CLIENT_ID, "iat": now, "exp": now + 600, "nonce": login.nonce, "sid": "session-1",
            **login.person, **self.spoil_id,
        }  # fmt: skip
        return TokenSet(
            self._access(grant, login.scopes, AUDIENCE),
            None if "refresh_token" in self.omit else grant.current,
            None if "id_token" in self.omit else sign(claims),
            self.lifetime,
            login.scopes | IDENTITY,
        )

    async def refresh(self, refresh_token: str, *, scopes: frozenset[str], audience: str) -> TokenSet:
        """Rotate; a token that was rotated away before ends the whole grant."""
        await asyncio.sleep(0)
        self.refreshes += 1
        if self.away:
            raise ProviderUnavailable(self.retry_after)
        if self.denies:
            raise GrantRefused
        grant = next((g for g in self.grants if refresh_token in {g.current, *g.spent}), None)
        if grant is None or not grant.alive:
            raise GrantDead
        if refresh_token in grant.spent and not self.overlap:
            grant.alive = False
            raise GrantDead
        if scopes - grant.scopes:
            raise ScopeRefused(scopes - grant.scopes)
        grant.spent.add(grant.current)
        grant.current = secrets.token_urlsafe(24)
        access = self._access(grant, scopes | set(self.more_scopes), audience)
        answer = TokenSet(access, grant.current, self._refreshed(grant), self.lifetime, scopes)
        await self._held()
        return answer

    async def connected(self, refresh_token: str, *, connection: str, scopes: frozenset[str]) -> TokenSet:
        """A third party's token for who has connected such an account; `scopes` are not narrowed to."""
        await asyncio.sleep(0)
        self.vaulted += 1
        if self.away:
            raise ProviderUnavailable(self.retry_after)
        grant = next((g for g in self.grants if refresh_token == g.current and g.alive), None)
        has = self.accounts.get((grant.person["sub"], connection)) if grant is not None else None
        if has is None:
            raise AccountNotConnected(connection, scopes)
        return TokenSet(secrets.token_urlsafe(24), None, None, 1800.0, has)

    def _refreshed(self, grant: Grant) -> str | None:
        """The ID token of a refresh; it has no nonce (OpenID Connect Core section 12.2)."""
        if self.spoil_refreshed is None:
            return None
        now = self.clock().timestamp()
        claims = {"iss": ISSUER, "aud": CLIENT_ID, "iat": now, "exp": now + 600, **grant.person}
        return sign(claims | self.spoil_refreshed)

    async def _held(self) -> None:
        hold, self.hold = self.hold, None
        if hold is not None:
            await hold()

    async def revoke(self, refresh_token: str) -> None:
        """End the grant; `revoking` is waited for first."""
        await (self.revoking() if self.revoking else asyncio.sleep(0))
        if self.away:
            raise ProviderUnavailable
        self.revoked.append(refresh_token)
        ended = [grant for grant in self.grants if refresh_token in {grant.current, *grant.spent}]
        for grant in self.grants:
            if grant in ended or (self.one_grant and grant.person in [one.person for one in ended]):
                grant.alive = False

    def _access(self, grant: Grant, scopes: frozenset[str], audience: str) -> str:
        if self.opaque:
            return secrets.token_urlsafe(24)
        now = self.clock().timestamp()
        claims = {
            "iss": ISSUER, "sub": grant.person["sub"], "aud": audience, "iat": now, "exp": now + self.lifetime,
            "scope": " ".join(sorted(scopes)), "jti": secrets.token_hex(8), **self.spoil_access,
        }  # fmt: skip
        return sign(claims, typ="at+jwt")

    @property
    def living(self) -> list[Grant]:
        """Grants that somebody could use yet."""
        return [grant for grant in self.grants if grant.alive]
