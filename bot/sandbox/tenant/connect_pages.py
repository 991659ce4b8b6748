"""What the browser sees while an account is connected: off to the third party by ticket, and back from it.

As at Auth0 the ticket says which request it belongs to, and not whose browser follows it: whoever has it may agree,
with whatever account they have at the third party. To find out whether that was the person is the application's part.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from yarl import URL

from .connecting import Agreed, Connecting, ConnectRequest
from .connections import ThirdParty, ThirdPartyAway, ThirdPartyRefused
from .page import refused
from .tenant import Tenant

VISIT = "sandbox-tenant-connect"
CALLBACK = "login/callback"


@dataclass(frozen=True, slots=True)
class ConnectPages:
    """The handlers, bound to what they need."""

    tenant: Tenant
    connecting: Connecting
    parties: Mapping[str, ThirdParty]

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/connected-accounts/connect", self.follow)
        app.router.add_get(f"/{CALLBACK}", self.back)

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """`GET /connected-accounts/connect?ticket=`: on to the third party."""
        found = self.connecting.by_ticket(request.query.get("ticket", ""))
        if found is None:
            return _over()
        visit = request.cookies.get(VISIT) or secrets.token_urlsafe(24)
        address = self.parties[found.asked.connection].consent_url(
            redirect_uri=self.tenant.issuer + CALLBACK,
            state=self.connecting.depart(found, visit),
            scopes=found.asked.scopes,
            parameters=found.asked.parameters,
        )
        response = _redirect(address)
        response.set_cookie(VISIT, visit, path="/", httponly=True, samesite="Lax")
        return response

    async def back(self, request: web.Request) -> web.StreamResponse:
        """`GET /login/callback`: from the third party, on to the application with a connect code or an error."""
        query = request.query
        found = self.connecting.arrive(query.get("state", ""), request.cookies.get(VISIT))
        if found is None:
            return _over()
        if query.get("error"):
            self.connecting.drop(found)
            words = query.get("error_description", "")
            return _application(found, error=query["error"][:100], error_description=words[:500])
        party = self.parties[found.asked.connection]
        try:
            tokens = await party.redeem(query.get("code", ""), self.tenant.issuer + CALLBACK, found.asked.scopes)
            account = await party.account(tokens.access_token)
        except (ThirdPartyRefused, ThirdPartyAway):
            self.connecting.drop(found)
            words = f"The connection {found.asked.connection} gave no tokens"
            return _application(found, error="server_error", error_description=words)
        if found.code is not None:
            return _over()  # two browsers came back at once, and the other one was first
        return _application(found, connect_code=self.connecting.agree(found, Agreed(account, tokens)))


def _application(found: ConnectRequest, **values: str) -> web.Response:
    address = URL(found.asked.redirect_uri, encoded=True).extend_query(values | {"state": found.asked.state})
    return _redirect(str(address))


def _redirect(address: str) -> web.Response:
    headers = {"Location": address, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(status=302, headers=headers)


def _over() -> web.Response:
    return refused(
        "This connection is over",
        "It was finished, has expired, or was begun in another browser. Go back to the application and begin again.",
        400,
    )
