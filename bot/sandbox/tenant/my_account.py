"""Auth0's My Account API, as far as it is about connected accounts ("Connected Accounts for Token Vault").

Shapes and limits are those of its OpenAPI document. Stricter than Auth0 in one point, so that a careless client is
found out here: `state` and PKCE with S256 are required.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .connecting import ConnectAsked, Connecting
from .connections import Connection
from .model import Person
from .problems import Problem, body_of
from .tenant import Tenant

SCOPES = ("create:me:connected_accounts", "read:me:connected_accounts", "delete:me:connected_accounts")
_CREATE, _READ, _DELETE = SCOPES
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CONNECT = {
    "connection": 128,
    "redirect_uri": 2_048,
    "state": 4_096,
    "code_challenge": 128,
    "code_challenge_method": 4,
}
_COMPLETE = {"auth_session": 64, "connect_code": 46, "redirect_uri": 2_048, "code_verifier": 128}
_PARAMETERS = {
    *("acr_values", "audience", "resource", "display", "id_token_hint", "login_hint", "max_age", "prompt"),
    "ui_locales",
}
Answer = tuple[int, dict[str, Any] | None]
Act = Callable[[web.Request, Person], Awaitable[Answer]]


@dataclass
class MyAccount:
    """`/me/v1/connected-accounts/…` for whoever an access token names. Counts what it is asked, also in vain."""

    tenant: Tenant
    connecting: Connecting
    connections: Mapping[str, Connection]
    connect_calls: int = 0
    complete_calls: int = 0

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        base = "/me/v1/connected-accounts"
        app.router.add_post(f"{base}/connect", self._route(_CREATE, self.connect))
        app.router.add_post(f"{base}/complete", self._route(_CREATE, self.complete))
        app.router.add_get(f"{base}/accounts", self._route(_READ, self.accounts))
        app.router.add_get(f"{base}/connections", self._route(_READ, self.available))
        app.router.add_delete(f"{base}/accounts/{{id}}", self._route(_DELETE, self.delete))

    @property
    def audience(self) -> str:
        """The identifier of this API; like the issuer it ends with a slash."""
        return f"{self.tenant.issuer}me/"

    async def connect(self, request: web.Request, person: Person) -> Answer:
        """Begin: where to send the browser, and the session that completes it."""
        self.connect_calls += 1
        body = await body_of(request, _CONNECT, others=("scopes", "authorization_params"))
        for name in _CONNECT:
            if name not in body:
                raise Problem("400-0003", f"Missing required property: {name}", name)
        if body["code_challenge_method"] != "S256":
            raise Problem("400-0003", "code_challenge_method must be S256", "code_challenge_method")
        if not _CHALLENGE.fullmatch(body["code_challenge"]):
            raise Problem("400-0003", "code_challenge is not a SHA-256 digest", "code_challenge")
        connection = self.connections.get(body["connection"])
        if connection is None:
            raise Problem("400-0001", "The connection does not exist, or is not enabled for connected accounts")
        if body["redirect_uri"] not in self.tenant.application.redirect_uris:
            raise Problem("400-0001", "The redirect_uri is not, to the letter, one that the application has registered")
        session, ticket, seconds = self.connecting.begin(
            ConnectAsked(
                person=person.id,
                connection=connection.name,
                redirect_uri=body["redirect_uri"],
                state=body["state"],
                challenge=body["code_challenge"],
                scopes=_scopes(body) or connection.scopes,
                parameters=_parameters(body),
            )
        )
        return 201, {
            "auth_session": session,
            "connect_uri": f"{self.tenant.issuer}connected-accounts/connect",
            "connect_params": {"ticket": ticket},
            "expires_in": seconds,
        }

    async def complete(self, request: web.Request, person: Person) -> Answer:
        """End: the account is the person's, and its tokens are in the vault."""
        self.complete_calls += 1
        body = await body_of(request, _COMPLETE)
        for name in _COMPLETE:
            if name not in body and name != "code_verifier":
                raise Problem("400-0003", f"Missing required property: {name}", name)
        found = self.connecting.redeem(body["auth_session"], body["connect_code"], person.id)
        if found is None or found.agreed is None:
            raise Problem("400-0001", "The auth_session or the connect_code is unknown, used, or expired")
        if body["redirect_uri"] != found.asked.redirect_uri:
            raise Problem("400-0001", "The redirect_uri is not that of the request")
        verifier = body.get("code_verifier", "")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(_digest(verifier), found.asked.challenge):
            raise Problem("400-0001", "Failed to verify code verifier")
        state = self.tenant.state
        kept = state.accounts.connect(
            person.id, found.asked.connection, found.agreed.account, found.agreed.tokens, state.clock()
        )
        state.changed()
        await state.save()
        return 201, kept.as_json()

    async def accounts(self, request: web.Request, person: Person) -> Answer:
        """What the person has connected, all of it, or at the connections that are named."""
        named = request.query.getall("connection", [])
        theirs = self.tenant.state.accounts.of(person.id)
        return 200, {"accounts": [one.as_json() for one in theirs if not named or one.connection in named]}

    async def available(self, _: web.Request, __: Person) -> Answer:
        """What can be connected."""
        listed = self.connections.values()
        return 200, {
            "connections": [{"name": c.name, "strategy": c.strategy, "scopes": list(c.scopes)} for c in listed]
        }

    async def delete(self, request: web.Request, person: Person) -> Answer:
        """Forget an account with its tokens. One that is not there, or another's, is as good as forgotten."""
        state = self.tenant.state
        if state.accounts.remove(person.id, request.match_info["id"]):
            state.changed()
            await state.save()
        return 204, None

    def _route(self, scope: str, act: Act) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            headers = {"Cache-Control": "no-store"}
            try:
                status, body = await act(request, self._caller(request, scope))
            except Problem as problem:
                status, body = problem.status, problem.body()
                if status == 401:
                    headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            if body is None:
                return web.Response(status=status, headers=headers)
            return web.json_response(body, status=status, headers=headers)

        return handler

    def _caller(self, request: web.Request, scope: str) -> Person:
        """Who calls, under a live access token for this API with the scope in it. Raises Problem."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem("401-0001", "A bearer token is needed")
        found = self.tenant.state.signer.verified(token) or {}
        audiences = found.get("aud")
        people = self.tenant.state.people.values()
        person = next((one for one in people if one.sub == found.get("sub")), None)
        for_us = self.audience in (audiences if isinstance(audiences, list) else [audiences])
        live = found.get("exp", 0) > self.tenant.state.clock().timestamp()
        if person is None or not for_us or not live:
            raise Problem("401-0003", "Invalid Token")
        if scope not in str(found.get("scope", "")).split():
            raise Problem("403-0002", f"Insufficient scope, expected: {scope}")
        return person


def _scopes(body: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The scopes to ask of the third party, or None. An empty list is refused, as Auth0 does."""
    if "scopes" not in body:
        return None
    given = body["scopes"]
    fits = isinstance(given, list) and 1 <= len(given) <= 100 and all(isinstance(one, str) for one in given)
    if not fits or len(set(given)) != len(given) or not all(re.fullmatch(r"[!-~]{1,255}", one) for one in given):
        raise Problem("400-0003", "scopes must be a list of 1 to 100 different scopes", "scopes")
    return tuple(given)


def _parameters(body: Mapping[str, Any]) -> dict[str, object]:
    given = body.get("authorization_params", {})
    if not isinstance(given, dict) or not given.keys() <= _PARAMETERS:
        raise Problem("400-0003", "authorization_params has what it may not have", "authorization_params")
    if not all(isinstance(value, str | int) for value in given.values()):
        raise Problem("400-0003", "authorization_params are texts", "authorization_params")
    return given


def _digest(verifier: str) -> str:
    """RFC 7636 section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
