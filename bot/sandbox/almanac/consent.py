"""Almanac's authorization endpoint: somebody picks their account and what a client may do there.

There are no passwords, as everywhere in the sandbox. The page keeps nothing on the server: its form carries the
request, and is bound to the browser by a cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from yarl import URL

from .calendars import Calendars
from .grants import Client
from .model import ACCOUNTS, READ, SCOPES, WRITE
from .page import page

VISIT = "sandbox-almanac-visit"
_ASKED = ("client_id", "redirect_uri", "state", "scope")
_KNOWN_AS = {READ: "See the events in your calendar", WRITE: "Put events into your calendar"}
# A form's target is checked after every redirect too (CSP Level 3, form-action), and where the client leads the browser
# from its own address is not known here.
_FORM_ACTION = "'self' http: https:"
_AGAIN = "Go back to where you came from and begin again."


@dataclass(frozen=True, slots=True)
class Consent:
    """The handlers, bound to what they need."""

    client: Client
    calendars: Calendars

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/oauth/authorize", self.ask)
        app.router.add_post("/oauth/authorize", self.decide)

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """`GET /oauth/authorize` (RFC 6749 section 4.1.1): the page. Changes nothing, however often it is fetched."""
        asked = {name: request.query.get(name, "") for name in _ASKED}
        stranger = self._stranger(asked)
        if stranger is not None:
            return stranger
        scopes = _scopes(asked)
        if request.query.get("response_type") != "code":
            return _back(asked, error="unsupported_response_type", error_description="Only code is supported")
        if not scopes:
            return _back(asked, error="invalid_scope", error_description="None of these scopes is known")
        visit = request.cookies.get(VISIT) or secrets.token_urlsafe(24)
        hint = request.query.get("login_hint", "").casefold()
        response = page(
            "consent.html",
            form_action=_FORM_ACTION,
            host=URL(asked["redirect_uri"]).authority,
            accounts=ACCOUNTS,
            chosen=next((one.id for one in ACCOUNTS if hint in {one.id, one.email}), None),
            scopes=[(scope, _KNOWN_AS[scope]) for scope in scopes],
            asked=asked,
            csrf=_csrf(visit, asked),
        )
        response.set_cookie(VISIT, visit, path="/", httponly=True, samesite="Lax")
        return response

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """`POST /oauth/authorize`: back to the client, with a code or with a refusal."""
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        asked = {name: form.get(name, "") for name in _ASKED}
        visit, origin = request.cookies.get(VISIT, ""), request.headers.get("Origin", "")
        own = hmac.compare_digest(form.get("csrf", "").encode(), _csrf(visit, asked).encode())
        if not visit or not own or origin not in {"", f"{request.scheme}://{request.host}"}:
            return page("refused.html", 403, title="The form was not sent from its page", sentence=_AGAIN)
        stranger = self._stranger(asked)
        if stranger is not None:
            return stranger
        if form.get("action") == "cancel":
            return _back(asked, error="access_denied", error_description="The user has denied the request")
        account = next((one for one in ACCOUNTS if one.id == form.get("person")), None)
        granted = tuple(scope for scope in _scopes(asked) if form.get(f"scope {scope}") == "on")
        if form.get("action") != "accept" or account is None or not granted:
            sentence = "Go back one page, choose an account and what may be done there, and accept or cancel."
            return page("refused.html", 400, title="Nothing was chosen", sentence=sentence)
        return _back(asked, code=self.calendars.grants.code(account.id, granted, asked["redirect_uri"]))

    def _stranger(self, asked: Mapping[str, str]) -> web.Response | None:
        """A page for a request that must not be answered by a redirect."""
        if asked["client_id"] == self.client.client_id and asked["redirect_uri"] in self.client.redirect_uris:
            return None
        sentence = "No client of this name and with this address to go back to is registered at Almanac."
        return page("refused.html", 400, title="Unknown client", sentence=sentence)


def _scopes(asked: Mapping[str, str]) -> list[str]:
    """What is known of what was asked for."""
    return [scope for scope in dict.fromkeys(asked["scope"].split()) if scope in SCOPES]


def _back(asked: Mapping[str, str], **values: str) -> web.Response:
    given = values | ({"state": asked["state"]} if asked["state"] else {})
    address = URL(asked["redirect_uri"], encoded=True).extend_query(given)
    headers = {"Location": str(address), "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(status=302, headers=headers)


def _csrf(visit: str, asked: Mapping[str, str]) -> str:
    """Bound to this browser's cookie and this request."""
    return hmac.new(visit.encode(), json.dumps(asked, sort_keys=True).encode(), hashlib.sha256).hexdigest()
