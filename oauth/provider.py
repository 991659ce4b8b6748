"""The OpenID provider: signing in, refreshing and revoking."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlsplit

import httpx2
import structlog
from authlib.common.urls import add_params_to_uri
from authlib.integrations.base_client import OAuthError

from oauth.answers import answered_of_connection, retry_after, token_set
from oauth.errors import (
    AccountNotConnected,
    GrantDead,
    GrantRefused,
    LoginRefused,
    ProviderRefused,
    ProviderUnavailable,
    ScopeRefused,
)
from oauth.models import Clock, TokenSet
from oauth.relying_party import TIMEOUT, RelyingParty

log = structlog.get_logger(__name__)

IDENTITY_SCOPES = ("openid", "profile", "email", "offline_access")
_PASSING = ("server_error", "temporarily_unavailable")
_TOKEN_VAULT = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"  # noqa: S105 - a name
_REFRESH_TOKEN = "urn:ietf:params:oauth:token-type:refresh_token"  # noqa: S105 - a name, RFC 8693 section 3
_CONNECTED_TOKEN = "http://auth0.com/oauth/token-type/federated-connection-access-token"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class Client:
    """Our application at the provider. One of `secret` and `key` (a private key as JWK or PEM, RFC 7523) is set."""

    issuer: str
    client_id: str
    redirect_uri: str
    audience: str
    scopes: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    organization: str | None = None


class Provider(RelyingParty):
    """The protocol calls, each with its time-out. Holds no token between calls."""

    def __init__(self, client: Client, clock: Clock, *, timeout: float = TIMEOUT) -> None:
        """`timeout` in seconds, for each call from beginning to end. Raises ValueError for a key that is none."""
        super().__init__(
            client.issuer,
            client.client_id,
            client.redirect_uri,
            clock,
            secret=client.secret,
            key=client.key,
            timeout=timeout,
        )
        self._client = client

    async def authorize_url(self, *, state: str, nonce: str, verifier: str, login_hint: str | None) -> str:
        """Where the browser goes to sign in: code flow with PKCE S256 (RFC 7636), our audience and scopes.

        `prompt=consent` because offline access asks for it (OpenID Connect Core section 11). Where discovery offers it,
        the request goes to the provider directly and the browser carries its name only (PAR, RFC 9126).
        """
        extra = {
            "audience": self._client.audience,
            "nonce": nonce,
            "prompt": "consent",
            "scope": " ".join([*IDENTITY_SCOPES, *self._client.scopes]),
            "organization": self._client.organization,
            "login_hint": login_hint,
        }
        return await self._sent_to(state, verifier, extra)

    async def _sent_to(self, state: str, verifier: str, extra: Mapping[str, str | None]) -> str:
        """The address of a login; what is None in `extra` is left out. Raises ProviderUnavailable."""
        found = await self.metadata()
        oauth = self._oauth()
        url, _ = oauth.create_authorization_url(
            found["authorization_endpoint"],
            state=state,
            code_verifier=verifier,
            **{name: value for name, value in extra.items() if value},
        )
        pushed = found.get("pushed_authorization_request_endpoint")
        name = await self._pushed(pushed, str(url)) if isinstance(pushed, str) else None
        if name is None and found.get("require_pushed_authorization_requests") is True:
            raise ProviderUnavailable
        if name is None:
            return str(url)
        short = {"client_id": self._client.client_id, "request_uri": name}
        return str(add_params_to_uri(found["authorization_endpoint"], list(short.items())))

    async def _pushed(self, endpoint: str, url: str) -> str | None:
        """The name of a request that was handed over; None where the provider does not take it from us.

        Auth0 lists the endpoint also where the application may not use it, and then the browser carries it all.
        """
        try:
            answer = await self.posted(endpoint, dict(parse_qsl(urlsplit(url).query)))
            name = answer.json().get("request_uri") if answer.status_code == 201 else None
        except (ProviderUnavailable, ValueError, AttributeError, RecursionError):
            return None
        return name if isinstance(name, str) and name else None

    async def exchange(self, *, code: str, verifier: str) -> TokenSet:
        """Tokens for an authorization code. Raises LoginRefused or ProviderUnavailable."""
        asked = frozenset(self._client.scopes)
        return await self._token(
            asked, LoginRefused, grant_type="authorization_code", code=code, code_verifier=verifier
        )

    async def refresh(self, refresh_token: str, *, scopes: frozenset[str], audience: str) -> TokenSet:
        """A new access token narrowed to `scopes` (RFC 6749 section 6), and the next refresh token.

        Leaving `scope` out would ask for the whole grant, so an action that needs no scope asks for `openid` alone.
        Raises GrantDead, ScopeRefused or ProviderUnavailable. Auth0 answers `access_denied` where a rule of the tenant
        or the end of a membership forbids it.
        """
        return await self._token(
            scopes,
            GrantDead,
            grant_type="refresh_token",
            refresh_token=refresh_token,
            scope=" ".join(sorted(scopes)) or "openid",
            audience=audience,
        )

    async def connected(self, refresh_token: str, *, connection: str, scopes: frozenset[str]) -> TokenSet:
        """A third party's access token out of Auth0's Token Vault ("Refresh Token Exchange with Token Vault").

        It cannot be narrowed, and `scopes` are what it has if the answer names none. Raises AccountNotConnected, also
        where the refresh token is not taken: connecting the account shows whether the grant is alive. Raises
        ProviderUnavailable.
        """
        try:
            body = {
                "grant_type": _TOKEN_VAULT,
                "subject_token": refresh_token,
                "subject_token_type": _REFRESH_TOKEN,
                "requested_token_type": _CONNECTED_TOKEN,
                "connection": connection,
            }
            given = await self._granted(body, answered_of_connection)
        except OAuthError as error:
            if error.error in ("invalid_client", "unauthorized_client"):  # no set: it may be anything that JSON knows
                raise _refused("token_vault", error) from None
            raise AccountNotConnected(connection, scopes) from None
        # Nothing beside it is ours: a refresh token in this answer would be the third party's.
        return replace(token_set(given, scopes), refresh_token=None, id_token=None)

    async def revoke(self, refresh_token: str) -> None:
        """End the grant behind a refresh token (RFC 7009). Raises ProviderUnavailable."""
        endpoint = (await self.metadata()).get("revocation_endpoint")
        if not isinstance(endpoint, str):
            return
        oauth = self._oauth()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await oauth.revoke_token(endpoint, token=refresh_token, token_type_hint="refresh_token")  # noqa: S106
        except (httpx2.HTTPError, TimeoutError):
            raise ProviderUnavailable from None
        # A token that is unknown or over is answered 200 (RFC 7009 section 2.2), and 400 will not change by itself;
        # anything else may, as our own credentials that an operator has to mend.
        if answer.status_code not in {200, 204, 400}:
            raise ProviderUnavailable(retry_after(answer))

    async def _token(self, asked: frozenset[str], refused: type[Exception], **body: str) -> TokenSet:
        try:
            given = await self._granted(body)
        except OAuthError as error:
            if error.error == "invalid_grant" and refused is GrantDead:
                raise GrantDead from None
            if error.error == "access_denied" and refused is GrantDead:
                raise GrantRefused from None
            if error.error == "invalid_scope" and refused is GrantDead:
                raise ScopeRefused(asked) from None
            if refused is GrantDead:
                raise _refused("refresh", error) from None
            raise LoginRefused(str(error.error)) from None
        return token_set(given, asked)


def _refused(what: str, error: OAuthError) -> ProviderUnavailable:
    """What no person can mend. Two errors of RFC 6749 section 4.1.2.1 say that it will pass."""
    if error.error in _PASSING:
        return ProviderUnavailable()
    log.error("provider_refused", asked_for=what, error=LoginRefused(str(error.error)).error)
    return ProviderRefused(untouched=True)
