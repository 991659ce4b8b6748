"""The nouns of the tenant: people, the application, and what ties one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

IDENTITY_SCOPES = ("openid", "profile", "email", "offline_access")
ORGANIZATION = "org_sandbox"


class Refusal(Exception):
    """An error response of RFC 6749 section 5.2, with the status and the words that Auth0 gives it."""

    def __init__(self, status: int, error: str, description: str, **more: str) -> None:
        self.status = status
        self.error = error
        self.description = description
        self.more = more
        super().__init__(f"{error}: {description}")

    def body(self) -> dict[str, str]:
        """The response's JSON; `more` are Auth0's own members beside the two."""
        return {"error": self.error, "error_description": self.description, **self.more}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account. `id` is what the login page calls them, `sub` what tokens do.

    `connection` is where the account was made: `auth0`, a database, or `email`, by a one-time code.
    """

    id: str
    name: str
    email: str
    email_verified: bool = True
    organizations: tuple[str, ...] = (ORGANIZATION,)
    connection: str = "auth0"
    needs_mfa: bool = False

    @property
    def sub(self) -> str:
        """As Auth0 names people: the connection's strategy, and their id in it."""
        return f"{self.connection}|{self.id}"

    @property
    def nickname(self) -> str:
        """Auth0's: the first half of the address where nothing better is known."""
        return self.email.partition("@")[0] if self.connection == "email" else self.id

    @property
    def initials(self) -> str:
        """For the round mark beside the name."""
        return "".join(word[0] for word in self.name.split()[:2]).upper()


PEOPLE = (
    Person("ada", "Ada Lindqvist", "ada@example.com"),
    Person("bob", "Bob Okafor", "bob@example.com"),
    Person("carol", "Carol Reyes", "carol@example.com"),
    Person("dan", "Dan Whitfield", "dan@example.com", email_verified=False),
    Person("mallory", "Mallory Vance", "mallory@elsewhere.example", organizations=()),
)


@dataclass(slots=True)
class Application:
    """The one client that is registered. With `key`, a public JWK, it must prove itself by private_key_jwt.

    `rotation` is its setting "Allow Refresh Token Rotation". It may be changed at any time; Token Vault needs it off.
    The addresses may be registered later: a bot on a free port knows its own only once it listens.
    """

    client_id: str
    secret: str = field(repr=False)
    name: str
    redirect_uris: set[str]
    logout_uris: set[str]
    key: Mapping[str, Any] | None = None
    backchannel_logout_uri: str | None = None
    rotation: bool = True


@dataclass(slots=True)
class Passwordless:
    """The connection `email`, as the dashboard has it under Authentication > Passwordless; change it at any time.

    `seconds` is how long a code is good. `per_ip` requests an hour is Auth0's own limit ("Rate Limit Policy"); with
    `trust_forwarded_for`, the application's setting "Trust Token Endpoint IP Header", the header `auth0-forwarded-for`
    says whose request it is. `per_address` an hour is ours, so that one person's flood is seen without fifty requests.
    """

    enabled: bool = True
    signups: bool = True
    seconds: int = 180
    per_ip: int = 50
    per_address: int = 10
    trust_forwarded_for: bool = True


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """All in seconds. `reuse` is Auth0's reuse interval: how long a rotated refresh token still answers.

    `connect` is how long somebody has to connect an account; its code is good for as long as a login's.
    """

    access: int = 3_600
    identity: int = 36_000
    code: int = 60
    login: int = 600
    refresh: int = 2_592_000
    idle: int = 1_296_000
    reuse: int = 0
    connect: int = 300


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorization request that may be shown to a person (RFC 6749 section 4.1.1).

    Without an `audience` it asks who somebody is, and its access token is good at `/userinfo` alone. `max_age`, in
    seconds, and `anew`, which is `prompt=login`, say whether a session that there is already will do (OpenID Connect
    Core section 3.1.2.1).
    """

    redirect_uri: str
    state: str
    nonce: str | None
    challenge: str
    audience: str
    scopes: tuple[str, ...]
    login_hint: str | None = None
    organization: str | None = None
    with_mfa: bool = False
    max_age: int | None = None
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """A login page that somebody has open; `visit` is the hash of the cookie of the browser that has it.

    `person` is who said so on it, once nothing but their second factor is missing.
    """

    asked: Asked
    visit: str
    expires_at: datetime
    person: str | None = None


@dataclass(slots=True)
class Code:
    """An authorization code; once `used`, `family` is the grant that came of it, if one lasts.

    `with_mfa` says that a second factor was shown for it, and not only asked for.
    """

    asked: Asked
    person: str
    sid: str
    auth_time: datetime
    expires_at: datetime
    used: bool = False
    family: str | None = None
    with_mfa: bool = False


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A login that has been proved, whatever by: whose it is, and what may be granted out of it."""

    person: str
    audience: str
    scopes: tuple[str, ...]
    sid: str
    auth_time: datetime
    organization: str | None = None


@dataclass(slots=True)
class OrganizationRules:
    """What happens to an organization's members, and what does on purpose not happen as it should.

    `refusal` is the error for whoever is no longer a member. Auth0's documents do not say which one a refresh gets:
    `access_denied` is what its authorize endpoint answers for the same reason, and a client must bear either.
    With `forged`, refreshed tokens name `named` in place of the organization of their grant; None names none.
    """

    refusal: Literal["access_denied", "invalid_grant"] = "access_denied"
    forged: bool = False
    named: str | None = None

    def forge(self, organization: str | None) -> None:
        """From now on refreshed tokens name this one; with None, none."""
        self.forged, self.named = True, organization

    def keep(self) -> None:
        """Refreshed tokens name the organization of their grant again."""
        self.forged = False


@dataclass(slots=True)
class Family:
    """A grant with its line of refresh tokens: hash of each, and when it was rotated (None: the live one).

    `rotating` says of which kind the live one is.
    """

    id: str
    person: str
    audience: str
    scopes: tuple[str, ...]
    sid: str
    auth_time: datetime
    used_at: datetime
    organization: str | None = None
    tokens: dict[str, datetime | None] = field(default_factory=dict, repr=False)
    ended: str | None = None
    rotating: bool = True
    opened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A line of the tenant's log: which access token was given to whom, for what."""

    at: datetime
    grant_type: str
    sub: str
    audience: str
    scopes: tuple[str, ...]
    jti: str
    family: str | None
