"""What the tenant says of itself: its discovery document and its keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .authorize import MFA
from .clients import ASSERTION_ALGORITHMS
from .keys import ALGORITHM
from .model import IDENTITY_SCOPES
from .tenant import Tenant
from .tokens import Tokens

_KEPT = {"Cache-Control": "public, max-age=15"}


@dataclass(frozen=True, slots=True)
class Metadata:
    """The handlers, bound to what they tell of."""

    tenant: Tenant
    tokens: Tokens

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/.well-known/openid-configuration", self.discovery)
        app.router.add_get("/.well-known/jwks.json", self.jwks)

    async def discovery(self, _: web.Request) -> web.Response:
        """OpenID Connect Discovery section 3, with the members that Auth0 has and this tenant can keep."""
        issuer = self.tenant.issuer
        document: dict[str, Any] = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}authorize",
            "token_endpoint": f"{issuer}oauth/token",
            "userinfo_endpoint": f"{issuer}userinfo",
            "jwks_uri": f"{issuer}.well-known/jwks.json",
            "revocation_endpoint": f"{issuer}oauth/revoke",
            "scopes_supported": [*IDENTITY_SCOPES],
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "response_modes_supported": ["query"],
            "subject_types_supported": ["public"],
            "acr_values_supported": [MFA],
            "grant_types_supported": sorted(self.tokens.grants),
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
            "claims_supported": [
                *("aud", "auth_time", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss"),
                *("name", "nickname", "picture", "sub"),
            ],
            "backchannel_authentication_endpoint": f"{issuer}bc-authorize",
            "backchannel_token_delivery_modes_supported": ["poll"],
            "backchannel_user_code_parameter_supported": False,
            "authorization_details_types_supported": ["countersign_action"],
            "request_uri_parameter_supported": False,
            "request_parameter_supported": False,
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
        }
        if self.tenant.issuer_in_response:
            document["authorization_response_iss_parameter_supported"] = True
        return web.json_response(document, headers=_KEPT)

    async def jwks(self, _: web.Request) -> web.Response:
        """The public keys (RFC 7517 section 5)."""
        return web.json_response(self.tenant.state.signer.published(), headers=_KEPT)
