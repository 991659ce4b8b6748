"""The pages of authenticating once more: the link, and the way back from the provider."""

from __future__ import annotations

from aiohttp import web

from oauth.errands.routes import ErrandPages
from oauth.errors import StateUnknown
from oauth.site import Site, answer_in
from oauth.step_up.flow import SteppingUp
from oauth.step_up.login import RETURN
from oauth.step_up.model import Answer, Step


class StepUpPages(ErrandPages[Step]):
    """The link says for whom it is and about what."""

    path = "/step-up"
    template = "step_up.html"

    def __init__(self, stepping: SteppingUp, site: Site) -> None:
        super().__init__(stepping, site)
        self._stepping = stepping

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        super().add_to(app)
        app.router.add_get(RETURN, self.site.page_of(self.come_back))

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """`GET /oauth/step-up`: the provider's answer, once, in the browser that began."""
        try:
            state, brought = answer_in(request, "code", "error", "iss")
        except StateUnknown as error:
            await self._stepping.refused(error)
            raise
        step = await self._stepping.returned(Answer(state, self.site.browser(request), **brought))
        return self.site.end(self.page("stepped_up.html", step))

    def page(self, name: str, step: Step, **values: str) -> web.Response:
        """With the account, and what is decided."""
        return self.site.page(name, 200, identity=step.principal.identity, about=step.ticket.about, **values)
