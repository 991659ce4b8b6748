"""The pages of authenticating once more: the link, and the way back from the provider."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from oauth import tickets
from oauth.errors import IdentityError, StateUnknown
from oauth.site import Site, answer_in, csrf, form_of
from oauth.step_up.flow import SteppingUp
from oauth.step_up.login import RETURN
from oauth.step_up.model import Answer, Step


@dataclass(frozen=True, slots=True)
class StepUpPages:
    """The handlers, bound to what they need. `site` has a place of its own."""

    stepping: SteppingUp
    site: Site

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        page_of = self.site.page_of
        app.router.add_get("/step-up/{ticket}", page_of(self.show))
        app.router.add_get("/step-up", page_of(self.show_again))
        app.router.add_post("/step-up/{ticket}", page_of(self.go_on))
        app.router.add_get(RETURN, page_of(self.come_back))

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /step-up/{ticket}`: for whom and about what. Changes nothing, however often it is fetched."""
        return await self._link_page(request.match_info["ticket"])

    async def show_again(self, request: web.Request) -> web.StreamResponse:
        """`GET /step-up`: the same page loaded again, after its link has left the address bar."""
        return await self._link_page(self.site.visited(request))

    async def _link_page(self, secret: str) -> web.StreamResponse:
        opened = await self.stepping.open(secret)
        visit = tickets.new_secret()
        page = self._page("step_up.html", opened, address=secret, csrf=csrf(visit, secret))
        return self.site.visit(page, visit, secret)

    async def go_on(self, request: web.Request) -> web.StreamResponse:
        """`POST /step-up/{ticket}`: to the provider's login, with a cookie of this browser alone."""
        secret = request.match_info["ticket"]
        try:
            self.site.own_form(request, secret, await form_of(request))
            browser = tickets.new_secret()  # never one that was there before: it could have been planted
            address = await self.stepping.go_on(secret, browser)
        except IdentityError as error:
            await self.stepping.refused_form(secret, error)
            raise
        return self.site.begin(self.site.go_to(address), browser)

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """`GET /oauth/step-up`: the provider's answer, once, in the browser that began."""
        try:
            state, brought = answer_in(request, "code", "error", "iss")
        except StateUnknown as error:
            await self.stepping.refused(error)
            raise
        step = await self.stepping.returned(Answer(state, self.site.browser(request), **brought))
        return self.site.end(self._page("stepped_up.html", step))

    def _page(self, name: str, step: Step, **values: str) -> web.Response:
        return self.site.page(name, 200, identity=step.principal.identity, about=step.ticket.about, **values)
