"""`/slack/install` and the way back from Slack (docs.slack.dev, "Installing with OAuth"), through Bolt's own flow."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import structlog
from aiohttp import web
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.oauth import OAuthStateUtils
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from bot.audit.writer import AuditWriter
from bot.errors import AuditUnavailable
from handlers.installs.store import STATE_LIFETIME, MongoInstallationStore, MongoStateStore
from oauth import Site, SlackUser

log = structlog.get_logger(__name__)

PAGES = Path(__file__).parent.parent / "pages"


class _Words(NamedTuple):
    title: str
    sentence: str
    status: int


_CANCELLED = _Words("Nothing was installed", "The installation was cancelled in Slack, or is not allowed to you.", 403)
_OVER = _Words(
    "This installation is over", "It was finished already, took too long, or was begun in another browser.", 400
)
_LATER = _Words("Nothing was installed", "A part that it needs does not answer. Please try again in a minute.", 503)
_REFUSED = _Words("Nothing was installed", "Slack did not confirm the installation.", 502)
_TABLE = {
    "access_denied": _CANCELLED,
    "invalid_browser": _OVER,
    "invalid_state": _OVER,
    "missing_code": _OVER,
    "storage_error": _LATER,
}


@dataclass(frozen=True, slots=True)
class App:
    """Our application at Slack. `authorize_url` is where its installation begins."""

    client_id: str
    client_secret: str
    authorize_url: str
    scopes: tuple[str, ...]


class InstallPages:
    """The two routes."""

    def __init__(
        self,
        app: App,
        site: Site,
        *,
        installs: MongoInstallationStore,
        states: MongoStateStore,
        audit: AuditWriter,
        web_client: AsyncWebClient,
    ) -> None:
        """`web_client` has no token of its own."""
        self._site = site.with_templates(PAGES)
        settings = AsyncOAuthSettings(
            client_id=app.client_id,
            client_secret=app.client_secret,
            scopes=app.scopes,
            redirect_uri=f"{site.public_url}/slack/oauth_redirect",
            authorization_url=app.authorize_url,
            install_page_rendering_enabled=False,
            installation_store=installs,
            state_store=states,
            callback_options=AsyncCallbackOptions(self._installed, self._not_installed),
        )
        settings.state_utils = _StateCookie(secure=site.secure)
        quiet = logging.getLogger("slack_bolt.countersign.install")
        quiet.setLevel(logging.CRITICAL)  # it logs authorization codes
        self._flow = _Flow(client=web_client, logger=quiet, settings=settings, audit=audit)

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/slack/install", self._page_of(self._flow.handle_installation))
        app.router.add_get("/slack/oauth_redirect", self._page_of(self._flow.handle_callback))

    def _page_of(self, handle: Any) -> Any:
        async def page(request: web.Request) -> web.StreamResponse:
            asked = AsyncBoltRequest(body="", query=request.query_string, headers=dict(request.headers))
            try:
                answer: BoltResponse = await handle(asked)
            except Exception as error:  # the database or Slack may be away; no text of it may reach a browser
                log.error("install_failed", kind=type(error).__name__)
                answer = self._failed("unavailable", _LATER)
            response = web.Response(status=answer.status, text=answer.body or "")
            for name, values in answer.headers.items():
                for value in values:
                    response.headers.add(name.title(), value)
            return self._site.guarded(response)

        return page

    async def _installed(self, args: AsyncSuccessArgs) -> BoltResponse:
        found = args.installation
        text = self._site.text(
            "installed.html",
            org_wide=bool(found.is_enterprise_install),
            name=(found.enterprise_name if found.is_enterprise_install else found.team_name) or "",
            address="https://slack.com/app_redirect?"
            + urlencode({"app": found.app_id or "", **({"team": found.team_id} if found.team_id else {})}),
        )
        return BoltResponse(status=200, body=text, headers={"Content-Type": "text/html; charset=utf-8"})

    async def _not_installed(self, args: AsyncFailureArgs) -> BoltResponse:
        return self._failed(args.reason, _TABLE.get(args.reason, _REFUSED))

    def _failed(self, reason: str, words: _Words) -> BoltResponse:
        code = "".join(letter for letter in reason if letter.isalnum() or letter == "_")[:64]
        text = self._site.text("not_installed.html", words=words, code=code)
        return BoltResponse(status=words.status, body=text, headers={"Content-Type": "text/html; charset=utf-8"})


class _Flow(AsyncOAuthFlow):
    """Bolt's flow, which writes down who installed before it keeps anything."""

    def __init__(self, *, audit: AuditWriter, **how: Any) -> None:
        super().__init__(**how)
        self._audit = audit

    async def store_installation(self, request: AsyncBoltRequest, installation: Installation) -> None:
        home = installation.team_id or installation.enterprise_id or ""
        by = SlackUser(home, installation.user_id or "", installation.enterprise_id)
        try:
            await self._audit.append("install.added", "ok", slack=by)
            await super().store_installation(request, installation)
        except (AuditUnavailable, ValueError) as error:
            raise BoltError(type(error).__name__) from None


class _StateCookie(OAuthStateUtils):
    """Ties `state` to the browser, by a cookie with the marks that each of ours has."""

    def __init__(self, *, secure: bool) -> None:
        name = "__Host-countersign-install" if secure else "countersign-install"
        super().__init__(cookie_name=name, expiration_seconds=int(STATE_LIFETIME.total_seconds()))
        self._marks = "Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

    def build_set_cookie_for_new_state(self, state: str) -> str:
        return f"{self.cookie_name}={state}; Max-Age={self.expiration_seconds}; {self._marks}"

    def build_set_cookie_for_deletion(self) -> str:
        return f"{self.cookie_name}=; Max-Age=0; {self._marks}"

    def is_valid_browser(self, state: str | None, request_headers: Mapping[str, str | Sequence[str]]) -> bool:
        sent = request_headers.get("cookie") or ()
        jar = SimpleCookie()
        for line in [sent] if isinstance(sent, str) else sent:
            try:
                jar.load(line)
            except CookieError:
                return False
        found = jar.get(self.cookie_name)
        return bool(state and found) and hmac.compare_digest(str(state).encode(), found.value.encode())  # type: ignore[union-attr]
