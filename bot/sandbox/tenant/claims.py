"""What the tenant's tokens say. Shapes as in Auth0's "Access Token Profiles" and "ID Token Structure"."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from .authorize import MFA
from .model import Code, Issued, Person
from .tenant import Tenant

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_SECONDS = 120


def access_token(
    tenant: Tenant,
    person: Person,
    *,
    audience: str,
    scopes: tuple[str, ...],
    organization: str | None,
    grant_type: str,
    family: str | None,
) -> str:
    """An access token of Auth0's default profile, with a `jti` so that an audit can be joined to the log.

    Where no API was asked for it is for `/userinfo` alone. Auth0's is opaque then: a client must not read it.
    """
    now = tenant.state.clock()
    jti = secrets.token_urlsafe(16)
    userinfo = f"{tenant.issuer}userinfo"
    claims: dict[str, Any] = {
        "iss": tenant.issuer,
        "sub": person.sub,
        "aud": ([audience, userinfo] if "openid" in scopes else audience) if audience else userinfo,
        "iat": _seconds(now),
        "exp": _seconds(now) + tenant.state.lifetimes.access,
        "scope": " ".join(scopes),
        "jti": jti,
        "azp": tenant.application.client_id,
    }
    if organization is not None:
        claims["org_id"] = organization
    tenant.state.issued.append(Issued(now, grant_type, person.sub, audience, scopes, jti, family))
    return tenant.state.signer.sign(claims)


def id_token(
    tenant: Tenant,
    person: Person,
    *,
    scopes: tuple[str, ...],
    sid: str,
    auth_time: datetime,
    organization: str | None,
    code: Code | None = None,
    with_mfa: bool = False,
    more: Mapping[str, Any] | None = None,
) -> str:
    """An ID token; with `nonce` and, after a second factor, `acr` and `amr` only where it answers a `code`, or a
    question on the person's phone (`with_mfa`). `more` are claims beside these.

    Auth0's refreshed ID tokens lack `amr`.
    """
    now = _seconds(tenant.state.clock())
    claims = profile(person, scopes) | {
        "iss": tenant.issuer,
        "aud": tenant.application.client_id,
        "iat": now,
        "exp": now + tenant.state.lifetimes.identity,
        "sid": sid,
        "auth_time": _seconds(auth_time),
    }
    if organization is not None:
        claims["org_id"] = organization
    if code is not None and code.asked.nonce is not None:
        claims["nonce"] = code.asked.nonce
    if with_mfa or (code is not None and code.with_mfa):
        claims |= {"acr": MFA, "amr": ["mfa"]}
    return tenant.state.signer.sign(claims | dict(more or {}))


def logout_token(tenant: Tenant, sub: str, sid: str | None) -> str:
    """A logout token (OpenID Connect Back-Channel Logout section 2.4)."""
    now = _seconds(tenant.state.clock())
    claims: dict[str, Any] = {
        "iss": tenant.issuer,
        "sub": sub,
        "aud": tenant.application.client_id,
        "iat": now,
        "exp": now + _LOGOUT_SECONDS,
        "jti": secrets.token_urlsafe(16),
        "events": {LOGOUT_EVENT: {}},
    }
    if sid is not None:
        claims["sid"] = sid
    return tenant.state.signer.sign(claims, typ="logout+jwt")


def profile(person: Person, scopes: tuple[str, ...]) -> dict[str, Any]:
    """The claims about a person that these scopes open (OpenID Connect Core section 5.4)."""
    claims: dict[str, Any] = {"sub": person.sub}
    if "profile" in scopes:
        given, _, family = person.name.partition(" ")
        claims |= {
            "name": person.name,
            "given_name": given,
            "family_name": family,
            "nickname": person.nickname,
            "picture": f"https://cdn.auth0.com/avatars/{quote(person.initials.lower())}.png",
        }
    if "email" in scopes:
        claims |= {"email": person.email, "email_verified": person.email_verified}
    return claims


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
