"""The login at the provider that authenticates somebody anew, with a second factor."""

from __future__ import annotations

from dataclasses import replace

from oauth.identifying import Identifying
from oauth.provider import Client

RETURN = "/oauth/step-up"
# What Auth0 calls it (Auth0, "Configure Step-up Authentication for Web Apps").
MFA = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"


class StepUpLogin(Identifying):
    """The protocol calls."""

    @staticmethod
    def client_of(client: Client, public_url: str) -> Client:
        """The same application, with the redirect URI that this login comes back to."""
        return replace(client, redirect_uri=f"{public_url}{RETURN}")

    async def authenticate_url(self, *, state: str, nonce: str, verifier: str, login_hint: str | None) -> str:
        """Where the browser goes. Raises ProviderUnavailable.

        `max_age=0` lets no session do, and makes the ID token say when it was (OpenID Connect Core section 3.1.2.1).
        A browser can take both parameters out on the way where the request is not pushed, so what comes back is what
        is believed.
        """
        return await self._identify_url(
            state=state, nonce=nonce, verifier=verifier, login_hint=login_hint, max_age="0", acr_values=MFA
        )
