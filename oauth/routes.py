"""The pages of a login: the link, the way back, and back-channel logout."""

from __future__ import annotations

import functools
import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from aiohttp import web
from yarl import URL

from oauth import tickets
from oauth.errors import IdentityError, LoginRefused, RequestForged, StateUnknown, TokenInvalid
from oauth.linking import Linking
from oauth.links import Links
from oauth.verify import Verifier
from oauth.words import words_for

_PAGES = Path(__file__).parent / "pages"
_LONGEST_FIELD = 4096


@dataclass(frozen=True, slots=True)
class Pages:
    """The handlers, bound to what they need. `public_url` is the only source of our own address."""

    linking: Linking
    links: Links
    verifier: Verifier
    public_url: str
    issuer: str

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/link/{ticket}", self.show)
        app.router.add_post("/link/{ticket}", self.go_on)
        app.router.add_get("/oauth/callback", self.come_back)
        app.router.add_post("/oauth/backchannel-logout", self.log_out)
        app.router.add_get("/link-pages/style.css", self.style)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /link/{ticket}`: whom it is for and what it allows. Changes nothing, however often it is fetched."""
        secret = request.match_info["ticket"]
        try:
            ticket = await self.linking.open_ticket(secret)
        except IdentityError as error:
            return self._refused(error)
        visit = tickets.new_secret()
        response = self._page(
            "link.html", profile=ticket.profile, scopes=sorted(self.linking.scopes), csrf=_csrf(visit, secret)
        )
        self._set_cookie(response, visit)
        return response

    async def go_on(self, request: web.Request) -> web.StreamResponse:
        """`POST /link/{ticket}`: to the provider, with a cookie of this browser alone."""
        secret = request.match_info["ticket"]
        try:
            self._own_form(request, secret, await request.post())
            browser = tickets.new_secret()  # never one that was there before: it could have been planted
            address = await self.linking.go_on(secret, browser)
        except IdentityError as error:
            return self._refused(error)
        response = self._guarded(web.Response(status=303, headers={"Location": str(URL(address, encoded=True))}))
        self._set_cookie(response, browser)
        return response

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """`GET /oauth/callback`: the provider's answer, once, in the browser that began."""
        query = request.query
        try:
            if any(len(query.getall(name)) > 1 or len(query[name]) > _LONGEST_FIELD for name in set(query)):
                raise StateUnknown
            if "state" not in query:
                raise StateUnknown
            result = await self.linking.returned(
                state=query["state"],
                browser=request.cookies.get(self._cookie),
                code=query.get("code"),
                error=query.get("error"),
                iss=query.get("iss"),
            )
        except IdentityError as error:
            return self._refused(error)
        page = "linked.html" if result.principal else "code.html"
        response = self._page(page, profile=result.ticket.profile, identity=result.identity, code=result.code)
        response.del_cookie(self._cookie, path="/")
        return response

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        """`POST /oauth/backchannel-logout` (OpenID Connect Back-Channel Logout section 2.7)."""
        token = (await request.post()).get("logout_token")
        try:
            if not isinstance(token, str):
                raise TokenInvalid("logout_token")
            logout = await self.verifier.logout_token(token)
            await self.links.logged_out(logout)
        except IdentityError as error:
            status = 400 if isinstance(error, TokenInvalid) else 503
            return self._guarded(
                web.json_response({"error": "invalid_request", "error_description": error.code}, status=status)
            )
        return self._guarded(web.Response())

    async def style(self, _: web.Request) -> web.StreamResponse:
        """The pages' style sheet."""
        return web.FileResponse(
            _PAGES / "style.css", headers={"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
        )

    @property
    def _secure(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def _cookie(self) -> str:
        return "__Host-countersign" if self._secure else "countersign"

    def _set_cookie(self, response: web.StreamResponse, value: str) -> None:
        # Lax and not Strict: the provider's redirect back is a navigation from another site.
        response.set_cookie(
            self._cookie, value, max_age=1200, path="/", httponly=True, secure=self._secure, samesite="Lax"
        )

    def _guarded(self, response: web.Response) -> web.Response:
        # A form's target is checked after each redirect too (CSP Level 3, form-action), and where the provider
        # redirects to is its own affair, so its scheme is as narrow as this can be.
        policy = (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
            f"form-action 'self' {urlsplit(self.issuer).scheme}:; frame-ancestors 'none'"
        )
        response.headers.update(
            {
                "Content-Security-Policy": policy,
                "X-Content-Type-Options": "nosniff",
                "X-Frame-Options": "DENY",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            }
        )
        if self._secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        return response

    def _own_form(self, request: web.Request, secret: str, form: Any) -> None:
        origin = request.headers.get("Origin")
        # Under `no-referrer` browsers send "null" even from our own page, so that proves nothing either way.
        if origin not in {None, "null", _origin(self.public_url)}:
            raise RequestForged
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            raise RequestForged
        visit, sent = request.cookies.get(self._cookie), form.get("csrf")
        if not visit or not isinstance(sent, str):
            raise RequestForged
        if not hmac.compare_digest(sent.encode(), _csrf(visit, secret).encode()):
            raise RequestForged

    def _refused(self, error: IdentityError) -> web.Response:
        words = words_for(error)
        code = f"{error.code}: {error.error}" if isinstance(error, LoginRefused) else error.code
        return self._page("refused.html", words.status, title=words.title, sentence=words.sentence, code=code)

    def _page(self, name: str, status: int = 200, **values: object) -> web.Response:
        text = _templates().get_template(name).render(base=urlsplit(self.public_url).path.rstrip("/"), **values)
        return self._guarded(web.Response(text=text, content_type="text/html", status=status))


def _csrf(visit: str, ticket: str) -> str:
    """Bound to this visit's cookie and this link; both are random, so a hash is enough."""
    return hmac.new(visit.encode(), ticket.encode(), hashlib.sha256).hexdigest()


def _origin(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


@functools.cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined)
