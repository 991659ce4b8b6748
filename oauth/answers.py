"""What the provider answers, made into our nouns or into errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeGuard

import httpx2

from oauth.errors import ProviderUnavailable
from oauth.models import TokenSet

_ABOUT_US = ("invalid_client", "access_denied", "unauthorized_client")


def answered(answer: httpx2.Response) -> httpx2.Response:
    """Overload and outage are not the person's fault, whatever the body says; nor is what is not even an object.

    The lifetime is made a number here: authlib fails on one that is none, and the tokens beside it would be lost.
    """
    return _answered(answer, ())


def answered_of_connection(answer: httpx2.Response) -> httpx2.Response:
    """The same for an exchange at Auth0's Token Vault, where 401 says as well that there is nothing to exchange."""
    return _answered(answer, _ABOUT_US)


def _answered(answer: httpx2.Response, about_us: tuple[str, ...]) -> httpx2.Response:
    """`about_us` are the errors of a 401 that are about our own credentials; none named means all."""
    if answer.status_code == 429:
        raise ProviderUnavailable(retry_after(answer), untouched=True)
    if answer.status_code >= 500:  # which a gateway may say after the provider has done its part
        raise ProviderUnavailable(retry_after(answer))
    body = answer.json()
    if not isinstance(body, dict):
        raise ProviderUnavailable
    if answer.status_code == 401 and (not about_us or body.get("error") in about_us):
        # About our own credentials (RFC 6749 section 5.2), and never about a person; Auth0 calls it `access_denied`.
        body["error"] = "invalid_client"
    body.pop("expires_at", None)
    body["expires_in"] = _seconds(body.get("expires_in"))
    return httpx2.Response(answer.status_code, content=json.dumps(body).encode())


def retry_after(answer: httpx2.Response) -> float | None:
    """`Retry-After` in seconds, if it is sensible."""
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() and len(value) < 6 else None


def token_set(given: Mapping[str, Any], asked: frozenset[str]) -> TokenSet:
    """A missing `scope` means: as asked (RFC 6749 section 5.1)."""
    access, refresh, identity = (given.get(n) for n in ("access_token", "refresh_token", "id_token"))
    if not _is_token(access) or str(given.get("token_type", "")).lower() != "bearer":
        raise ProviderUnavailable
    if isinstance(refresh, str) and refresh and not _is_token(refresh):
        raise ProviderUnavailable
    scope = given.get("scope")
    return TokenSet(
        access_token=access,
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        id_token=identity if isinstance(identity, str) else None,
        expires_in=given["expires_in"],
        scopes=frozenset(scope.split()) if isinstance(scope, str) else asked,
    )


def _is_token(value: object) -> TypeGuard[str]:
    """Printable ASCII (RFC 6749 appendix A.12 and A.17): what else would break a header, or could not be sealed."""
    return isinstance(value, str) and value != "" and value.isascii() and value.isprintable()


def _seconds(lifetime: object) -> float:
    """A lifetime; some write it as a string, none means a short one, and a day is as long as any is believed."""
    if isinstance(lifetime, str) and lifetime.isdecimal() and len(lifetime) < 10:
        lifetime = int(lifetime)
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float):
        return 60.0
    return float(min(max(0, lifetime), 86_400))
