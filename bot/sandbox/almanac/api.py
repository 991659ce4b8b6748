"""The protected routes. They take Almanac's own tokens and nothing else, and each call is in the journal."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from aiohttp import web

from oauth import Clock

from .calendars import Calendars
from .grants import Grant, Token
from .model import ACCOUNTS, READ, WRITE, Call

_LONGEST_TITLE = 200
_LONGEST_KEY = 255

Answer = tuple[int, dict[str, Any]]
Act = Callable[[web.Request, Grant, Token], Awaitable[Answer]]


class Denied(Exception):
    """A call that is refused, with the error of RFC 6750 section 3.1, or one of Almanac's own."""

    def __init__(self, status: int, error: str, description: str) -> None:
        self.status = status
        self.error = error
        self.description = description
        super().__init__(description)


@dataclass(frozen=True, slots=True)
class Api:
    """The handlers, bound to what they need."""

    calendars: Calendars
    clock: Clock

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/account", self._route(None, self.account))
        app.router.add_get("/events", self._route(READ, self.list_events))
        app.router.add_post("/events", self._route(WRITE, self.add_event))

    async def account(self, _: web.Request, grant: Grant, __: Token) -> Answer:
        """`GET /account`: whose token it is."""
        found = next(one for one in ACCOUNTS if one.id == grant.account)
        return 200, {"id": found.id, "name": found.name, "email": found.email}

    async def list_events(self, _: web.Request, grant: Grant, __: Token) -> Answer:
        """`GET /events` of the token's account."""
        return 200, {"events": [event.as_json() for event in self.calendars.of(grant.account)]}

    async def add_event(self, request: web.Request, grant: Grant, token: Token) -> Answer:
        """`POST /events` with `title`, `date` and maybe `time`; 201.

        With an `Idempotency-Key` the same request of the same account is carried out once and answered alike.
        """
        wanted = _wanted(await _body(request))
        key = request.headers.get("Idempotency-Key")
        if key is not None and not 0 < len(key) <= _LONGEST_KEY:
            raise Denied(400, "invalid_request", f"Idempotency-Key must have 1 to {_LONGEST_KEY} characters.")
        name = hashlib.sha256(json.dumps([grant.account, key]).encode()).hexdigest()
        former = self.calendars.events.get(self.calendars.done.get(name, "")) if key is not None else None
        if former is None:
            former = self.calendars.add(account=grant.account, token=token.name, **wanted)
            if key is not None:
                self.calendars.remember(name, former)
        elif wanted != {part: getattr(former, part) for part in wanted}:
            raise Denied(422, "idempotency_key_reused", "This Idempotency-Key belongs to another request.")
        return 201, former.as_json()

    def _route(self, scope: str | None, act: Act) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler around `act`: whose token is it, may it do this, do it, write it down."""

        async def handler(request: web.Request) -> web.StreamResponse:
            found: tuple[Grant, Token] | None = None
            headers = {"Cache-Control": "no-store"}
            try:
                scheme, _, value = request.headers.get("Authorization", "").partition(" ")
                found = self.calendars.grants.of(value) if scheme.lower() == "bearer" else None
                if found is None:
                    raise Denied(401, "invalid_token", "A live access token of Almanac is needed.")
                if scope is not None and scope not in found[0].scopes:
                    raise Denied(403, "insufficient_scope", f"This call needs the scope {scope}.")
                status, body = await act(request, *found)
            except Denied as denied:
                status, body = denied.status, {"error": denied.error, "error_description": denied.description}
                if status in {401, 403}:
                    headers["WWW-Authenticate"] = f'Bearer realm="almanac", error="{denied.error}"'
            if scope is not None:
                self.calendars.note(self._line(request, found, status))
            return web.json_response(body, status=status, headers=headers)

        return handler

    def _line(self, request: web.Request, found: tuple[Grant, Token] | None, status: int) -> Call:
        return Call(
            account=found[0].account if found else None,
            method=request.method,
            path=request.path,
            scopes=found[0].scopes if found else (),
            token=found[1].name if found else None,
            status=status,
            at=self.clock().isoformat(timespec="seconds"),
        )


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except (ValueError, RecursionError):
        found = None
    if request.content_type != "application/json" or not isinstance(found, dict):
        raise Denied(400, "invalid_request", "Send a JSON object.")
    return found


def _wanted(body: dict[str, Any]) -> dict[str, str]:
    """Title, date and time of a new event. Raises Denied."""
    unknown = sorted(body.keys() - {"title", "date", "time"})
    if unknown:
        raise Denied(400, "invalid_request", f"Unknown: {', '.join(unknown)[:200]}.")
    title, day, hour = body.get("title"), body.get("date"), body.get("time", "09:00")
    if not isinstance(title, str) or not 0 < len(title.strip()) <= _LONGEST_TITLE:
        raise Denied(400, "invalid_request", f"title must be a text of 1 to {_LONGEST_TITLE} characters.")
    if not _fits(day, r"\d{4}-\d{2}-\d{2}", date.fromisoformat):
        raise Denied(400, "invalid_request", "date must be a day such as 2026-11-30.")
    if not _fits(hour, r"\d{2}:\d{2}", time.fromisoformat):
        raise Denied(400, "invalid_request", "time must be a time of day such as 09:30.")
    return {"title": title.strip(), "date": day, "time": hour}


def _fits(value: Any, pattern: str, read: Callable[[str], object]) -> bool:
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        return False
    try:
        read(value)
    except ValueError:
        return False
    return True
