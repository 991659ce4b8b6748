"""Auth0's passwordless API: a one-time code by e-mail, and the grant that it is worth ("Using Passwordless APIs").

Both calls come from a server, so they name the browser's address in `auth0-forwarded-for`; without it Auth0's limits
and its protection against guessing would see one caller for everybody. Auth0 heeds it where the application may set
it ("Trust Token Endpoint IP Header").
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError

from oauth.answers import answered, retry_after, token_set
from oauth.errors import LoginRefused, ProviderUnavailable
from oauth.models import TokenSet
from oauth.provider import IDENTITY_SCOPES, Provider

log = structlog.get_logger(__name__)

GRANT = "http://auth0.com/oauth/grant-type/passwordless/otp"
CONNECTION = "email"
_FORM = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
# An account that Auth0 has blocked after too many wrong codes. Said as an outage it would show that there is one.
_BLOCKED = "too_many_attempts"
_EVERY_DAY = {"invalid_grant", "mfa_required", _BLOCKED}


class Passwordless(Provider):
    """A provider that takes one-time codes as well. `ip` is the browser's address, or None where it is not known."""

    async def send_code(self, address: str, *, ip: str | None) -> None:
        """Have a code sent to an e-mail address. Raises ProviderUnavailable.

        Whether the provider refused is not for the caller to know, since that may depend on whether there is such an
        account; an operator finds it in the log.
        """
        oauth = self._oauth()
        endpoint = f"{self._issuer.rstrip('/')}/passwordless/start"
        body = {"client_id": self._client_id, "connection": CONNECTION, "email": address, "send": "code"}
        try:
            async with asyncio.timeout(self._timeout):
                answer = await oauth.request(
                    "POST",
                    endpoint,
                    json=body | _credentials(oauth, endpoint),
                    headers=_forwarded_for(ip),
                    auth=None,
                    withhold_token=True,
                )
        except (httpx2.HTTPError, TimeoutError):
            raise ProviderUnavailable from None
        if answer.is_success:
            return
        if answer.status_code == 429 or not answer.is_client_error:
            raise ProviderUnavailable(retry_after(answer))
        log.warning("code_not_sent", status=answer.status_code, error=_error(answer))

    async def redeem(self, address: str, code: str, *, ip: str | None) -> TokenSet:
        """Tokens for the newest code of an address. Raises LoginRefused or ProviderUnavailable."""
        oauth = self._oauth()
        oauth.register_compliance_hook("access_token_response", _answered)
        endpoint = (await self.metadata())["token_endpoint"]
        try:
            async with asyncio.timeout(self._timeout):
                given = await oauth.fetch_token(
                    endpoint,
                    headers=_FORM | _forwarded_for(ip),
                    grant_type=GRANT,
                    username=address,
                    otp=code,
                    realm=CONNECTION,
                    audience=self._client.audience,
                    scope=" ".join([*IDENTITY_SCOPES, *self._client.scopes]),
                )
        except OAuthError as error:
            refused = LoginRefused(str(error.error))
            if refused.error not in _EVERY_DAY:
                log.warning("code_not_redeemed", error=refused.error)
            raise refused from None
        except (httpx2.HTTPError, TimeoutError, ValueError, RecursionError):
            raise ProviderUnavailable from None
        return token_set(given, frozenset(self._client.scopes))


def _answered(answer: httpx2.Response) -> httpx2.Response:
    """As for every grant, but that a blocked account is a refusal and no overload."""
    if answer.status_code == 429 and _error(answer) == _BLOCKED:
        raise LoginRefused(_BLOCKED)
    return answered(answer)


def _credentials(oauth: Any, endpoint: str) -> dict[str, str]:
    """What authlib would add to a form, for a body in JSON: a secret, or an assertion (RFC 7523 section 2.2)."""
    auth = oauth.client_auth(oauth.token_endpoint_auth_method)
    _, _, form = auth.prepare("POST", endpoint, {}, "")
    return dict(parse_qsl(form))


def _forwarded_for(ip: str | None) -> dict[str, str]:
    return {"auth0-forwarded-for": ip} if ip else {}


def _error(answer: httpx2.Response) -> str:
    """The error's code, cut to safe letters; what else stands beside it may name the address."""
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        return ""
    return LoginRefused(str(found.get("error"))).error if isinstance(found, dict) else ""
