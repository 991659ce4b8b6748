"""What the browser sees: `/authorize`, and the page on which somebody says who they are and agrees.

There are no passwords: whoever opens the page may be anybody in it. All else is as strict as a real login.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urlsplit

from aiohttp import web
from yarl import URL

from .authorize import NotForUs, SentBack, check
from .model import IDENTITY_SCOPES, Asked, Code, Login, Person
from .page import PAGES, page, refused
from .state import hashed
from .tenant import Tenant

VISIT = "sandbox-tenant-visit"
SESSION = "sandbox-tenant-session"
CODE_SECONDS = 300
_KNOWN_AS = {
    "openid": "Know who you are",
    "profile": "See your name and picture",
    "email": "See your e-mail address",
    "offline_access": "Keep this access while you are away",
}


@dataclass(frozen=True, slots=True)
class LoginPages:
    """The handlers, bound to what they need."""

    tenant: Tenant

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/authorize", self.authorize)
        app.router.add_get("/u/login", self.show)
        app.router.add_post("/u/login", self.decide)
        app.router.add_get("/u/style.css", self.style)

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """`GET /authorize`: to the login page, or back with an error, or a page where nobody is to be trusted."""
        organizations = frozenset(o for person in self.tenant.state.people.values() for o in person.organizations)
        try:
            asked = check(request.query, self.tenant.application, self.tenant.apis, organizations)
        except NotForUs as stranger:
            return refused(stranger.title, stranger.sentence, 403 if stranger.title != "Missing client" else 400)
        except SentBack as back:
            return self.back(back.redirect_uri, back.state, error=back.error, error_description=back.description)
        visit = request.cookies.get(VISIT) or secrets.token_urlsafe(24)
        expires = self.tenant.state.clock() + timedelta(seconds=self.tenant.state.lifetimes.login)
        name = self.tenant.state.open_login(Login(asked, hashed(visit), expires))
        response = web.Response(status=302, headers={"Location": f"/u/login?state={name}", "Cache-Control": "no-store"})
        response.set_cookie(VISIT, visit, path="/", httponly=True, samesite="Lax")
        return response

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /u/login`: the page. Changes nothing, however often it is fetched."""
        name = request.query.get("state", "")
        login = self.of_this_browser(request, name)
        if login is None:
            return over()
        asked = login.asked
        return page(
            "login.html",
            form_action=origin(asked.redirect_uri),
            application=self.tenant.application.name,
            audience=asked.audience,
            host=urlsplit(asked.redirect_uri).netloc,
            people=list(self.tenant.state.people.values()),
            chosen=self._foreseen(asked, request.cookies.get(SESSION)),
            scopes=[s for s in asked.scopes if s not in IDENTITY_SCOPES],
            identity=[_KNOWN_AS[s] for s in asked.scopes if s in IDENTITY_SCOPES],
            organization=asked.organization,
            with_mfa=asked.with_mfa,
            name=name,
            csrf=csrf(request.cookies[VISIT], name),
        )

    async def decide(self, request: web.Request) -> web.StreamResponse:
        """`POST /u/login`: back to the application, with a code or with a refusal."""
        form = await form_of(request)
        name = form.get("state", "")
        login = self.of_this_browser(request, name)
        if login is None:
            return over()
        if not own_form(request, form, name):
            return forged()
        asked = login.asked
        if form.get("action") == "cancel":
            return self.cancelled(name, asked)
        person = self.tenant.state.people.get(form.get("person", ""))
        if form.get("action") != "accept" or person is None:
            return refused("Nobody was chosen", "Go back one page, choose a person, and accept or cancel.", 400)
        del self.tenant.state.logins[name]
        if asked.organization is not None and asked.organization not in person.organizations:
            return self.back(
                asked.redirect_uri,
                asked.state,
                error="access_denied",
                error_description=f"user {person.sub} is not part of the {asked.organization} organization",
            )
        if asked.with_mfa:
            self.tenant.state.logins[name] = replace(login, person=person.id)
            self.tenant.state.phones.send(person.id, link=None, seconds=CODE_SECONDS, forwarded_for=None)
            headers = {"Location": f"/u/mfa?state={name}", "Cache-Control": "no-store"}
            return web.Response(status=303, headers=headers)
        return self.signed_in(request, asked, person)

    async def style(self, _: web.Request) -> web.StreamResponse:
        """The pages' style sheet."""
        return web.FileResponse(PAGES / "style.css", headers={"X-Content-Type-Options": "nosniff"})

    def signed_in(
        self, request: web.Request, asked: Asked, person: Person, *, with_mfa: bool = False
    ) -> web.StreamResponse:
        """Back to the application with a code.

        Without passwords whoever chose themselves has authenticated, if that was needed: a session that will do for the
        request keeps its time.
        """
        state = self.tenant.state
        sid = state.session_of(request.cookies.get(SESSION), person)
        since = state.authenticated(sid, max_age=asked.max_age, anew=asked.anew)
        expires = state.clock() + timedelta(seconds=state.lifetimes.code)
        code = state.issue_code(Code(asked, person.id, sid, since, expires, with_mfa=with_mfa))
        response = self.back(asked.redirect_uri, asked.state, code=code)
        response.set_cookie(SESSION, sid, path="/", httponly=True, samesite="Lax")
        return response

    def cancelled(self, name: str, asked: Asked) -> web.Response:
        """Back to the application without one, and the page is over."""
        del self.tenant.state.logins[name]
        said = "User did not authorize the request"
        return self.back(asked.redirect_uri, asked.state, error="access_denied", error_description=said)

    def back(self, redirect_uri: str, state: str | None, **values: str) -> web.Response:
        """A redirect to the application; with `iss` where the tenant is set to say it (RFC 9207)."""
        if state is not None:
            values["state"] = state
        if self.tenant.issuer_in_response:
            values["iss"] = self.tenant.issuer
        address = URL(redirect_uri, encoded=True).extend_query(values)
        headers = {"Location": str(address), "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return web.Response(status=302, headers=headers)

    def of_this_browser(self, request: web.Request, name: str) -> Login | None:
        """The login page of this name, if this browser has it open."""
        login, visit = self.tenant.state.login(name), request.cookies.get(VISIT)
        if login is None or not visit or not hmac.compare_digest(hashed(visit), login.visit):
            return None
        return login

    def _foreseen(self, asked: Asked, sid: str | None) -> str | None:
        """Whose mark is set when the page opens: the hinted person, else who was here last."""
        hint = (asked.login_hint or "").strip().casefold()
        for person in self.tenant.state.people.values():
            if hint in {person.email.casefold(), person.sub.casefold()}:
                return person.id
        return self.tenant.state.sessions.get(sid or "")


async def form_of(request: web.Request) -> Mapping[str, str]:
    """The fields of a form."""
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def csrf(visit: str, name: str) -> str:
    """Bound to this browser's cookie and this page; both are random, so a hash is enough."""
    return hmac.new(visit.encode(), name.encode(), hashlib.sha256).hexdigest()


def own_form(request: web.Request, form: Mapping[str, str], name: str) -> bool:
    """Whether it was sent from the page of this name, in the browser that has it."""
    origin = request.headers.get("Origin", "")
    if origin and origin != f"{request.scheme}://{request.host}":
        return False
    return hmac.compare_digest(form.get("csrf", "").encode(), csrf(request.cookies[VISIT], name).encode())


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


def forged() -> web.Response:
    """The form came from elsewhere."""
    return refused("The form was not sent from its page", "Go back to the application and begin again.", 403)


def over() -> web.Response:
    """There is no such page any more."""
    return refused(
        "This login is over",
        "It was finished, has expired, or was begun in another browser. Go back to the application and begin again.",
        400,
    )
