"""What every page shares: its guard, its cookies, its forms, and the words for what is refused."""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import jinja2
import structlog
from aiohttp import web
from markupsafe import Markup, escape
from yarl import URL

from oauth import tickets
from oauth.errors import (
    IdentityError,
    LoginRefused,
    RequestForged,
    StateUnknown,
    StoreUnavailable,
    TicketUnknown,
    TokenInvalid,
)
from oauth.words import Words, words_for

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Form = Mapping[str, object]
PAGES = Path(__file__).parent / "pages"
_COOKIE_SECONDS = 1200
_LONGEST_FIELD = 4096


@dataclass(frozen=True, slots=True)
class Site:
    """Renders pages and guards them. `public_url` is the only source of our own address.

    `place` is where its links are, below that address; each place has cookies of its own, and words for its refusals.
    """

    public_url: str
    issuer: str
    templates: tuple[Path, ...] = (PAGES,)
    slack_issuer: str | None = None
    place: str = "link"
    words_for: Callable[[IdentityError], Words] = words_for

    def with_templates(self, folder: Path) -> Site:
        """The same site, with pages of another room on the same base."""
        return replace(self, templates=(folder, *self.templates))

    def at(self, place: str, words_for: Callable[[IdentityError], Words]) -> Site:
        """The same site for links at another place: what is done there does not disturb a login in the next tab."""
        return replace(self, place=place, words_for=words_for)

    def page(self, name: str, status: int = 200, **values: object) -> web.Response:
        """A page from its template."""
        return self.guarded(web.Response(text=self.text(name, **values), content_type="text/html", status=status))

    def text(self, template: str, **values: object) -> str:
        """What a template gives for these values."""
        base = urlsplit(self.public_url).path.rstrip("/")
        return _templates(self.templates).get_template(template).render(base=base, **values)

    def go_to(self, address: str) -> web.Response:
        """On to an address of ours or of the provider's, as it is written: aiohttp's own redirect rewrites `%2F`."""
        return self.guarded(web.Response(status=303, headers={"Location": str(URL(address, encoded=True))}))

    def page_of(self, handler: Handler) -> Handler:
        """A handler whose every failure is a page with a way onward."""

        @functools.wraps(handler)
        async def page(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except IdentityError as error:
                return self.refused(error, request)
            except web.HTTPException:
                raise
            except Exception as error:  # the audit trail may be away; no text of it may reach a browser
                log.error("page_failed", page=handler.__name__, kind=type(error).__name__)
                return self.refused(StoreUnavailable(), request)

        return page

    def refused(self, error: IdentityError, request: web.Request) -> web.Response:
        """The page for an error, with one click onward where the browser knows which link it is about."""
        words = self.words_for(error)
        detail = error.error if isinstance(error, LoginRefused) else ""
        if isinstance(error, TokenInvalid):
            detail = error.claim
        code = f"{error.code}: {detail}" if detail else error.code
        ticket = request.match_info.get("ticket") or request.cookies.get(self._ticket_cookie)
        visit = tickets.new_secret()
        onward = self._onward(words, ticket, visit) if ticket else None
        page = self.page("refused.html", words.status, words=words, code=code, onward=onward)
        return self.visit(page, visit) if onward and onward["csrf"] else page

    def _onward(self, words: Words, ticket: str, visit: str) -> dict[str, str | None] | None:
        link = f"{urlsplit(self.public_url).path.rstrip('/')}/{self.place}/{quote(ticket, safe='')}"
        if words.again == "fresh":
            return {"address": f"{link}/again", "csrf": csrf(visit, ticket)}
        return {"address": link, "csrf": None} if words.again == "same" else None

    def guarded(self, response: web.Response) -> web.Response:
        """The response with the headers that each of ours has."""
        # A form's target is checked after each redirect too (CSP Level 3, form-action), and where the provider
        # redirects to is its own affair, so its scheme is as narrow as this can be. Slack comes in the same chain.
        schemes = {urlsplit(issuer).scheme for issuer in (self.issuer, self.slack_issuer) if issuer}
        leads_to = " ".join(["'self'", *(f"{scheme}:" for scheme in sorted(schemes))])
        policy = (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; "
            f"form-action {leads_to}; frame-ancestors 'none'"
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
        if self.secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        return response

    @property
    def secure(self) -> bool:
        """Whether browsers reach us by https."""
        return self.public_url.startswith("https://")

    # Cookies of their own for a visit, since looking at a link page must not disturb a login that is under way in the
    # next tab.

    @property
    def _login_cookie(self) -> str:
        name = "countersign" if self.place == "link" else f"countersign-{self.place}"
        return f"__Host-{name}" if self.secure else name

    @property
    def _visit_cookie(self) -> str:
        return f"{self._login_cookie}-visit"

    @property
    def _ticket_cookie(self) -> str:
        return f"{self._login_cookie}-link"

    def visit(self, response: web.Response, visit: str, ticket: str | None = None) -> web.Response:
        """Remember a visit, so that a form with `csrf(visit, …)` is known as ours; and which link it is about.

        The page's script takes the link out of the address bar, and so out of history and over-the-shoulder reach;
        with the cookie the page can be loaded again.
        """
        self._set_cookie(response, self._visit_cookie, visit)
        if ticket is not None:
            self._set_cookie(response, self._ticket_cookie, ticket)
        return response

    def visited(self, request: web.Request) -> str:
        """The link whose page was looked at last in this browser. Raises TicketUnknown."""
        ticket = request.cookies.get(self._ticket_cookie)
        if not ticket:
            raise TicketUnknown
        return ticket

    def browser(self, request: web.Request) -> str | None:
        """The secret of the browser that began a login."""
        return request.cookies.get(self._login_cookie)

    def begin(self, response: web.Response, browser: str) -> web.Response:
        """This browser owns the login from here on."""
        self._set_cookie(response, self._login_cookie, browser)
        return response

    def end(self, response: web.Response) -> web.Response:
        """The login is over."""
        response.del_cookie(self._login_cookie, path="/", secure=self.secure, httponly=True, samesite="Lax")
        return response

    def own_form(self, request: web.Request, about: str, form: Form, *, visit: str | None = None) -> None:
        """Raises RequestForged unless the form was sent from our page about this, in the browser that has it.

        `visit` is the browser's secret that the page was made with, where it is another than the visit's.
        """
        origin = request.headers.get("Origin")
        # Under `no-referrer` browsers send "null" even from our own page, so that proves nothing either way.
        if origin not in {None, "null", _origin(self.public_url)}:
            raise RequestForged
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            raise RequestForged
        visit, sent = visit or request.cookies.get(self._visit_cookie), form.get("csrf")
        if not visit or not isinstance(sent, str):
            raise RequestForged
        if not hmac.compare_digest(sent.encode(errors="replace"), csrf(visit, about).encode()):
            raise RequestForged

    def _set_cookie(self, response: web.StreamResponse, name: str, value: str) -> None:
        # Lax and not Strict: the provider's redirect back is a navigation from another site.
        response.set_cookie(
            name, value, max_age=_COOKIE_SECONDS, path="/", httponly=True, secure=self.secure, samesite="Lax"
        )


async def form_of(request: web.Request) -> Form:
    """The fields of a form. Raises RequestForged where the body is none."""
    try:
        return await request.post()
    except (ValueError, LookupError):
        raise RequestForged from None


def answer_in(request: web.Request, *names: str) -> tuple[str, dict[str, str | None]]:
    """`state` and these parameters of an answer to an authorization request, each there once (RFC 6749 section 3.1).

    Raises StateUnknown where any comes twice, is too long, or `state` is missing: then it is nobody's.
    """
    query = request.query
    doubled = any(len(query.getall(name)) > 1 or len(query[name]) > _LONGEST_FIELD for name in set(query))
    if doubled or "state" not in query:
        raise StateUnknown
    return query["state"], {name: query.get(name) for name in names}


def csrf(visit: str, about: str) -> str:
    """Bound to this visit's cookie and to what the form is about; both are random, so a hash is enough."""
    return hmac.new(visit.encode(errors="replace"), about.encode(errors="replace"), hashlib.sha256).hexdigest()


def _origin(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


@functools.cache
def _templates(folders: tuple[Path, ...]) -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders), autoescape=True, undefined=jinja2.StrictUndefined
    )
    found.filters["commands"] = _commands
    return found


def _commands(step: str) -> Markup:
    """A step with what is to be typed between backticks; everything else stays inert."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(step))))  # noqa: S704 - escaped before
