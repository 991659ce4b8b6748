"""The pages of a login: the link, the way back, and back-channel logout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import structlog
from aiohttp import web

from oauth import tickets
from oauth.errors import AddressMalformed, EmbeddedRefused, LinkError, RequestForged, StateUnknown, TokenInvalid
from oauth.fresh import FreshLinks
from oauth.linking import Linking
from oauth.links import Links
from oauth.own_page.routes import EmbeddedPages
from oauth.proving import Returned
from oauth.site import PAGES, Site, answer_in, csrf, form_of
from oauth.verify import Verifier
from oauth.words import beside

log = structlog.get_logger(__name__)

_ASSETS = {"style.css": "text/css", "mark.svg": "image/svg+xml", "leave.js": "text/javascript"}


class Answer(TypedDict):
    """What a browser brings back from an authorization request."""

    state: str
    browser: str | None
    code: str | None
    error: str | None
    iss: str | None


@dataclass(frozen=True, slots=True)
class Pages:
    """The handlers, bound to what they need."""

    linking: Linking
    fresh: FreshLinks
    links: Links
    verifier: Verifier
    site: Site
    embedded: EmbeddedPages | None = None

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        page_of = self.site.page_of
        if self.embedded is not None:  # before the links, since those may have any name
            app.router.add_get("/link/code", page_of(self.embedded.show))
            app.router.add_post("/link/code", page_of(self.take_code))
        app.router.add_get("/link/{ticket}", page_of(self.show))
        app.router.add_get("/link", page_of(self.show_again))
        app.router.add_post("/link/{ticket}", page_of(self.go_on))
        app.router.add_post("/link/{ticket}/again", page_of(self.ask_again))
        app.router.add_get("/oauth/callback", page_of(self.come_back))
        if self.site.slack_issuer is not None:
            app.router.add_get("/oauth/slack", page_of(self.come_back_from_slack))
        app.router.add_post("/oauth/backchannel-logout", self.log_out)
        app.router.add_get("/link-pages/{name}", self.asset)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /link/{ticket}`: whom it is for and what it allows. Changes nothing, however often it is fetched."""
        return await self._link_page(request.match_info["ticket"])

    async def show_again(self, request: web.Request) -> web.StreamResponse:
        """`GET /link`: the same page loaded again, after its link has left the address bar."""
        return await self._link_page(self.site.visited(request))

    async def _link_page(
        self, secret: str, refused: EmbeddedRefused | None = None, typed: object = None
    ) -> web.StreamResponse:
        ticket = await self.linking.open_ticket(secret)
        visit = tickets.new_secret()
        said = beside(refused) if refused else None
        page = self.site.page(
            "link.html",
            said.status if said else 200,
            embedded=self.embedded is not None,
            address=typed if isinstance(typed, str) else ticket.profile.email or "",
            problem=said.sentence if said else None,
            mistyped=isinstance(refused, AddressMalformed),
            profile=ticket.profile,
            scopes=sorted(self.linking.scopes),
            ticket=secret,
            csrf=csrf(visit, secret),
        )
        return self.site.visit(page, visit, secret)

    async def go_on(self, request: web.Request) -> web.StreamResponse:
        """`POST /link/{ticket}`: to the provider, or for a code by e-mail, with a cookie of this browser alone."""
        secret, typed = request.match_info["ticket"], None
        try:
            form = await form_of(request)
            self.site.own_form(request, secret, form)
            if self.embedded is not None and form.get("way") == "email":
                typed = form.get("email")
                return await self.embedded.send(request, secret, typed if isinstance(typed, str) else "")
            browser = tickets.new_secret()  # never one that was there before: it could have been planted
            address = await self.linking.go_on(secret, browser)
        except EmbeddedRefused as refused:
            return await self._link_page(secret, refused, typed)
        except LinkError as error:
            await self.linking.refused_form(secret, error)
            raise
        return self.site.begin(self.site.go_to(address), browser)

    async def take_code(self, request: web.Request) -> web.StreamResponse:
        """`POST /link/code`: in by the code, or on by another way."""
        if self.embedded is None:
            raise web.HTTPNotFound
        done = await self.embedded.take(request)
        return self._result(request, done) if isinstance(done, Returned) else done

    async def ask_again(self, request: web.Request) -> web.StreamResponse:
        """`POST /link/{ticket}/again`: a fresh link, to the direct messages of the person whom this one was for."""
        secret = request.match_info["ticket"]
        try:
            self.site.own_form(request, secret, await form_of(request))
        except LinkError as error:
            await self.linking.refused_form(secret, error)
            raise
        await self.fresh.ask(secret)
        return self.site.page("sent.html")

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """`GET /oauth/callback`: the provider's answer, once, in the browser that began."""
        return self._result(request, await self.linking.returned(**await self._answer(request)))

    async def come_back_from_slack(self, request: web.Request) -> web.StreamResponse:
        """`GET /oauth/slack`: Slack's answer, once, in the same browser."""
        return self._result(request, await self.linking.returned_from_slack(**await self._answer(request)))

    async def _answer(self, request: web.Request) -> Answer:
        """An answer to an authorization request (RFC 6749 section 4.1.2). Raises StateUnknown."""
        try:
            state, brought = answer_in(request, "code", "error", "iss")
        except StateUnknown as error:
            await self.linking.refused_unknown(error)
            raise
        return {
            "state": state,
            "browser": self.site.browser(request),
            "code": brought["code"],
            "error": brought["error"],
            "iss": brought["iss"],
        }

    def _result(self, request: web.Request, result: Returned) -> web.Response:
        if result.onward is not None:
            return self._to_slack(request, result, result.onward)
        page = "linked.html" if result.principal else "code.html"
        shown = self.site.page(page, profile=result.ticket.profile, identity=result.identity, code=result.code)
        return self.site.end(shown)

    def _to_slack(self, request: web.Request, result: Returned, address: str) -> web.Response:
        """On to Slack; the login is not over, so its cookie stays."""
        # A browser comes from a form of the provider's, whose policy may let that lead to us and no further; each
        # redirect counts (CSP Level 3, form-action). A page that goes on by itself ends what the form began.
        if request.headers.get("Sec-Fetch-Mode") == "navigate":
            return self.site.page(
                "to_slack.html", profile=result.ticket.profile, identity=result.identity, address=address
            )
        return self.site.go_to(address)

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        """`POST /oauth/backchannel-logout` (OpenID Connect Back-Channel Logout section 2.7)."""
        try:
            token = (await form_of(request)).get("logout_token")
            if not isinstance(token, str):
                raise TokenInvalid("logout_token")
            logout = await self.verifier.logout_token(token)
            await self.links.logged_out(logout)
        except (TokenInvalid, RequestForged) as error:
            refused = {"error": "invalid_request", "error_description": error.code}
            return self.site.guarded(web.json_response(refused, status=400))
        except web.HTTPException:
            raise
        except Exception as error:  # not done, so the provider has to try again
            log.error("logout_failed", kind=type(error).__name__)
            return self.site.guarded(web.json_response({"error": "temporarily_unavailable"}, status=503))
        return self.site.guarded(web.Response())

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """The pages' style sheet, their mark, and the script that takes the link out of the address bar."""
        name = request.match_info["name"]
        if name not in _ASSETS:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
        return web.FileResponse(PAGES / name, headers=headers | {"Content-Type": _ASSETS[name]})
