"""With what an app may send a browser here (docs.slack.dev, "Sign in with Slack", "Installing with OAuth").

Pure: the query comes in, what was asked comes out, or the reason why nobody is sent back anywhere.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

_SCOPE = re.compile(r"[a-z_]+([.:][a-z_.]+)*")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_IDENTITY = frozenset({"openid", "email", "profile"})


class Flow(Enum):
    """What the browser is here for."""

    SIGN_IN = "/openid/connect/authorize"
    INSTALL = "/oauth/v2/authorize"


@dataclass
class Registration:
    """What is registered for the app at Slack. `rotates` is its setting "Token Rotation"."""

    client_id: str = "1000000000.2000000000"
    client_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    redirect_uris: tuple[str, ...] = ()
    rotates: bool = False


@dataclass(frozen=True)
class Asked:
    """A request that is in order. `named` says that it had a `redirect_uri`, so that the exchange needs it too;
    `team` and `hint` say what to suggest."""

    flow: Flow
    redirect_uri: str
    named: bool
    scopes: tuple[str, ...]
    state: str | None = None
    nonce: str | None = None
    challenge: str | None = None
    team: str = ""
    hint: str = ""


class NotInOrder(Exception):
    """Shown to the person, who is sent nowhere."""


def check(flow: Flow, query: Mapping[str, str], registration: Registration) -> Asked:
    """Raises NotInOrder, with Slack's own words or code."""
    if query.get("client_id") != registration.client_id:
        raise NotInOrder("invalid_client_id")
    uri = query.get("redirect_uri", "")
    if not may_return(uri or next(iter(registration.redirect_uris), ""), registration.redirect_uris):
        raise NotInOrder(f"redirect_uri did not match any configured URIs. Passed URI: {uri}")
    scopes = tuple(dict.fromkeys(re.split(r"[,\s]+", query.get("scope", "").strip())))
    if flow is Flow.SIGN_IN and query.get("response_type") != "code":
        raise NotInOrder("invalid_response_type")
    known = _IDENTITY.issuperset(scopes) if flow is Flow.SIGN_IN else all(map(_SCOPE.fullmatch, scopes))
    if not known or (flow is Flow.SIGN_IN and "openid" not in scopes):
        raise NotInOrder("invalid_scope")
    challenge = query.get("code_challenge")
    if challenge is not None and (query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge)):
        raise NotInOrder("invalid_code_challenge")
    return Asked(
        flow,
        uri or registration.redirect_uris[0],
        bool(uri),
        scopes,
        query.get("state"),
        query.get("nonce"),
        challenge,
        query.get("team", ""),
        query.get("login_hint", ""),
    )


def may_return(uri: str, registered: Iterable[str]) -> bool:
    """Whether this is a registered address or lies under one; scheme, host and port are exactly those."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or parts.fragment or ".." in parts.path.split("/"):
        return False
    for each in map(urlsplit, registered):
        under = each.path.rstrip("/")
        same = (parts.scheme, parts.netloc) == (each.scheme, each.netloc)
        if same and (parts.path.rstrip("/") == under or parts.path.startswith(f"{under}/")):
            return True
    return False
