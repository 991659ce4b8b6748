"""Accounts that are about to be connected: from the application's request to the code that completes it.

What the documents leave open is kept strict: a ticket may be followed again until somebody has agreed at the third
party, a trip there comes back once and to the browser that began it, and a connect code is spent by being shown.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .connections import ThirdPartyTokens
from .state import State, hashed

_MOST = 1_000


@dataclass(frozen=True, slots=True)
class ConnectAsked:
    """What the application asked for, in the name of `person`."""

    person: str
    connection: str
    redirect_uri: str
    state: str
    challenge: str
    scopes: tuple[str, ...]
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a third party gave: the account there, and its tokens."""

    account: str
    tokens: ThirdPartyTokens = field(repr=False)


@dataclass(slots=True)
class ConnectRequest:
    """A request under way. `trips` are browsers on their way to the third party: their cookie's hash by state's hash.

    `code` is the hash of the connect code, once there is one.
    """

    asked: ConnectAsked
    session: str
    ticket: str
    expires_at: datetime
    trips: dict[str, str] = field(default_factory=dict)
    code: str | None = None
    code_until: datetime | None = None
    agreed: Agreed | None = None


class Connecting:
    """All requests under way. They do not outlive a restart, as logins do not."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._requests: dict[str, ConnectRequest] = {}

    def begin(self, asked: ConnectAsked) -> tuple[str, str, int]:
        """A new request; gives `auth_session` (64 characters), the ticket, and the seconds that both are good for."""
        now, seconds = self._state.clock(), self._state.lifetimes.connect
        session, ticket = secrets.token_urlsafe(48), str(uuid.uuid4())
        live = {name: one for name, one in self._requests.items() if one.expires_at > now}
        self._requests = dict(list(live.items())[-_MOST:])
        request = ConnectRequest(asked, hashed(session), hashed(ticket), now + timedelta(seconds=seconds))
        self._requests[request.session] = request
        return session, ticket, seconds

    def by_ticket(self, ticket: str) -> ConnectRequest | None:
        """The request that a ticket leads to, while nobody has agreed to it."""
        found = next((one for one in self._requests.values() if one.ticket == hashed(ticket)), None)
        return found if found is not None and found.code is None and self._live(found) else None

    def depart(self, request: ConnectRequest, visit: str) -> str:
        """A browser goes to the third party; gives the state with which it must come back."""
        state = secrets.token_urlsafe(24)
        request.trips[hashed(state)] = hashed(visit)
        return state

    def arrive(self, state: str, visit: str | None) -> ConnectRequest | None:
        """The request to which a browser comes back, once, and only the browser that went."""
        name = hashed(state)
        found = next((one for one in self._requests.values() if name in one.trips), None)
        if found is None or visit is None or found.trips[name] != hashed(visit):
            return None
        del found.trips[name]
        return found if found.code is None and self._live(found) else None

    def agree(self, request: ConnectRequest, agreed: Agreed) -> str:
        """The third party has given tokens; gives the connect code (43 characters)."""
        code = secrets.token_urlsafe(32)
        request.code, request.agreed = hashed(code), agreed
        request.code_until = self._state.clock() + timedelta(seconds=self._state.lifetimes.code)
        return code

    def redeem(self, session: str, code: str, person: str) -> ConnectRequest | None:
        """The request that may be completed by this person, once; None for anything that does not fit together."""
        found = self._requests.get(hashed(session))
        if found is None or found.asked.person != person or found.code != hashed(code):
            return None
        del self._requests[found.session]
        good = found.code_until is not None and self._state.clock() < found.code_until
        return found if good and self._live(found) else None

    def drop(self, request: ConnectRequest) -> None:
        """Nobody will go on with it."""
        self._requests.pop(request.session, None)

    def _live(self, request: ConnectRequest) -> bool:
        return self._state.clock() < request.expires_at
