"""Us at one OpenID provider, spoken to through authlib: its addresses, its keys, and the code flow.

Everything but the issuer comes from the provider's discovery document.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT

from oauth.answers import answered, retry_after
from oauth.client_key import private_key, signature_algorithm
from oauth.discovery import Discovery
from oauth.errors import ProviderUnavailable
from oauth.models import Clock

ReadAnswer = Callable[[httpx2.Response], httpx2.Response]

TIMEOUT = 10.0
_ASSERTION_SECONDS = 60
_LARGEST = 262_144
_OF_THE_BODY = {"content-encoding", "content-length", "transfer-encoding"}  # as it came, and not as it is passed on


class RelyingParty:
    """The calls that any OpenID provider answers, each with its time-out. Holds no token between calls."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        redirect_uri: str,
        clock: Clock,
        *,
        secret: str | None = None,
        key: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """One of `secret` and `key` (a private key as JWK or PEM, RFC 7523) is set. `timeout` in seconds, for each
        call from beginning to end. Raises ValueError for a key that is none.
        """
        self._issuer = issuer
        self._client_id = client_id
        self._redirect_uri = redirect_uri
        self._secret = secret
        self._clock = clock
        self._key = private_key(key) if key else None
        self._http = httpx2.AsyncClient(timeout=timeout, follow_redirects=False)
        self._timeout = timeout
        self._discovery = Discovery(issuer, self._json, clock)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    @property
    def known(self) -> bool:
        """Whether the provider's addresses are known."""
        return self._discovery.known

    async def metadata(self) -> Mapping[str, Any]:
        """The discovery document. Raises ProviderUnavailable, also when the document is another issuer's."""
        return await self._discovery.document()

    async def signing_keys(self) -> dict[str, Any]:
        """The published JWK Set. Raises ProviderUnavailable."""
        return await self._json(str((await self.metadata())["jwks_uri"]))

    async def answers_with_issuer(self) -> bool:
        """Whether callbacks carry `iss` (RFC 9207 section 3)."""
        return (await self.metadata()).get("authorization_response_iss_parameter_supported") is True

    async def _granted(self, body: Mapping[str, str], read: ReadAnswer = answered) -> dict[str, Any]:
        """What the token endpoint gives (RFC 6749 section 5.1), read by `read`.

        Raises authlib's OAuthError, ProviderUnavailable.
        """
        oauth = self._oauth()
        for hook in ("access_token_response", "refresh_token_response"):
            oauth.register_compliance_hook(hook, read)
        endpoint = (await self.metadata())["token_endpoint"]
        try:
            async with asyncio.timeout(self._timeout):
                if body["grant_type"] == "refresh_token":
                    given = await oauth.refresh_token(
                        endpoint,
                        refresh_token=body["refresh_token"],
                        scope=body["scope"],
                        audience=body["audience"],
                    )
                elif body["grant_type"] == "authorization_code":
                    given = await oauth.fetch_token(endpoint, redirect_uri=self._redirect_uri, **body)
                else:
                    given = await oauth.fetch_token(endpoint, **body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            raise ProviderUnavailable(untouched=True) from None
        except (httpx2.HTTPError, TimeoutError, ValueError, RecursionError):
            raise ProviderUnavailable from None
        return dict(given)

    async def granted(self, body: Mapping[str, str]) -> dict[str, Any]:
        """For a grant of its own. Raises authlib's OAuthError, ProviderUnavailable."""
        return await self._granted(body)

    async def posted(self, endpoint: str, form: Mapping[str, str]) -> httpx2.Response:
        """A form under our own credentials. Raises ProviderUnavailable."""
        oauth = self._oauth()
        # authlib writes it beside the secret only, and twice is refused.
        sent = {name: value for name, value in form.items() if name != "client_id"}
        if self._key is not None:
            sent["client_id"] = self._client_id
        try:
            async with asyncio.timeout(self._timeout):
                auth = oauth.client_auth(oauth.token_endpoint_auth_method)
                answer = await oauth.request("POST", endpoint, data=sent, auth=auth, withhold_token=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            raise ProviderUnavailable(untouched=True) from None
        except (httpx2.HTTPError, TimeoutError, ValueError):
            raise ProviderUnavailable from None
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def _oauth(self) -> Any:
        """A client for one call: authlib's keeps the last token, and its refresh lock is of no use across processes.

        It borrows our connections and is never closed, since that would close them.
        """
        method = "private_key_jwt" if self._key else "client_secret_post"
        oauth = AsyncOAuth2Client(
            self._client_id,
            self._key or self._secret,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            transport=_Borrowed(self._http),
            timeout=self._timeout,
        )
        if self._key:
            now = int(self._clock().timestamp())
            claims = {"iat": now, "exp": now + _ASSERTION_SECONDS}
            method = PrivateKeyJWT(
                self._issuer, claims, {"kid": self._key.kid} if self._key.kid else {}, signature_algorithm(self._key)
            )
            oauth.register_client_auth_method(method)
        return oauth

    async def _json(self, address: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._timeout), self._http.stream("GET", address) as answer:
                if answer.status_code != 200:
                    raise ProviderUnavailable(retry_after(answer))
                found = httpx2.Response(200, content=await _whole(answer)).json()
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError, RecursionError):
            raise ProviderUnavailable from None
        if not isinstance(found, dict):
            raise ProviderUnavailable
        return found


class _Borrowed(httpx2.AsyncBaseTransport):
    """Sends through another client's connections, and reads what comes up to a bound."""

    def __init__(self, lender: httpx2.AsyncClient) -> None:
        self._lender = lender

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._lender.send(request, stream=True)
        try:
            body = await _whole(answer)
        finally:
            await answer.aclose()
        headers = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in _OF_THE_BODY]
        return httpx2.Response(answer.status_code, headers=headers, content=body)


async def _whole(answer: httpx2.Response) -> bytes:
    """The body, unpacked. Raises httpx2's error for an answer that keeps to no protocol where it is too long."""
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > _LARGEST:
            raise httpx2.RemoteProtocolError("the answer is too long")
    return body
