"""The pages of connecting an account: the link, and the way back from the provider and from the third party."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from oauth import tickets
from oauth.accounts.flow import Connecting
from oauth.accounts.my_account import RETURN
from oauth.accounts.tickets import Answer, Step
from oauth.errors import IdentityError, StateUnknown
from oauth.site import Site, answer_in, csrf, form_of


@dataclass(frozen=True, slots=True)
class AccountPages:
    """The handlers, bound to what they need. `site` has a place of its own."""

    connecting: Connecting
    site: Site

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        page_of = self.site.page_of
        app.router.add_get("/connect/{ticket}", page_of(self.show))
        app.router.add_get("/connect", page_of(self.show_again))
        app.router.add_post("/connect/{ticket}", page_of(self.go_on))
        app.router.add_get(RETURN, page_of(self.come_back))

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /connect/{ticket}`: whose account is connected to whom. Changes nothing, however often it is fetched."""
        return await self._link_page(request.match_info["ticket"])

    async def show_again(self, request: web.Request) -> web.StreamResponse:
        """`GET /connect`: the same page loaded again, after its link has left the address bar."""
        return await self._link_page(self.site.visited(request))

    async def _link_page(self, secret: str) -> web.StreamResponse:
        opened = await self.connecting.open(secret)
        visit = tickets.new_secret()
        page = self._page("connect.html", opened, address=secret, csrf=csrf(visit, secret))
        return self.site.visit(page, visit, secret)

    async def go_on(self, request: web.Request) -> web.StreamResponse:
        """`POST /connect/{ticket}`: to the provider's login, with a cookie of this browser alone."""
        secret = request.match_info["ticket"]
        try:
            self.site.own_form(request, secret, await form_of(request))
            browser = tickets.new_secret()  # never one that was there before: it could have been planted
            address = await self.connecting.go_on(secret, browser)
        except IdentityError as error:
            await self.connecting.refused_form(secret, error)
            raise
        return self.site.begin(self.site.go_to(address), browser)

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """`GET /oauth/connect`: from the login on to the third party, and from there to the end."""
        try:
            state, brought = answer_in(request, "code", "connect_code", "error", "iss")
        except StateUnknown as error:
            await self.connecting.refused(error)
            raise
        step = await self.connecting.returned(Answer(state, self.site.browser(request), **brought))
        if step.onward is None:
            return self.site.end(self._page("connected.html", step))
        # A page that goes on by itself ends what a form of the provider's began, whose policy may let that lead to us
        # and no further; each redirect counts (CSP Level 3, form-action).
        if request.headers.get("Sec-Fetch-Mode") == "navigate":
            return self._page("to_account.html", step, address=step.onward)
        return self.site.go_to(step.onward)

    def _page(self, name: str, step: Step, **values: str) -> web.Response:
        ticket = step.ticket
        return self.site.page(
            name,
            200,
            profile=ticket.profile,
            identity=step.principal.identity,
            connection=ticket.connection,
            scopes=sorted(ticket.scopes),
            **values,
        )
