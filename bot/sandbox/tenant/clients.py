"""Is it really the application that calls? (RFC 6749 section 2.3, RFC 7523 section 2.2)"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from aiohttp import web
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from .model import Refusal
from .tenant import Tenant

Fields = Mapping[str, str]
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHMS = ["RS256", "RS384", "PS256"]


async def fields_of(request: web.Request) -> dict[str, str]:
    """The parameters of a form, or of JSON, which Auth0 takes as well. Raises Refusal."""
    if request.content_type == "application/json":
        try:
            found = await request.json()
        except (ValueError, RecursionError):
            raise Refusal(400, "invalid_request", "The body is not JSON") from None
        if not isinstance(found, dict):
            raise Refusal(400, "invalid_request", "The body is not an object")
        return {name: value for name, value in found.items() if isinstance(value, str)}
    form = await request.post()
    if any(len(form.getall(name)) > 1 for name in form):
        raise Refusal(400, "invalid_request", "A parameter was sent twice")
    return {name: value for name, value in form.items() if isinstance(value, str)}


def authenticate(tenant: Tenant, fields: Fields, authorization: str | None) -> None:
    """Let the registered application through, by the one method that fits. Raises Refusal."""
    if tenant.application.key is not None:
        if fields.get("client_assertion_type") != ASSERTION or not _asserted(tenant, fields):
            raise _unauthorized()
        return
    client_id, secret = fields.get("client_id", ""), fields.get("client_secret", "")
    if authorization is not None:
        if secret:
            raise Refusal(400, "invalid_request", "The client proves itself in two ways at once")
        client_id, secret = _basic(authorization)
    known = tenant.application
    same_secret = hmac.compare_digest(secret.encode(), known.secret.encode())
    if client_id != known.client_id or not same_secret:
        raise _unauthorized()


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, value = authorization.partition(" ")
    try:
        pair = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _unauthorized() from None
    client_id, colon, secret = pair.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _unauthorized()
    return unquote_plus(client_id), unquote_plus(secret)


def _asserted(tenant: Tenant, fields: Fields) -> bool:
    """Whether the assertion is the application's own, for us, in time, and new."""
    known, now = tenant.application, tenant.state.clock()
    key = import_key(json.loads(json.dumps(known.key)))
    try:
        claims = jwt.decode(fields.get("client_assertion", ""), key, algorithms=ASSERTION_ALGORITHMS).claims
    except (JoseError, ValueError):
        return False
    audiences = claims.get("aud")
    for_us = {tenant.issuer, f"{tenant.issuer}oauth/token"}
    expires, name = claims.get("exp"), claims.get("jti")
    if (
        claims.get("iss") != known.client_id
        or claims.get("sub") != known.client_id
        or fields.get("client_id", known.client_id) != known.client_id
        or not for_us & set(audiences if isinstance(audiences, list) else [audiences])
        or not isinstance(expires, int)
        or expires <= now.timestamp()
        or not isinstance(name, str)
    ):
        return False
    seen = tenant.state.assertions
    for old in [jti for jti, until in seen.items() if until <= now]:
        del seen[old]
    if name in seen:
        return False
    seen[name] = datetime.fromtimestamp(expires, UTC)
    return True


def _unauthorized() -> Refusal:
    return Refusal(401, "access_denied", "Unauthorized")
