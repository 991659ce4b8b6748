"""What the tenant remembers: logins under way, codes, sessions, and the families of refresh tokens.

Secrets are kept as hashes, so that the file gives no token of ours away; the signing keys in it and the tokens of third
parties, which have to be given out again, are why it is 0600.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import secrets
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError

from bot.sandbox.slack import storage
from oauth import Clock

from . import people as known
from .accounts import Accounts
from .keys import Signer
from .mailbox import Mailbox
from .model import Code, Family, Issued, Lifetimes, Login, Person, SignedIn

_MOST_TOKENS = 500
_MOST_ENDED = 200
_TIMES = ("auth_time", "used_at", "opened_at")


def hashed(secret: str) -> str:
    """Hex SHA-256; enough for values that are random already."""
    return hashlib.sha256(secret.encode()).hexdigest()


class State:
    """Changes happen in its methods without awaiting; `save` makes them last."""

    def __init__(self, path: Path, people: tuple[Person, ...], lifetimes: Lifetimes, clock: Clock) -> None:
        self._given = {person.id: person for person in people}
        self.people = dict(self._given)
        self.lifetimes = lifetimes
        self.clock = clock
        self.signer = Signer()
        self.logins: dict[str, Login] = {}
        self.codes: dict[str, Code] = {}
        self.sessions: dict[str, str] = {}
        self.auth_times: dict[str, datetime] = {}
        self.families: dict[str, Family] = {}
        self.accounts = Accounts()
        self.issued: deque[Issued] = deque(maxlen=1_000)
        self.mailbox = Mailbox(clock)
        self.phones = Mailbox(clock)
        self.assertions: dict[str, datetime] = {}
        self._path = path
        self._lock = asyncio.Lock()
        self._revision = 0
        self._saved = 0
        try:
            self._restore(storage.load(path) or {})
        except (AttributeError, JoseError, KeyError, TypeError, ValueError):
            storage.put_aside(path)
            self.signer, self.sessions, self.families, self.people = Signer(), {}, {}, dict(self._given)
            self.auth_times = {}
            self.accounts = Accounts()

    # -- keeping

    def changed(self) -> None:
        """Something that must outlive a restart is different."""
        self._revision += 1

    async def save(self) -> None:
        """Write every change so far. A token is answered only after this, as a real tenant would.

        Those who wait for a write that began before their change share the next one.
        """
        wanted = self._revision
        async with self._lock:
            if self._saved >= wanted:
                return
            covered, text = self._revision, json.dumps(self._snapshot())
            await asyncio.to_thread(storage.save, self._path, text)  # mkstemp gives it mode 0600
            self._saved = covered

    def _snapshot(self) -> dict[str, Any]:
        families = [
            {one.name: getattr(family, one.name) for one in dataclasses.fields(family)}
            | {name: at.isoformat() for name in _TIMES if (at := getattr(family, name)) is not None}
            | {"tokens": {token: at and at.isoformat() for token, at in family.tokens.items()}}
            for family in self.families.values()
        ]
        people = known.changes(self._given, self.people)
        return {
            "keys": self.signer.snapshot(),
            "sessions": self.sessions,
            "auth_times": {sid: at.isoformat() for sid, at in self.auth_times.items()},
            "families": families,
            "people": people,
            "accounts": self.accounts.snapshot(),
        }

    def _restore(self, kept: Mapping[str, Any]) -> None:
        self.signer.restore(kept.get("keys", []))
        self.sessions = dict(kept.get("sessions", {}))
        self.auth_times = {sid: datetime.fromisoformat(at) for sid, at in kept.get("auth_times", {}).items()}
        self.people = known.changed(self._given, kept.get("people", {}))
        for fields in kept.get("families", []):
            tokens = {token: at and datetime.fromisoformat(at) for token, at in fields["tokens"].items()}
            times = {name: datetime.fromisoformat(fields[name]) for name in _TIMES if fields.get(name)}
            family = Family(**{**fields, **times, "scopes": tuple(fields["scopes"]), "tokens": tokens})
            if family.person in self.people:
                self.families[family.id] = family
        self.accounts.restore(kept.get("accounts", []), self.people)

    # -- people

    def change(self, person: Person) -> None:
        """Somebody is new, or no longer as before."""
        self.people[person.id] = person
        self.changed()

    # -- logging in

    def open_login(self, login: Login) -> str:
        """Remember a login page; gives its name."""
        now = self.clock()
        self.logins = {name: one for name, one in self.logins.items() if one.expires_at > now}
        name = secrets.token_urlsafe(24)
        self.logins[name] = login
        return name

    def login(self, name: str) -> Login | None:
        """A login page that is still good."""
        found = self.logins.get(name)
        return found if found is not None and found.expires_at > self.clock() else None

    def session_of(self, sid: str | None, person: Person) -> str:
        """The browser's session: the one it has if that is this person's, else a new one."""
        if sid is not None and self.sessions.get(sid) == person.id:
            return sid
        sid = secrets.token_urlsafe(24)
        self.sessions[sid] = person.id
        self.changed()
        return sid

    def authenticated(self, sid: str, *, max_age: int | None, anew: bool) -> datetime:
        """When the session's person showed who they are; a session that will not do for the request begins anew.

        (OpenID Connect Core section 3.1.2.1, `max_age` and `prompt`.)
        """
        now, known = self.clock(), self.auth_times.get(sid)
        if known is None or anew or (max_age is not None and (now - known).total_seconds() >= max_age):
            self.auth_times = {each: at for each, at in self.auth_times.items() if each in self.sessions} | {sid: now}
            self.changed()
        return self.auth_times[sid]

    def issue_code(self, code: Code) -> str:
        """A code; used ones are remembered for a while, so that a second use is recognised."""
        horizon = self.clock() - timedelta(minutes=10)
        self.codes = {name: one for name, one in self.codes.items() if one.expires_at > horizon}
        value = secrets.token_urlsafe(32)
        self.codes[hashed(value)] = code
        return value

    # -- grants

    def open_family(self, signed: SignedIn, *, rotating: bool) -> Family:
        """A new grant, out of a login."""
        family = Family(
            id=secrets.token_hex(8),
            person=signed.person,
            audience=signed.audience,
            scopes=signed.scopes,
            sid=signed.sid,
            auth_time=signed.auth_time,
            used_at=self.clock(),
            organization=signed.organization,
            rotating=rotating,
            opened_at=self.clock(),
        )
        self.families[family.id] = family
        self.changed()
        return family

    def next_token(self, family: Family, former: str | None = None) -> str:
        """A new refresh token of the family, in place of the one whose hash is `former`."""
        now = self.clock()
        if former is not None and family.tokens[former] is None:
            family.tokens[former] = now
        value = f"v1.{secrets.token_urlsafe(40)}"
        family.tokens[hashed(value)] = None
        for token in list(family.tokens)[:-_MOST_TOKENS]:
            del family.tokens[token]
        family.used_at = now
        self.changed()
        return value

    def renewed(self, family: Family, token: str, *, rotating: bool) -> str | None:
        """The refresh token in place of the one whose hash is `token`, or None where that one stays in use.

        Where the application's setting has changed since, the first use ends the former line of tokens ("Configure
        Refresh Token Rotation").
        """
        if rotating or family.rotating or family.tokens[token] is not None:
            family.rotating = rotating
            return self.next_token(family, token)
        self.touch(family)
        return None

    def touch(self, family: Family) -> None:
        """A grant was used, so the time that it may lie idle begins anew."""
        family.used_at = self.clock()
        self.changed()

    def family_of(self, token: str) -> tuple[Family, str] | None:
        """The family that a refresh token was ever part of, and the token's hash."""
        name = hashed(token)
        return next(((family, name) for family in self.families.values() if name in family.tokens), None)

    def live(self, family: Family) -> bool:
        """Whether a grant has neither ended, nor lasted, nor lain idle too long."""
        now = self.clock()
        return (
            family.ended is None
            and now < (family.opened_at or family.auth_time) + timedelta(seconds=self.lifetimes.refresh)
            and now < family.used_at + timedelta(seconds=self.lifetimes.idle)
        )

    def end(self, family: Family, reason: str) -> None:
        """Revoke a grant with all its refresh tokens; the first reason stays."""
        if family.ended is None:
            family.ended = reason
            self.changed()
        ended = [one.id for one in self.families.values() if one.ended is not None]
        for name in ended[:-_MOST_ENDED]:
            del self.families[name]
