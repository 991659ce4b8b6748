"""`POST /passwordless/start`: a one-time code, or a link, by e-mail ("Using Passwordless APIs").

Errors are those of the Authentication API's list for this endpoint. It does not list every case: the words of
`bad.email`, `bad.send` and of a refused sign-up are modelled on the listed ones, so a client must not rely on them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from .clients import authenticate
from .model import Refusal
from .page import refused
from .people import account_id, by_address
from .rates import Allowance, HourlyRates
from .tenant import Tenant
from .tokens import answered

CONNECTION = "email"
FORWARDED = "auth0-forwarded-for"
_KNOWN = {
    **dict.fromkeys(("client_id", "client_secret", "client_assertion", "client_assertion_type"), str),
    **dict.fromkeys(("connection", "email", "phone_number", "send"), str),
    "authParams": dict,
}
_NAMES = {str: "string", dict: "object"}
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\]{1,64}@[^\s@<>\"(),:;\\]{1,180}\.[^\s@<>\"(),:;\\.]{2,}")


@dataclass
class PasswordlessLogin:
    """The handlers. Counts what it is asked, also in vain."""

    tenant: Tenant
    calls: int = 0
    rates: HourlyRates = field(init=False)

    def __post_init__(self) -> None:
        self.rates = HourlyRates(self.tenant.state.clock)

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_post("/passwordless/start", self.start)
        app.router.add_get("/passwordless/verify_redirect", self.follow)

    async def start(self, request: web.Request) -> web.StreamResponse:
        """Send a mail to an address. A client that does not ask for a code gets a link sent, as at Auth0."""
        self.calls += 1
        allowance: Allowance | None = None
        try:
            body = await _body(request)
            self._authenticated(body)
            allowance = self._allowance(request, body)
            if allowance.wait is not None:
                raise Refusal(
                    429,
                    "too_many_requests",
                    "Too many requests. Check the X-RateLimit-Limit, X-RateLimit-Remaining and "
                    "X-RateLimit-Reset headers.",
                )
            answer, status = self._sent(body, request.headers.get(FORWARDED)), 200
        except Refusal as no:
            answer, status = no.body(), no.status
        return answered(answer, status, **(allowance.headers() if allowance else {}))

    async def follow(self, _: web.Request) -> web.StreamResponse:
        """Where a sent link leads: nowhere, since what is here for is the code."""
        return refused("Links are not followed here", "This sandbox takes one-time codes only.", 501)

    def _authenticated(self, body: Mapping[str, Any]) -> None:
        if not body.get("client_secret") and not body.get("client_assertion"):
            raise Refusal(403, "unauthorized_client", "Client authentication is required.")
        authenticate(self.tenant, {name: one for name, one in body.items() if isinstance(one, str)}, None)

    def _allowance(self, request: web.Request, body: Mapping[str, Any]) -> Allowance:
        """Of the caller's bucket, or of the address's where that is empty."""
        settings = self.tenant.passwordless
        caller = request.remote or ""
        if settings.trust_forwarded_for:
            caller = _ip(request.headers.get(FORWARDED, "")) or caller
        of_caller = self.rates.take(f"ip {caller}", settings.per_ip)
        if of_caller.wait is not None:
            return of_caller
        of_address = self.rates.take(f"to {body['email'].casefold()}", settings.per_address)
        return of_address if of_address.wait is not None else of_caller

    def _sent(self, body: Mapping[str, Any], forwarded_for: str | None) -> dict[str, Any]:
        settings, state, address = self.tenant.passwordless, self.tenant.state, body["email"].casefold()
        if not settings.enabled:
            raise Refusal(400, "bad.connection", "Connection is disabled")
        person = by_address(state.people, address)
        if person is None and not settings.signups:
            raise Refusal(400, "bad.connection", "Public signup is disabled")
        link = None if body.get("send") == "code" else self._link(body)
        state.mailbox.send(address, link=link, seconds=settings.seconds, forwarded_for=forwarded_for)
        verified = person is not None and person.email_verified
        return {"_id": account_id(address), "email": address, "email_verified": verified}

    def _link(self, body: Mapping[str, Any]) -> Callable[[str], str]:
        asked = {name: value for name, value in (body.get("authParams") or {}).items() if isinstance(value, str)}

        def made(code: str) -> str:
            ours = {"connection": CONNECTION, "client_id": body["client_id"], "email": body["email"]}
            query = urlencode({**asked, **ours, "verification_code": code})
            return f"{self.tenant.issuer}passwordless/verify_redirect?{query}"

        return made


async def _body(request: web.Request) -> dict[str, Any]:
    """The request as it may be carried out. Raises Refusal."""
    try:
        found = await request.json() if request.content_type == "application/json" else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(400, "bad.request", "The body is not a JSON object")
    body = {name: value for name, value in found.items() if value is not None}
    unknown = sorted(body.keys() - _KNOWN.keys())
    if unknown:
        raise Refusal(400, "bad.request", f"the following properties are not allowed: {', '.join(unknown)[:200]}")
    for name, value in body.items():
        if not isinstance(value, _KNOWN[name]):
            raise Refusal(400, f"bad.{name}", f"error in {name} - invalid type (expected {_NAMES[_KNOWN[name]]})")
    for name in ("client_id", "connection"):
        if name not in body:
            raise Refusal(400, f"bad.{name}", f"Missing required property: {name}")
    if body["connection"] != CONNECTION:
        raise Refusal(400, "bad.connection", "Connection does not exist")
    if "email" not in body:
        raise Refusal(400, "bad.email", "Missing required property: email")
    if len(body["email"]) > 254 or not _ADDRESS.fullmatch(body["email"]):
        raise Refusal(400, "bad.email", "error in email - invalid format")
    if body.get("send", "link") not in {"code", "link"}:
        raise Refusal(400, "bad.send", "error in send - invalid value")
    return body


def _ip(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return None
