"""Who signed in with Slack: the claims, and the token that says them (docs.slack.dev, "Sign in with Slack";
`openid.connect.token`, `openid.connect.userInfo`)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from .authorize import Flow
from .codes import Code
from .people import Person
from .team import TEAMS

Json = dict[str, Any]
ALGORITHM = "RS256"
SECONDS = 300
_OURS = "https://slack.com/"


class Signer:
    """The key, made when it is first needed. `changed` is called then."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.key: RSAKey | None = None
        self._changed = changed

    def published(self) -> Json:
        """The JWK Set (RFC 7517 section 5)."""
        return {"keys": [self._made().as_dict(private=False)]}

    def sign(self, claims: Json) -> str:
        """A compact JWS."""
        key = self._made()
        return jwt.encode({"alg": ALGORITHM, "typ": "JWT", "kid": key.kid}, claims, key)

    def _made(self) -> RSAKey:
        if self.key is None:
            self.key = RSAKey.generate_key(2048, parameters={"use": "sig", "alg": ALGORITHM}, auto_kid=True)
            self._changed()
        return self.key


def metadata(base: str) -> Json:
    """`/.well-known/openid-configuration` (OpenID Connect Discovery section 3)."""
    return {
        "issuer": base,
        "authorization_endpoint": f"{base}{Flow.SIGN_IN.value}",
        "token_endpoint": f"{base}/api/openid.connect.token",
        "userinfo_endpoint": f"{base}/api/openid.connect.userInfo",
        "jwks_uri": f"{base}/openid/connect/keys",
        "scopes_supported": ["openid", "profile", "email"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": ["sub", "auth_time", "iss"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    }


def id_claims(code: Code, person: Person, *, issuer: str, client_id: str, access_token: str, now: datetime) -> Json:
    """The ID token's; `sub` is the user id, which is one of a workspace and of no more."""
    iat = int(now.timestamp())
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    made: Json = {
        "iss": issuer,
        "aud": client_id,
        "iat": iat,
        "exp": iat + SECONDS,
        "auth_time": int(code.at.timestamp()),
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
    }
    if code.asked.nonce is not None:
        made["nonce"] = code.asked.nonce
    return made | person_claims(code, person)


def person_claims(code: Code, person: Person) -> Json:
    """Who it is, and in which workspace, as far as the scopes open it."""
    made: Json = {"sub": person.id, f"{_OURS}user_id": person.id, f"{_OURS}team_id": code.choice.owner}
    team = TEAMS.get(code.choice.owner)
    if team is not None and team.enterprise is not None:
        made[f"{_OURS}enterprise_id"] = team.enterprise.id
        made[f"{_OURS}enterprise_name"] = team.enterprise.name
        made[f"{_OURS}enterprise_domain"] = team.enterprise.domain
    if "email" in code.asked.scopes:
        made |= {"email": person.email, "email_verified": person.confirmed}
        if person.confirmed:
            made["date_email_verified"] = 1700000000
    if "profile" in code.asked.scopes:
        given, _, family = person.real_name.partition(" ")
        made |= {"name": person.real_name, "given_name": given, "family_name": family, "locale": "en-US"}
        made[f"{_OURS}team_image_default"] = True
    return made


def team_claims(owner: str) -> Json:
    """What userInfo says of the workspace beside that."""
    team = TEAMS.get(owner)
    return {f"{_OURS}team_name": team.name, f"{_OURS}team_domain": team.domain} if team else {}
