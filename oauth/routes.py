"""The pages of a login: the link, the way back, and back-channel logout."""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import jinja2
import structlog
from aiohttp import web
from markupsafe import Markup, escape
from yarl import URL

from oauth import tickets
from oauth.errors import (
    IdentityError,
    LinkError,
    LoginRefused,
    RequestForged,
    StateUnknown,
    StoreUnavailable,
    TokenInvalid,
)
from oauth.linking import Linking
from oauth.links import Links
from oauth.verify import Verifier
from oauth.words import words_for

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
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
        app.router.add_get("/link/{ticket}", self._page_of(self.show))
        app.router.add_post("/link/{ticket}", self._page_of(self.go_on))
        app.router.add_get("/oauth/callback", self._page_of(self.come_back))
        app.router.add_post("/oauth/backchannel-logout", self.log_out)
        app.router.add_get("/link-pages/{name:style\\.css|mark\\.svg}", self.asset)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /link/{ticket}`: whom it is for and what it allows. Changes nothing, however often it is fetched."""
        secret = request.match_info["ticket"]
        ticket = await self.linking.open_ticket(secret)
        visit = tickets.new_secret()
        response = self._page(
            "link.html", profile=ticket.profile, scopes=sorted(self.linking.scopes), csrf=_csrf(visit, secret)
        )
        self._set_cookie(response, self._visit_cookie, visit)
        return response

    async def go_on(self, request: web.Request) -> web.StreamResponse:
        """`POST /link/{ticket}`: to the provider, with a cookie of this browser alone."""
        secret = request.match_info["ticket"]
        try:
            self._own_form(request, secret, await _form(request))
            browser = tickets.new_secret()  # never one that was there before: it could have been planted
            address = await self.linking.go_on(secret, browser)
        except LinkError as error:
            await self.linking.refused_form(secret, error)
            raise
        response = self._guarded(web.Response(status=303, headers={"Location": str(URL(address, encoded=True))}))
        self._set_cookie(response, self._login_cookie, browser)
        return response

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """`GET /oauth/callback`: the provider's answer, once, in the browser that began."""
        query = request.query
        doubled = any(len(query.getall(name)) > 1 or len(query[name]) > _LONGEST_FIELD for name in set(query))
        if doubled or "state" not in query:
            await self.linking.refused_unknown(StateUnknown())
            raise StateUnknown
        result = await self.linking.returned(
            state=query["state"],
            browser=request.cookies.get(self._login_cookie),
            code=query.get("code"),
            error=query.get("error"),
            iss=query.get("iss"),
        )
        page = "linked.html" if result.principal else "code.html"
        response = self._page(page, profile=result.ticket.profile, identity=result.identity, code=result.code)
        response.del_cookie(self._login_cookie, path="/", secure=self._secure, httponly=True, samesite="Lax")
        return response

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        """`POST /oauth/backchannel-logout` (OpenID Connect Back-Channel Logout section 2.7)."""
        try:
            token = (await _form(request)).get("logout_token")
            if not isinstance(token, str):
                raise TokenInvalid("logout_token")
            logout = await self.verifier.logout_token(token)
            await self.links.logged_out(logout)
        except (TokenInvalid, RequestForged) as error:
            refused = {"error": "invalid_request", "error_description": error.code}
            return self._guarded(web.json_response(refused, status=400))
        except web.HTTPException:
            raise
        except Exception as error:  # not done, so the provider has to try again
            log.error("logout_failed", kind=type(error).__name__)
            return self._guarded(web.json_response({"error": "temporarily_unavailable"}, status=503))
        return self._guarded(web.Response())

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """The pages' style sheet and their mark."""
        headers = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
        return web.FileResponse(_PAGES / request.match_info["name"], headers=headers)

    @property
    def _secure(self) -> bool:
        return self.public_url.startswith("https://")

    # Two cookies, since looking at a link page must not disturb a login that is under way in the next tab.

    @property
    def _login_cookie(self) -> str:
        return "__Host-countersign" if self._secure else "countersign"

    @property
    def _visit_cookie(self) -> str:
        return f"{self._login_cookie}-visit"

    def _set_cookie(self, response: web.StreamResponse, name: str, value: str) -> None:
        # Lax and not Strict: the provider's redirect back is a navigation from another site.
        response.set_cookie(name, value, max_age=1200, path="/", httponly=True, secure=self._secure, samesite="Lax")

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

    def _own_form(self, request: web.Request, secret: str, form: Mapping[str, object]) -> None:
        origin = request.headers.get("Origin")
        # Under `no-referrer` browsers send "null" even from our own page, so that proves nothing either way.
        if origin not in {None, "null", _origin(self.public_url)}:
            raise RequestForged
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            raise RequestForged
        visit, sent = request.cookies.get(self._visit_cookie), form.get("csrf")
        if not visit or not isinstance(sent, str):
            raise RequestForged
        if not hmac.compare_digest(sent.encode(errors="replace"), _csrf(visit, secret).encode()):
            raise RequestForged

    def _page_of(self, handler: Handler) -> Handler:
        """A handler whose every failure is a page with a way onward."""

        @functools.wraps(handler)
        async def page(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except IdentityError as error:
                return self._refused(error)
            except web.HTTPException:
                raise
            except Exception as error:  # the audit trail may be away; no text of it may reach a browser
                log.error("page_failed", page=handler.__name__, kind=type(error).__name__)
                return self._refused(StoreUnavailable())

        return page

    def _refused(self, error: IdentityError) -> web.Response:
        words = words_for(error)
        detail = error.error if isinstance(error, LoginRefused) else ""
        if isinstance(error, TokenInvalid):
            detail = error.claim
        code = f"{error.code}: {detail}" if detail else error.code
        return self._page("refused.html", words.status, words=words, code=code)

    def _page(self, name: str, status: int = 200, **values: object) -> web.Response:
        text = _templates().get_template(name).render(base=urlsplit(self.public_url).path.rstrip("/"), **values)
        return self._guarded(web.Response(text=text, content_type="text/html", status=status))


async def _form(request: web.Request) -> Mapping[str, object]:
    """The fields of a form. Raises RequestForged where the body is none."""
    try:
        return await request.post()
    except (ValueError, LookupError):
        raise RequestForged from None


def _csrf(visit: str, ticket: str) -> str:
    """Bound to this visit's cookie and this link; both are random, so a hash is enough."""
    return hmac.new(visit.encode(errors="replace"), ticket.encode(errors="replace"), hashlib.sha256).hexdigest()


def _origin(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


@functools.cache
def _templates() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    found.filters["commands"] = _commands
    return found


def _commands(step: str) -> Markup:
    """A step with what is to be typed between backticks; everything else stays inert."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(step))))  # noqa: S704 - escaped before
