"""The pages of connecting an account: the link, and the way back from the provider and from the third party."""

from __future__ import annotations

from aiohttp import web

from oauth.accounts.flow import Connecting
from oauth.accounts.my_account import RETURN
from oauth.accounts.tickets import Answer, Step
from oauth.errands.routes import ErrandPages
from oauth.errors import StateUnknown
from oauth.site import Site, answer_in


class AccountPages(ErrandPages[Step]):
    """The link says whose account is connected to whom."""

    path = "/connect"
    template = "connect.html"

    def __init__(self, connecting: Connecting, site: Site) -> None:
        super().__init__(connecting, site)
        self._connecting = connecting

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        super().add_to(app)
        app.router.add_get(RETURN, self.site.page_of(self.come_back))

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """`GET /oauth/connect`: from the login on to the third party, and from there to the end."""
        try:
            state, brought = answer_in(request, "code", "connect_code", "error", "iss")
        except StateUnknown as error:
            await self._connecting.refused(error)
            raise
        step = await self._connecting.returned(Answer(state, self.site.browser(request), **brought))
        if step.onward is None:
            return self.site.end(self.page("connected.html", step))
        # A page that goes on by itself ends what a form of the provider's began, whose policy may let that lead to us
        # and no further; each redirect counts (CSP Level 3, form-action).
        if request.headers.get("Sec-Fetch-Mode") == "navigate":
            return self.page("to_account.html", step, address=step.onward)
        return self.site.go_to(step.onward)

    def page(self, name: str, step: Step, **values: str) -> web.Response:
        """With both accounts, and what may be done."""
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
