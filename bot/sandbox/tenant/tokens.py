"""The token endpoint, revocation and userinfo: what the application asks, not the browser.

A grant type is one function in a table; further ones join there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web

from . import claims
from .authorize import known_scopes
from .clients import Fields, authenticate, fields_of
from .model import IDENTITY_SCOPES, Refusal
from .state import Tenant, hashed

Grant = Callable[[Fields], dict[str, Any]]


@dataclass
class Tokens:
    """`POST /oauth/token`, `POST /oauth/revoke`, `/userinfo`. Counts what it is asked, also in vain."""

    tenant: Tenant
    exchange_calls: int = 0
    refresh_calls: int = 0
    revoke_calls: int = 0
    grants: dict[str, Grant] = field(init=False)

    def __post_init__(self) -> None:
        self.grants = {"authorization_code": self._exchange, "refresh_token": self._refresh}

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_post("/oauth/token", self.token)
        app.router.add_post("/oauth/revoke", self.revoke)
        app.router.add_route("*", "/userinfo", self.userinfo)

    async def token(self, request: web.Request) -> web.Response:
        """Tokens for a grant (RFC 6749 section 5)."""
        try:
            fields = await fields_of(request)
            authenticate(self.tenant, fields, request.headers.get("Authorization"))
            kind = _needed(fields, "grant_type")
            if kind not in self.grants:
                raise Refusal(403, "unsupported_grant_type", f"Unsupported grant type: {kind[:80]}")
            answer, status = self.grants[kind](fields), 200
        except Refusal as refused:
            answer, status = _body(refused), refused.status
        await self.tenant.state.save()
        return _json(answer, status)

    async def revoke(self, request: web.Request) -> web.Response:
        """End the grant of a refresh token (RFC 7009). What is unknown is as good as revoked."""
        self.revoke_calls += 1
        try:
            fields = await fields_of(request)
            authenticate(self.tenant, fields, request.headers.get("Authorization"))
            found = self.tenant.state.family_of(_needed(fields, "token"))
        except Refusal as refused:
            return _json(_body(refused), refused.status)
        if found is not None:
            self.tenant.state.end(found[0], "revoked")
            await self.tenant.state.save()
        return web.Response(headers={"Cache-Control": "no-store"})

    async def userinfo(self, request: web.Request) -> web.Response:
        """The person behind an access token (OpenID Connect Core section 5.3)."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        found = self.tenant.state.signer.verified(token) if scheme.lower() == "bearer" else None
        here = f"{self.tenant.issuer}userinfo"
        live = found is not None and found.get("exp", 0) > self.tenant.state.clock().timestamp()
        person = next((p for p in self.tenant.state.people.values() if found and p.sub == found.get("sub")), None)
        if found is None or not live or person is None or here not in (found.get("aud") or []):
            response = _json({"error": "invalid_token", "error_description": "Unauthorized"}, 401)
            response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return response
        return _json(claims.profile(person, tuple(str(found.get("scope", "")).split())), 200)

    # -- grant types

    def _exchange(self, fields: Fields) -> dict[str, Any]:
        self.exchange_calls += 1
        state = self.tenant.state
        code = state.codes.get(hashed(_needed(fields, "code")))
        if code is None or code.expires_at <= state.clock():
            raise _invalid_code()
        if code.used:
            if code.family is not None and code.family in state.families:
                state.end(state.families[code.family], "code_replayed")  # RFC 6749 section 4.1.2
            raise _invalid_code()
        code.used = True
        sent = fields.get("redirect_uri")
        if sent != code.asked.redirect_uri:
            raise Refusal(403, "unauthorized_client", "The redirect URI is wrong.")
        if not hmac.compare_digest(_challenge(_needed(fields, "code_verifier")), code.asked.challenge):
            raise Refusal(403, "invalid_grant", "Failed to verify code verifier")
        scopes = code.asked.scopes
        person = self.tenant.person(code.person)
        answer: dict[str, Any] = {}
        if "offline_access" in scopes:
            family = state.open_family(code, scopes)
            code.family = family.id
            answer["refresh_token"] = state.next_token(family)
        answer["access_token"] = claims.access_token(
            self.tenant,
            person,
            audience=code.asked.audience,
            scopes=scopes,
            organization=code.asked.organization,
            grant_type="authorization_code",
            family=code.family,
        )
        if "openid" in scopes:
            answer["id_token"] = claims.id_token(
                self.tenant,
                person,
                scopes=scopes,
                sid=code.sid,
                auth_time=code.auth_time,
                organization=code.asked.organization,
                code=code,
            )
        return answer | self._terms(scopes)

    def _refresh(self, fields: Fields) -> dict[str, Any]:
        self.refresh_calls += 1
        state = self.tenant.state
        found = state.family_of(_needed(fields, "refresh_token"))
        if found is None:
            raise _dead()
        family, token = found
        rotated = family.tokens[token]
        if rotated is not None and state.clock() >= rotated + timedelta(seconds=state.lifetimes.reuse):
            # Two have this token: one of them has stolen it, so the whole line ends ("Refresh Token Rotation").
            state.end(family, "reuse_detected")
        if not state.live(family):
            raise _dead()
        person = self.tenant.person(family.person)
        audience, scopes = self._narrowed(family.audience, family.scopes, fields)
        answer: dict[str, Any] = {"refresh_token": state.next_token(family, token)}
        answer["access_token"] = claims.access_token(
            self.tenant,
            person,
            audience=audience,
            scopes=scopes,
            organization=family.organization,
            grant_type="refresh_token",
            family=family.id,
        )
        if "openid" in scopes:
            answer["id_token"] = claims.id_token(
                self.tenant,
                person,
                scopes=scopes,
                sid=family.sid,
                auth_time=family.auth_time,
                organization=family.organization,
            )
        return answer | self._terms(scopes)

    def _narrowed(self, audience: str, granted: tuple[str, ...], fields: Fields) -> tuple[str, tuple[str, ...]]:
        """The audience and scopes of a refreshed token: never more than the grant and the API's policy hold.

        Auth0 passes over an audience or a scope that is not in them in silence ("Multi-Resource Refresh Token"), so
        the caller has to look at what came back.
        """
        wanted = fields.get("audience", audience)
        if wanted != audience and wanted in self.tenant.apis:
            identity = tuple(scope for scope in granted if scope in IDENTITY_SCOPES)
            audience, granted = wanted, (*identity, *self.tenant.apis[wanted])
        asked = fields["scope"].split() if fields.get("scope") else list(granted)
        return audience, tuple(s for s in known_scopes(asked, self.tenant.apis[audience]) if s in granted)

    def _terms(self, scopes: tuple[str, ...]) -> dict[str, Any]:
        lifetime = self.tenant.state.lifetimes.access
        return {"scope": " ".join(scopes), "expires_in": lifetime, "token_type": "Bearer"}


def _challenge(verifier: str) -> str:
    """RFC 7636 section 4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _needed(fields: Fields, name: str) -> str:
    if not fields.get(name):
        raise Refusal(400, "invalid_request", f"Missing required parameter: {name}")
    return fields[name]


def _invalid_code() -> Refusal:
    return Refusal(403, "invalid_grant", "Invalid authorization code")


def _dead() -> Refusal:
    return Refusal(403, "invalid_grant", "Unknown or invalid refresh token.")


def _body(refused: Refusal) -> dict[str, Any]:
    return {"error": refused.error, "error_description": refused.description}


def _json(body: dict[str, Any], status: int) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})
