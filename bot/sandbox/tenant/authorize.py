"""May this authorization request be shown to a person? Pure checks, in the order in which Auth0 answers.

Stricter than Auth0 in three points, so that a careless client is found out here: PKCE with S256, `state`, and `nonce`
are required.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from multidict import MultiMapping

from .model import IDENTITY_SCOPES, Application, Asked

MFA = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST = 4_096

Apis = Mapping[str, tuple[str, ...]]


class NotForUs(Exception):
    """A request that must not be answered by a redirect: nobody knows to whom it would go."""

    def __init__(self, title: str, sentence: str) -> None:
        self.title = title
        self.sentence = sentence
        super().__init__(title)


class SentBack(Exception):
    """A request that is answered with an error at its redirect address (RFC 6749 section 4.1.2.1)."""

    def __init__(self, redirect_uri: str, state: str | None, error: str, description: str) -> None:
        self.redirect_uri = redirect_uri
        self.state = state
        self.error = error
        self.description = description
        super().__init__(error)


def check(
    query: MultiMapping[str],
    application: Application,
    apis: Apis,
    organizations: frozenset[str],
) -> Asked:
    """The request as it may be shown. Raises NotForUs or SentBack."""
    redirect_uri, state = _addressee(query, application)

    def back(error: str, description: str) -> SentBack:
        return SentBack(redirect_uri, state, error, description)

    repeated = sorted({name for name in query if len(query.getall(name)) > 1})
    if repeated:
        raise back("invalid_request", f"Parameter sent twice: {repeated[0]}")
    too_long = sorted(name for name in query if len(query[name]) > _LONGEST)
    if too_long:
        raise back("invalid_request", f"Parameter too long: {too_long[0]}")
    kind = query.get("response_type")
    if not kind:
        raise back("invalid_request", "Missing required parameter: response_type")
    if kind != "code":
        raise back("unsupported_response_type", f"Unsupported response type: {kind}")
    if query.get("response_mode", "query") != "query":
        raise back("invalid_request", "Unsupported response mode")
    if not state:
        raise back("invalid_request", "Missing required parameter: state")
    challenge = query.get("code_challenge", "")
    if not challenge:
        raise back("invalid_request", "Missing required parameter: code_challenge")
    if query.get("code_challenge_method") != "S256":
        raise back("invalid_request", "Parameter code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(challenge):
        raise back("invalid_request", "Parameter code_challenge is not a SHA-256 digest")
    audience = query.get("audience", "")
    if audience and audience not in apis:
        raise back("access_denied", f"Service not found: {audience}")
    scopes = known_scopes(query.get("scope", "").split(), apis.get(audience, ()))
    nonce = query.get("nonce") or None
    if "openid" in scopes and nonce is None:
        raise back("invalid_request", "Missing required parameter: nonce")
    organization = query.get("organization") or None
    if organization is not None and organization not in organizations:
        raise back("invalid_request", "parameter organization is invalid")
    if not re.fullmatch("[0-9]{1,10}", query.get("max_age", "0")):
        raise back("invalid_request", "Parameter max_age must be a number")
    if "none" in query.get("prompt", "").split():
        raise back("login_required", "Login required")
    return Asked(
        redirect_uri=redirect_uri,
        state=state,
        nonce=nonce,
        challenge=challenge,
        audience=audience,
        scopes=scopes,
        login_hint=query.get("login_hint") or None,
        organization=organization,
        with_mfa=MFA in query.get("acr_values", "").split(),
        max_age=int(query["max_age"]) if query.get("max_age") else None,
        anew="login" in query.get("prompt", "").split(),
    )


def known_scopes(asked: list[str], of_api: tuple[str, ...]) -> tuple[str, ...]:
    """What can be granted at all, in the order asked. Auth0 passes over unknown scopes in silence."""
    known = {*IDENTITY_SCOPES, *of_api}
    return tuple(scope for scope in dict.fromkeys(asked) if scope in known)


def _addressee(query: MultiMapping[str], application: Application) -> tuple[str, str | None]:
    clients, addresses = query.getall("client_id", []), query.getall("redirect_uri", [])
    if not clients:
        raise NotForUs("Missing client", "The request does not say which application it comes from (client_id).")
    if clients != [application.client_id]:
        raise NotForUs("Unknown client", "No application of this name is registered here (client_id).")
    if len(addresses) != 1 or addresses[0] not in application.redirect_uris:
        raise NotForUs(
            "Callback URL mismatch",
            "The address to go back to (redirect_uri) is not, to the letter, one that the application has registered.",
        )
    states = query.getall("state", [])
    return addresses[0], states[0] if len(states) == 1 else None
