"""The token endpoint, revocation and userinfo: what the application asks, not the browser.

A grant type is one function in a table; further ones join there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web

from . import claims
from .authorize import known_scopes
from .clients import Fields, authenticate, fields_of
from .model import IDENTITY_SCOPES, Code, Family, Person, Refusal, SignedIn
from .state import hashed
from .tenant import Tenant

Grant = Callable[[Fields], Awaitable[dict[str, Any]]]


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
            kind = needed(fields, "grant_type")
            if kind not in self.grants:
                raise Refusal(403, "unsupported_grant_type", f"Unsupported grant type: {kind[:80]}")
            answer, status = await self.grants[kind](fields), 200
        except Refusal as refused:
            answer, status = refused.body(), refused.status
        await self.tenant.state.save()
        return answered(answer, status)

    async def revoke(self, request: web.Request) -> web.Response:
        """End the grant of a refresh token (RFC 7009). What is unknown is as good as revoked."""
        self.revoke_calls += 1
        try:
            fields = await fields_of(request)
            authenticate(self.tenant, fields, request.headers.get("Authorization"))
            found = self.tenant.state.family_of(needed(fields, "token"))
        except Refusal as refused:
            return answered(refused.body(), refused.status)
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
            response = answered({"error": "invalid_token", "error_description": "Unauthorized"}, 401)
            response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return response
        return answered(claims.profile(person, tuple(str(found.get("scope", "")).split())), 200)

    def begin(self, signed: SignedIn, grant_type: str, code: Code | None = None) -> dict[str, Any]:
        """The answer to a login; with `offline_access` it has a refresh token. Raises Refusal."""
        person = self.tenant.member(signed.person, signed.organization)
        answer: dict[str, Any] = {}
        family = None
        if "offline_access" in signed.scopes:
            opened = self.tenant.state.open_family(signed, rotating=self.tenant.application.rotation)
            answer["refresh_token"], family = self.tenant.state.next_token(opened), opened.id
        if code is not None:
            code.family = family
        return answer | self._issue(person, signed, grant_type, family, code)

    def _issue(
        self, person: Person, signed: SignedIn, grant_type: str, family: str | None, code: Code | None = None
    ) -> dict[str, Any]:
        """An access token and, with `openid`, an ID token, with what RFC 6749 section 5.1 puts beside them."""
        answer: dict[str, Any] = {
            "access_token": claims.access_token(
                self.tenant,
                person,
                audience=signed.audience,
                scopes=signed.scopes,
                organization=signed.organization,
                grant_type=grant_type,
                family=family,
            ),
            "scope": " ".join(signed.scopes),
            "expires_in": self.tenant.state.lifetimes.access,
            "token_type": "Bearer",
        }
        if "openid" in signed.scopes:
            answer["id_token"] = claims.id_token(
                self.tenant,
                person,
                scopes=signed.scopes,
                sid=signed.sid,
                auth_time=signed.auth_time,
                organization=signed.organization,
                code=code,
            )
        return answer

    # -- grant types

    async def _exchange(self, fields: Fields) -> dict[str, Any]:
        self.exchange_calls += 1
        state = self.tenant.state
        code = state.codes.get(hashed(needed(fields, "code")))
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
        if not hmac.compare_digest(_challenge(needed(fields, "code_verifier")), code.asked.challenge):
            raise Refusal(403, "invalid_grant", "Failed to verify code verifier")
        asked = code.asked
        signed = SignedIn(code.person, asked.audience, asked.scopes, code.sid, code.auth_time, asked.organization)
        return self.begin(signed, "authorization_code", code)

    async def _refresh(self, fields: Fields) -> dict[str, Any]:
        self.refresh_calls += 1
        state = self.tenant.state
        family, token = self._presented(needed(fields, "refresh_token"))
        person = self.tenant.member(family.person, family.organization)
        audience, scopes = self._narrowed(family.audience, family.scopes, fields)
        rules = self.tenant.organizations
        organization = rules.named if rules.forged else family.organization
        signed = SignedIn(person.id, audience, scopes, family.sid, family.auth_time, organization)
        renewed = state.renewed(family, token, rotating=self.tenant.application.rotation)
        answer = {} if renewed is None else {"refresh_token": renewed}
        return answer | self._issue(person, signed, "refresh_token", family.id)

    def subject(self, refresh_token: str) -> Family:
        """The grant of a refresh token that is shown for something else than its own renewal. Raises Refusal."""
        family, _ = self._presented(refresh_token)
        self.tenant.state.touch(family)
        return family

    def _presented(self, refresh_token: str) -> tuple[Family, str]:
        """The live grant that a refresh token belongs to, and the token's hash. Raises Refusal."""
        state = self.tenant.state
        found = state.family_of(refresh_token)
        if found is None:
            raise _dead()
        family, token = found
        rotated = family.tokens[token]
        if rotated is not None and state.clock() >= rotated + timedelta(seconds=state.lifetimes.reuse):
            # Two have this token: one of them has stolen it, so the whole line ends ("Refresh Token Rotation").
            state.end(family, "reuse_detected")
        if not state.live(family):
            raise _dead()
        return family, token

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
        return audience, tuple(s for s in known_scopes(asked, self.tenant.apis.get(audience, ())) if s in granted)


def _challenge(verifier: str) -> str:
    """RFC 7636 section 4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def needed(fields: Fields, name: str) -> str:
    """A parameter that must be there. Raises Refusal."""
    if not fields.get(name):
        raise Refusal(400, "invalid_request", f"Missing required parameter: {name}")
    return fields[name]


def _invalid_code() -> Refusal:
    return Refusal(403, "invalid_grant", "Invalid authorization code")


def _dead() -> Refusal:
    return Refusal(403, "invalid_grant", "Unknown or invalid refresh token.")


def answered(body: Mapping[str, Any], status: int, **headers: str) -> web.Response:
    """JSON that nobody keeps (RFC 6749 section 5.1)."""
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store", "Pragma": "no-cache"} | headers)
