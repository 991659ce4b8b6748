"""Asking people on their phones: OpenID Connect CIBA Core 1.0 in poll mode, as Auth0 does it ("User authentication with
CIBA"). `/u/phone` is where they answer."""

from __future__ import annotations

import json
import re
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from aiohttp import web

from . import claims
from .clients import Fields, authenticate, fields_of
from .model import Person, Refusal, SignedIn
from .tenant import Tenant
from .tokens import Tokens, answered, needed

GRANT = "urn:openid:params:grant-type:ciba"
INTERVAL = 5
_LONGEST = 300
_BINDING = re.compile(r"[A-Za-z0-9+\-_.,:#]{1,64}")
_A_MINUTE = 5
_KEPT = 50

Answer = Literal["approved", "denied"]


@dataclass(slots=True)
class Push:
    """A question on somebody's phone. `interval` in seconds is how long a client has to wait between two polls."""

    id: str
    person: str
    binding_message: str
    asked_at: datetime
    expires_at: datetime
    auth_req_id: str = field(repr=False)
    answer: Answer | None = None
    answered_at: datetime | None = None
    interval: int = INTERVAL
    polled_at: datetime | None = None
    spent: bool = False
    details: tuple[dict[str, Any], ...] = ()


class Backchannel:
    """The handlers, and what is asked. `polls` counts what came in time, `hasty` what did not; `interval`, in seconds,
    is that of new questions.
    """

    def __init__(self, tenant: Tenant, tokens: Tokens) -> None:
        self._tenant = tenant
        self._tokens = tokens
        self.pushes: deque[Push] = deque(maxlen=_KEPT)
        self.unenrolled: set[str] = set()
        self.polls = self.hasty = 0
        self.interval = INTERVAL
        tokens.grants[GRANT] = self.redeem

    def add_to(self, app: web.Application) -> None:
        """Mount the route."""
        app.router.add_post("/bc-authorize", self.authorize)

    async def authorize(self, request: web.Request) -> web.Response:
        """`POST /bc-authorize` (CIBA Core section 7)."""
        try:
            fields = await fields_of(request)
            authenticate(self._tenant, fields, request.headers.get("Authorization"))
            push = self._asked(fields)
        except Refusal as refused:
            wait = {"Retry-After": "60"} if refused.status == 429 else {}
            return answered(refused.body(), refused.status, **wait)
        lasts = int((push.expires_at - push.asked_at).total_seconds())
        return answered({"auth_req_id": push.auth_req_id, "expires_in": lasts, "interval": push.interval}, 200)

    def answer(self, id_: str, how: Answer) -> bool:
        """The person answers on their phone; False where there is nothing to answer any more."""
        push = next((one for one in self.pushes if one.id == id_), None)
        now = self._tenant.state.clock()
        if push is None or push.answer is not None or now >= push.expires_at:
            return False
        push.answer, push.answered_at = how, now
        return True

    async def redeem(self, fields: Fields) -> dict[str, Any]:
        """Tokens, once the person has agreed (CIBA Core sections 10.1 and 11). Raises Refusal."""
        push = next((one for one in self.pushes if one.auth_req_id == needed(fields, "auth_req_id")), None)
        if push is None or push.spent:
            raise Refusal(400, "invalid_grant", "Unknown or invalid auth_req_id")
        now = self._tenant.state.clock()
        hasty = push.polled_at is not None and now < push.polled_at + timedelta(seconds=push.interval)
        push.polled_at = now
        if hasty:
            self.hasty += 1
            push.interval += 5
            raise Refusal(400, "slow_down", f"You are polling faster than allowed: wait {push.interval} seconds.")
        self.polls += 1
        if push.answer is None and now >= push.expires_at:
            raise Refusal(400, "expired_token", "The request has expired")
        if push.answer is None:
            raise Refusal(400, "authorization_pending", "The end-user authorization is pending")
        push.spent = True
        if push.answer == "denied":
            raise Refusal(400, "access_denied", "The end-user denied the authorization request")
        return self._granted(push, self._tenant.person(push.person))

    def _granted(self, push: Push, person: Person) -> dict[str, Any]:
        at = push.answered_at or push.asked_at
        sid = self._tenant.state.session_of(None, person)
        here = f"{self._tenant.issuer}userinfo"
        given = self._tokens.begin(SignedIn(person.id, here, ("openid",), sid, at), GRANT)
        given["id_token"] = claims.id_token(
            self._tenant,
            person,
            scopes=("openid",),
            sid=sid,
            auth_time=at,
            organization=None,
            with_mfa=True,
            more={"urn:openid:params:jwt:claim:auth_req_id": push.auth_req_id},
        )
        return given

    def _asked(self, fields: Fields) -> Push:
        if "openid" not in needed(fields, "scope").split():
            raise Refusal(400, "invalid_scope", "openid scope is required")
        if _BINDING.fullmatch(needed(fields, "binding_message")) is None:
            raise Refusal(400, "invalid_binding_message", "binding_message has characters that are not allowed")
        seconds = fields.get("requested_expiry", str(_LONGEST))
        if not seconds.isdecimal() or not 0 < int(seconds) <= _LONGEST:
            raise Refusal(400, "invalid_request", "requested_expiry must be between 1 and 300")
        person = self._hinted(needed(fields, "login_hint"))
        if person.id in self.unenrolled:
            raise Refusal(400, "invalid_request", "The user is not enrolled in push notifications")
        now = self._tenant.state.clock()
        lately = [one for one in self.pushes if one.person == person.id and one.asked_at > now - timedelta(minutes=1)]
        if len(lately) >= _A_MINUTE:
            raise Refusal(429, "too_many_requests", "Too many requests for this user")
        try:
            details = tuple(json.loads(fields.get("authorization_details", "[]")))
        except (ValueError, TypeError, RecursionError):
            raise Refusal(400, "invalid_authorization_details", "authorization_details is no JSON array") from None
        until = now + timedelta(seconds=int(seconds))
        name = f"nauth_req_{secrets.token_urlsafe(32)}"
        push = Push(
            id=secrets.token_hex(8),
            person=person.id,
            binding_message=fields["binding_message"],
            asked_at=now,
            expires_at=until,
            auth_req_id=name,
            interval=self.interval,
            details=details,
        )
        self.pushes.append(push)
        return push

    def _hinted(self, hint: str) -> Person:
        try:
            found = json.loads(hint)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.get("format") != "iss_sub" or found.get("iss") != self._tenant.issuer:
            raise Refusal(400, "invalid_request", "login_hint must be a JSON object with format iss_sub")
        people = self._tenant.state.people.values()
        person = next((one for one in people if one.sub == found.get("sub")), None)
        if person is None:
            raise Refusal(400, "unknown_user_id", "Unknown user")
        return person
