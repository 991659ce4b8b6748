"""The page on which somebody agrees to what an app asks for, or refuses.

There are no passwords: whoever looks at it may be anybody. All else is as strict as Slack is.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import jinja2
from aiohttp import web
from yarl import URL

from . import choices
from .authorize import Asked, Flow, NotInOrder, Registration, check
from .codes import Codes
from .team import APP_NAME
from .workspaces import Workspaces

VISIT = "sandbox-slack-visit"
_PAGES = Path(__file__).parent / "pages"
_TEMPLATES = {Flow.SIGN_IN: "sign_in.html", Flow.INSTALL: "install.html"}
_FIELDS = {Flow.SIGN_IN: "person", Flow.INSTALL: "workspace"}
_OPENED = {
    "openid": "Know who you are, and in which workspace",
    "email": "See your e-mail address",
    "profile": "See your name and picture",
}


class Consent:
    """Both pages. `right_host` raises for a request under somebody else's name."""

    def __init__(
        self,
        registration: Registration,
        workspaces: Workspaces,
        codes: Codes,
        right_host: Callable[[web.Request], None],
    ) -> None:
        self._registration = registration
        self._workspaces = workspaces
        self._codes = codes
        self._right_host = right_host

    def add_routes(self, app: web.Application) -> None:
        """Mount them."""
        for flow in _TEMPLATES:
            app.router.add_get(flow.value, functools.partial(self._show, flow))
            app.router.add_post(flow.value, functools.partial(self._decide, flow))

    async def _show(self, flow: Flow, request: web.Request) -> web.Response:
        """The page. Changes nothing, however often it is fetched."""
        self._right_host(request)
        try:
            asked = check(flow, request.query, self._registration)
        except NotInOrder as reason:
            return _refused(str(reason))
        visit = request.cookies.get(VISIT) or secrets.token_urlsafe(24)
        query = request.rel_url.raw_query_string
        response = _page(
            _TEMPLATES[flow],
            asked=asked,
            app=APP_NAME,
            host=urlsplit(asked.redirect_uri).netloc,
            groups=self._groups(asked),
            opened=[_OPENED[scope] for scope in asked.scopes if scope in _OPENED],
            request=query,
            csrf=_csrf(visit, query),
            form_action="{0.scheme}://{0.netloc}".format(urlsplit(asked.redirect_uri)),
        )
        response.set_cookie(VISIT, visit, path="/", httponly=True, samesite="Lax")
        return response

    async def _decide(self, flow: Flow, request: web.Request) -> web.Response:
        """Back to the app, with a code or with `access_denied`."""
        self._right_host(request)
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        if not _own_form(request, form):
            return _refused("The form was not sent from its page.", 403)
        try:
            asked = check(
                flow, dict(reversed(parse_qsl(form.get("request", ""), keep_blank_values=True))), self._registration
            )
        except NotInOrder as reason:
            return _refused(str(reason))
        if form.get("action") == "cancel":
            return _back(asked, error="access_denied")
        options = {option.value: option.choice for group in self._groups(asked) for option in group.options}
        chosen = options.get(form.get(_FIELDS[flow], ""))
        if form.get("action") != "accept" or chosen is None:
            return _refused("Nothing was chosen. Go back one page and choose.")
        return _back(asked, code=self._codes.new(asked, chosen))

    def _groups(self, asked: Asked) -> list[choices.Group]:
        offered = choices.people if asked.flow is Flow.SIGN_IN else choices.places
        return offered(self._workspaces, asked)


def _back(asked: Asked, **values: str) -> web.Response:
    if asked.state is not None:
        values["state"] = asked.state
    address = URL(asked.redirect_uri, encoded=True).extend_query(values)
    headers = {"Location": str(address), "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(status=302, headers=headers)


def _csrf(visit: str, request: str) -> str:
    """Bound to this browser's cookie and this request; the cookie is random, so a hash is enough."""
    return hmac.new(visit.encode(), request.encode(), hashlib.sha256).hexdigest()


def _own_form(request: web.Request, form: dict[str, str]) -> bool:
    if request.headers.get("Origin", "") not in ("", f"{request.scheme}://{request.host}"):
        return False
    visit = request.cookies.get(VISIT, "")
    expected = _csrf(visit, form.get("request", ""))
    # Without a cookie anybody could compute it.
    return bool(visit) and hmac.compare_digest(form.get("csrf", "").encode(), expected.encode())


def _refused(sentence: str, status: int = 400) -> web.Response:
    return _page("refused.html", status, sentence=sentence)


def _page(template: str, status: int = 200, form_action: str = "", **values: object) -> web.Response:
    text = _templates().get_template(template).render(**values)
    headers = {
        # A form's target is checked after the redirect too (CSP Level 3, form-action), so the app is named in it.
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {form_action}".rstrip()
        ),
        "X-Content-Type-Options": "nosniff",
        # Not `no-referrer`: under that, browsers hide the form's origin, which is checked.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return web.Response(text=text, content_type="text/html", status=status, headers=headers)


@functools.cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined)
