"""The second factor: a code that is sent to the person's phone, asked for where the request wants it (`acr_values`).

No real message leaves this machine: `/u/phone` shows what arrived. As with codes by e-mail only the newest is good, for
five minutes, once, and three wrong guesses void it.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from .login import CODE_SECONDS, VISIT, LoginPages, csrf, forged, form_of, origin, over, own_form
from .mailbox import Condition
from .model import Login, Person, Refusal
from .page import page

_WRONG: dict[Condition, str] = {
    "good": "That is not the newest code.",
    "void": "That was the third wrong code, so it is void. Send another one.",
    "expired": "This code has expired. Send another one.",
}


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The handlers. Whoever comes here has said on the login page who they are."""

    pages: LoginPages

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/u/mfa", self.show)
        app.router.add_post("/u/mfa", self.decide)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /u/mfa`: the page. Changes nothing, however often it is fetched."""
        name = request.query.get("state", "")
        found = self._waiting(request, name)
        return over() if found is None else self._page(request, name, *found)

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """`POST /u/mfa`: back to the application, or another code."""
        form = await form_of(request)
        name = form.get("state", "")
        found = self._waiting(request, name)
        if found is None:
            return over()
        if not own_form(request, form, name):
            return forged()
        login, person = found
        state = self.pages.tenant.state
        match form.get("action"):
            case "cancel":
                return self.pages.cancelled(name, login.asked)
            case "again":
                state.phones.send(person.id, link=None, seconds=CODE_SECONDS, forwarded_for=None)
                return self._page(request, name, login, person, "Another code was sent.")
        try:
            state.phones.redeem(person.id, "".join(form.get("code", "").split()))
        except Refusal:
            newest = state.phones.to(person.id)[-1]
            return self._page(request, name, login, person, _WRONG.get(state.phones.condition(newest), _WRONG["good"]))
        del state.logins[name]
        return self.pages.signed_in(request, login.asked, person, with_mfa=True)

    def _waiting(self, request: web.Request, name: str) -> tuple[Login, Person] | None:
        login = self.pages.of_this_browser(request, name)
        person = self.pages.tenant.state.people.get(login.person or "") if login is not None else None
        return (login, person) if login is not None and person is not None else None

    def _page(
        self, request: web.Request, name: str, login: Login, person: Person, said: str | None = None
    ) -> web.Response:
        return page(
            "second_factor.html",
            form_action=origin(login.asked.redirect_uri),
            person=person,
            said=said,
            name=name,
            csrf=csrf(request.cookies[VISIT], name),
        )
