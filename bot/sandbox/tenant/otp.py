"""The passwordless OTP grant: a code that was sent, for tokens ("Authenticate User", "Using Passwordless APIs").

There is no browser in it, so the ID token has no `nonce` and, since Auth0's organizations are for its own login page
only ("Organizations Overview", limitations), no token has an `org_id`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any

from .authorize import known_scopes
from .clients import Fields
from .model import Person, Refusal, SignedIn
from .passwordless import CONNECTION
from .people import by_address, newcomer
from .tenant import Tenant
from .tokens import Tokens, needed

GRANT = "http://auth0.com/oauth/grant-type/passwordless/otp"


@dataclass
class OtpGrant:
    """Joins the token endpoint's table. Counts what it is asked, also in vain."""

    tenant: Tenant
    tokens: Tokens
    calls: int = 0

    def __post_init__(self) -> None:
        self.tokens.grants[GRANT] = self.redeem

    async def redeem(self, fields: Fields) -> dict[str, Any]:
        """Tokens for `username` and `otp`. Raises Refusal, before the code is touched where the request is wrong."""
        self.calls += 1
        state = self.tenant.state
        address, code, realm = (needed(fields, name) for name in ("username", "otp", "realm"))
        if realm != CONNECTION:
            raise Refusal(400, "invalid_request", "the connection was not found")
        if not self.tenant.passwordless.enabled:
            raise Refusal(400, "invalid_request", "the connection was disabled")
        audience = fields.get("audience", "")
        if audience not in self.tenant.apis:
            raise Refusal(403, "access_denied", f"Service not found: {audience[:200]}")
        scopes = known_scopes(fields.get("scope", "").split(), self.tenant.apis[audience])
        state.mailbox.redeem(address, code)
        person = self._proved(address)
        if person.needs_mfa:
            token = f"Fe26.2**{secrets.token_urlsafe(48)}"
            raise Refusal(403, "mfa_required", "Multifactor authentication required", mfa_token=token)
        signed = SignedIn(person.id, audience, scopes, state.session_of(None, person), state.clock())
        return self.tokens.begin(signed, GRANT)

    def _proved(self, address: str) -> Person:
        """Whose address it is; that they have read a mail sent to it verifies it."""
        state = self.tenant.state
        person = by_address(state.people, address) or newcomer(address.casefold())
        if person.id not in state.people or not person.email_verified:
            person = replace(person, email_verified=True)
            state.change(person)
        return person
