"""Those who are linked, by number: whoever knows the number knows the person, so nobody has to keep a million."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta

from bot.database import Database
from oauth import AccessToken, Identity, LinkVersion, Principal, SlackUser, Subject, Vault, utc_now
from oauth.models import Link
from oauth.records import Document, link_document
from oauth.shelf import Shelf

AUDIENCE = "https://shop.example.com"
READ = frozenset({"orders:read"})
SCOPES = ("orders:read", "orders:refund")
WORKSPACE = 50  # people in each
_LIFETIME = timedelta(hours=1)
_ACCESS_TOKEN = 380  # letters of one of the bench's provider
_REFRESH_TOKEN = 36


def sub(number: int) -> str:
    """What the provider calls them."""
    return f"auth0|{number:024x}"


def slack(number: int) -> SlackUser:
    """Where they type."""
    return SlackUser(f"T{number // WORKSPACE:08}", f"U{number:08}")


def principal(number: int, issuer: str) -> Principal:
    """The person."""
    identity = Identity(issuer, Subject(sub(number)), f"person{number}@corp.example", f"Person {number}")
    return Principal(slack(number), identity, LinkVersion(f"{number:024x}"), frozenset(SCOPES), utc_now())


class Registry:
    """Makes links."""

    def __init__(self, issuer: str, vault: Vault) -> None:
        self._issuer = issuer
        self._vault = vault
        self._shelf = Shelf(vault, utc_now)

    def link(self, number: int, refresh_token: str, *, valid_for: timedelta) -> Link:
        """A link with an access token that is valid for so long yet; below nothing, so long not any more."""
        who = principal(number, self._issuer)
        sealed = self._vault.seal(refresh_token.encode(), record=f"link:{who.slack.key}", name="refresh")
        over, value = utc_now() + valid_for, secrets.token_urlsafe(_ACCESS_TOKEN)[:_ACCESS_TOKEN]
        return self._shelf.keep(Link(who, sealed), AccessToken(value, AUDIENCE, READ, over - _LIFETIME, over, "j"))

    async def add_expired(self, database: Database, refresh_tokens: Mapping[int, str]) -> None:
        """Links whose access token was good until a moment ago."""
        over = timedelta(seconds=-1)
        links = [self.link(number, token, valid_for=over) for number, token in refresh_tokens.items()]
        await database["links"].insert_many([link_document(link) for link in links])

    def valid(self, number: int) -> Document:
        """A document whose secrets open, and whose access token is good for an hour."""
        return link_document(self.link(number, secrets.token_urlsafe(_REFRESH_TOKEN), valid_for=_LIFETIME))

    def filler(self, numbers: Sequence[int]) -> list[Document]:
        """Documents of the same size and shape whose secrets nobody can open: sealing a million takes too long."""
        model = self.valid(0)
        (access,) = model["access"]
        return [
            model
            | self._names(number)
            | {
                "refresh": _letters(len(model["refresh"])),
                "access": [access | {"sealed": _letters(len(access["sealed"]))}],
            }
            for number in numbers
        ]

    def _names(self, number: int) -> Document:
        who = principal(number, self._issuer)
        identity = {"sub": who.sub, "email": who.identity.email, "name": who.identity.name}
        slack = {"_id": who.slack.key, "workspace": who.slack.workspace, "team": who.slack.team, "user": who.slack.user}
        return {**slack, **identity, "version": who.version}


def _letters(count: int) -> str:
    return base64.urlsafe_b64encode(os.urandom(count * 3 // 4 + 1)).decode()[:count]
