"""Auth0's My Account API, as far as connecting an account needs it, and the login that comes before.

(Auth0, "Connected Accounts for Token Vault"; My Account API reference, "Create a connected account request",
"Complete a connected account request".)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import httpx2
import structlog
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from oauth.accounts.errors import ConnectNotOffered, ConnectRefused
from oauth.answers import retry_after
from oauth.errors import ProviderUnavailable
from oauth.identifying import Identifying
from oauth.provider import Client

log = structlog.get_logger(__name__)

SCOPES = frozenset({"create:me:connected_accounts"})
RETURN = "/oauth/connect"
_LARGEST = 65_536
_LONGEST = 2048


def audience(issuer: str) -> str:
    """The identifier of the provider's My Account API."""
    return f"{issuer}me/"


@dataclass(frozen=True, slots=True)
class Connect:
    """Where the browser goes to allow it, and the session at the provider that is completed afterwards."""

    url: str = field(repr=False)
    session: str = field(repr=False)


class MyAccount(Identifying):
    """The protocol calls."""

    @staticmethod
    def client_of(client: Client, public_url: str) -> Client:
        """The same application, with the redirect URI that the login and the third party both come back to."""
        return replace(client, redirect_uri=f"{public_url}{RETURN}")

    async def identify_url(
        self, *, state: str, nonce: str, verifier: str, login_hint: str | None, again: bool = False
    ) -> str:
        """Where the browser goes to show whose it is: code flow with PKCE S256, and nothing asked for but that.

        With `again` whoever is signed in there is asked to sign in anew, maybe as somebody else (`prompt=login`, OpenID
        Connect Core section 3.1.2.1). Raises ProviderUnavailable.
        """
        return await self._identify_url(
            state=state, nonce=nonce, verifier=verifier, login_hint=login_hint, prompt="login" if again else None
        )

    async def connect(
        self, token: str, *, connection: str, scopes: frozenset[str], state: str, verifier: str
    ) -> Connect:
        """Begin to connect an account of whoever the token is of. Raises ConnectNotOffered or ProviderUnavailable.

        Without scopes the connection's own settings at the provider say what is asked for.
        """
        body: dict[str, object] = {
            "connection": connection,
            "redirect_uri": self._client.redirect_uri,
            "state": state,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        if scopes:
            body["scopes"] = sorted(scopes)
        try:
            given = await self._call("connect", token, body)
        except ConnectRefused:
            raise ConnectNotOffered from None  # nobody has been asked yet, so it is none of the person's
        params = given.get("connect_params")
        ticket = params.get("ticket") if isinstance(params, dict) else None
        url, session = given.get("connect_uri"), given.get("auth_session")
        if not (_is_text(ticket) and _is_text(session) and _is_text(url) and self._is_page(str(url))):
            raise ProviderUnavailable
        return Connect(str(add_params_to_uri(str(url), [("ticket", str(ticket))])), str(session))

    async def complete(self, token: str, *, session: str, code: str, verifier: str) -> None:
        """The account belongs to the token's person from here on. Raises ConnectRefused or ProviderUnavailable."""
        body = {
            "auth_session": session,
            "connect_code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": verifier,
        }
        await self._call("complete", token, body)

    def _is_page(self, url: str) -> bool:
        """Whether a browser may be sent there: an address of the provider's own kind, https where its issuer is."""
        parts = urlsplit(url)
        return parts.scheme == urlsplit(self._client.issuer).scheme and bool(parts.hostname)

    async def _call(self, step: str, token: str, body: Mapping[str, object]) -> dict[str, Any]:
        address = f"{audience(self._client.issuer)}v1/connected-accounts/{step}"
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._http.stream("POST", address, json=body, headers=headers) as answer,
            ):
                text = b""
                async for part in answer.aiter_bytes():
                    text += part
                    if len(text) > _LARGEST:
                        raise ProviderUnavailable
                if answer.status_code == 429 or answer.status_code >= 500:
                    raise ProviderUnavailable(retry_after(answer))
                found = httpx2.Response(200, content=text).json()
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError, RecursionError):
            raise ProviderUnavailable from None
        if not isinstance(found, dict):
            raise ProviderUnavailable
        if answer.status_code not in {200, 201}:
            # For whoever runs the bot: most often the provider's settings are not complete. What is about this one call
            # (RFC 9457 section 3.1.4, `detail`) could repeat what we sent, so it is left out.
            said = {name: str(found[name])[:100] for name in ("type", "title") if name in found}
            log.warning("my_account_refused", step=step, status=answer.status_code, **said)
            raise ConnectRefused(f"http_{answer.status_code}")
        return found


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST
