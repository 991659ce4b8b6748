"""What Almanac has let clients do: codes, and the tokens that came of them. Values are kept as hashes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from oauth import Clock

_CODE_SECONDS = 60
_MOST = 500


@dataclass(slots=True)
class Client:
    """The one application that is registered here: the tenant."""

    client_id: str
    secret: str
    redirect_uris: set[str]


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code, by its hash elsewhere."""

    account: str
    scopes: tuple[str, ...]
    redirect_uri: str
    expires_at: datetime


@dataclass(slots=True)
class Grant:
    """What one account has agreed to once. `refresh` is the hash of its refresh token, None where there is none."""

    id: str
    account: str
    scopes: tuple[str, ...]
    refresh: str | None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, by its hash elsewhere; `name` is what the page and the events call it."""

    name: str
    grant: str
    expires_at: datetime


class Grants:
    """Changes happen without awaiting; whoever makes one tells the keeper."""

    def __init__(self, clock: Clock, *, access_seconds: int, offline: bool) -> None:
        self._clock = clock
        self._access = access_seconds
        self._offline = offline
        self._codes: dict[str, Code] = {}
        self._grants: dict[str, Grant] = {}
        self._tokens: dict[str, Token] = {}

    def code(self, account: str, scopes: tuple[str, ...], redirect_uri: str) -> str:
        """An account has agreed; gives the code."""
        now, value = self._clock(), secrets.token_urlsafe(32)
        self._codes = {name: one for name, one in self._codes.items() if one.expires_at > now}
        self._codes[hashed(value)] = Code(account, scopes, redirect_uri, now + timedelta(seconds=_CODE_SECONDS))
        return value

    def redeem(self, code: str, redirect_uri: str) -> dict[str, Any] | None:
        """A code for tokens, once; None where it is none, is over, or was meant for another address."""
        found = self._codes.pop(hashed(code), None)
        if found is None or found.expires_at <= self._clock() or found.redirect_uri != redirect_uri:
            return None
        refresh = f"alm_rt_{secrets.token_urlsafe(32)}" if self._offline else None
        grant = Grant(secrets.token_hex(6), found.account, found.scopes, refresh and hashed(refresh))
        self._grants[grant.id] = grant
        return self._answer(grant) | ({"refresh_token": refresh} if refresh else {})

    def refresh(self, refresh_token: str) -> dict[str, Any] | None:
        """New tokens; None for a refresh token that is none, or whose grant has ended."""
        name = hashed(refresh_token)
        found = next((one for one in self._grants.values() if one.refresh == name and not one.ended), None)
        return None if found is None else self._answer(found)

    def of(self, access_token: str) -> tuple[Grant, Token] | None:
        """Whose a live access token is."""
        found = self._tokens.get(hashed(access_token))
        grant = self._grants.get(found.grant) if found is not None else None
        if found is None or grant is None or grant.ended or found.expires_at <= self._clock():
            return None
        return grant, found

    def end(self, account: str) -> int:
        """An account lets go of every client; gives how many grants that ended."""
        live = [one for one in self._grants.values() if one.account == account and not one.ended]
        for grant in live:
            grant.ended = True
        return len(live)

    def _answer(self, grant: Grant) -> dict[str, Any]:
        value = f"alm_at_{secrets.token_urlsafe(32)}"
        expires_at = self._clock() + timedelta(seconds=self._access)
        self._tokens[hashed(value)] = Token(f"tok_{secrets.token_hex(4)}", grant.id, expires_at)
        for old in list(self._tokens)[:-_MOST]:
            del self._tokens[old]
        return {
            "access_token": value,
            "token_type": "Bearer",
            "expires_in": self._access,
            "scope": " ".join(grant.scopes),
        }

    def snapshot(self) -> dict[str, Any]:
        """What has to be kept: grants, and tokens that are not over."""
        now = self._clock()
        return {
            "grants": [asdict(grant) for grant in self._grants.values()],
            "tokens": {
                value: asdict(token) | {"expires_at": token.expires_at.isoformat()}
                for value, token in self._tokens.items()
                if token.expires_at > now
            },
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take what `snapshot` gave. Raises AttributeError, KeyError, TypeError or ValueError for nonsense."""
        grants = [Grant(**fields | {"scopes": tuple(fields["scopes"])}) for fields in kept["grants"]]
        self._grants = {grant.id: grant for grant in grants}
        self._tokens = {
            value: Token(**fields | {"expires_at": datetime.fromisoformat(fields["expires_at"])})
            for value, fields in kept["tokens"].items()
        }


def hashed(secret: str) -> str:
    """Hex SHA-256; enough for values that are random already."""
    return hashlib.sha256(secret.encode()).hexdigest()
