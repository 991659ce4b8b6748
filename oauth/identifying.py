"""A login that shows who somebody is, and nothing more: no API is asked for, and nothing that it brings is kept."""

from __future__ import annotations

from oauth.errors import TokenInvalid
from oauth.provider import Provider


class Identifying(Provider):
    """The calls of such a login; whoever needs one says what else is asked for."""

    async def _identify_url(
        self, *, state: str, nonce: str, verifier: str, login_hint: str | None, **more: str | None
    ) -> str:
        """Where the browser goes: code flow with PKCE S256, and `openid` alone. Raises ProviderUnavailable."""
        extra = {
            "nonce": nonce,
            "scope": "openid",
            "organization": self._client.organization,
            "login_hint": login_hint,
            **more,
        }
        return await self._sent_to(state, verifier, extra)

    async def id_token(self, *, code: str, verifier: str) -> str:
        """The ID token for the code of that login. Raises LoginRefused, TokenInvalid or ProviderUnavailable.

        Whatever came beside it is let go of: without `offline_access` nothing of it outlives the day.
        """
        given = await self.exchange(code=code, verifier=verifier)
        if given.id_token is None:
            raise TokenInvalid("id_token")
        return given.id_token
