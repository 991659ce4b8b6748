"""The nouns of identity. All frozen; whatever is secret is left out of `repr`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NewType, Protocol

Clock = Callable[[], datetime]
Pause = Callable[[float], Awaitable[object]]
Subject = NewType("Subject", str)
LinkVersion = NewType("LinkVersion", str)


@dataclass(frozen=True, slots=True)
class SlackUser:
    """A person as a signed Slack payload names them. The same user id in another workspace is somebody else."""

    team: str
    user: str
    enterprise: str | None = None

    @property
    def workspace(self) -> str:
        """What scopes the user id: the Enterprise Grid organization where there is one, else the workspace."""
        return self.enterprise or self.team

    @property
    def key(self) -> str:
        """`WORKSPACE:USER`, the primary key of the person's link."""
        return f"{self.workspace}:{self.user}"


@dataclass(frozen=True, slots=True)
class SlackProfile:
    """What Slack says about a person. `email` only where Slack has confirmed it."""

    team_name: str
    user_name: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified person at the provider: exactly `iss` and `sub` (OpenID Connect Core section 5.7)."""

    iss: str
    sub: Subject
    email: str | None = None
    name: str | None = None
    org: str | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """A Slack person with a live link. `version` changes with every revocation; `scopes` is the whole grant."""

    slack: SlackUser
    identity: Identity
    version: LinkVersion
    scopes: frozenset[str]
    linked_at: datetime

    @property
    def sub(self) -> Subject:
        """The provider's name for the person."""
        return self.identity.sub


@dataclass(frozen=True, slots=True)
class Evidence:
    """When and how somebody has authenticated: `auth_time` in seconds since 1970, and `amr`, as their ID token says.

    (OpenID Connect Core, section 2; RFC 8176.)
    """

    auth_time: int
    amr: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What the token endpoint answered (RFC 6749 section 5.1)."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    expires_in: float
    scopes: frozenset[str]

    def granted(self, claims: Mapping[str, Any] | None) -> frozenset[str]:
        """The scopes that the access token itself names, where it can be read; else those of the answer."""
        named = claims.get("scope") if claims is not None else None
        return frozenset(named.split()) if isinstance(named, str) else self.scopes


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A short-lived token for one audience and these scopes."""

    value: str = field(repr=False)
    audience: str
    scopes: frozenset[str]
    issued_at: datetime
    expires_at: datetime
    jti: str | None = None


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What one call needs: scopes of an API, in a token that is good for `fresh_for` seconds and a margin more.

    With `connection` it is a third party's token that the provider keeps for the person (Auth0 Token Vault), and
    the scopes are the third party's.
    """

    audience: str
    scopes: frozenset[str]
    fresh_for: float = 0.0
    connection: str | None = None

    @classmethod
    def of_connection(cls, name: str, scopes: frozenset[str], fresh_for: float = 0.0) -> TokenRequest:
        """For a connection; it stands in the place of an audience, where no address can."""
        return cls(f"connection:{name}", scopes, fresh_for, name)


def access_field(version: LinkVersion, audience: str, scopes: frozenset[str]) -> str:
    """What an access token is sealed as: under another link of the same person, another audience or other scopes than
    those that it was made for, it does not open.
    """
    made_for = json.dumps([version, audience, sorted(scopes)]).encode()
    return f"access.{hashlib.sha256(made_for).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class SealedAccess:
    """An access token at rest."""

    audience: str
    scopes: frozenset[str]
    sealed: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime
    jti: str | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to spend a link's refresh token. `left`: it was left unsettled, so the token may be spent already."""

    owner: str
    left: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A link at rest.

    `generation` names the refresh token in it: it grows with each save, and a save or a removal must name the one
    that it started from. Sealing the same token under another key changes nothing of it.
    """

    principal: Principal
    sealed_refresh: str = field(repr=False)
    generation: int = 0
    access: tuple[SealedAccess, ...] = ()
    sid: str | None = None
    lease: Lease | None = None

    @property
    def record(self) -> str:
        """What its secrets are sealed for."""
        return f"link:{self.principal.slack.key}"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """Something that happened to a link or a token; `type` and `outcome` are the audit trail's words."""

    type: str
    outcome: str
    slack: SlackUser | None = None
    identity: Identity | None = None
    reason: str | None = None
    principal: Principal | None = None
    scopes: frozenset[str] | None = None
    token_jti: str | None = None
    other: SlackUser | None = None


class LinkObserver(Protocol):
    """Who is told of link events."""

    async def record(self, event: LinkEvent) -> None:
        """Write it down. Called before the step takes effect; raising stops the step."""

    async def notify(self, event: LinkEvent) -> None:
        """Tell people and other parts. Called after the effect; an error is logged and stops nothing."""
