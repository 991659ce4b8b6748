"""The sandbox as one object: start it, point a bot at it, and act as the people in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from . import identity
from .app_record import AppRecord
from .authorize import Registration
from .consent import Consent
from .dispatch import Dispatch
from .errors import NoSuchThing
from .exchange import Exchange
from .gestures import EVENTS, Gestures
from .inhabited import SandboxWorkspace
from .installations import Issued
from .lifecycle import Lifecycle
from .response_urls import ResponseUrls
from .state import Workspace, utc_now
from .team import FIRST, TEAMS, Origin, Team, teams_of
from .ui import LOOPBACK, CommandHint, Ui
from .web_api import SCOPES, Fault, FaultKind, WebApi
from .workspaces import Workspaces

BODY_LIMIT = 4 * 1024 * 1024
ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 – compared with, not bound to


class SandboxSlack(SandboxWorkspace):
    """Slack on this machine: Web API, signed requests to the bot, and a page at `/`; itself the first workspace.

    `data_dir` keeps `slack.json`; `bot_token` is that of the first workspace, where the app is then installed from
    the start; `registration` is what the app has registered at Slack for OAuth; `events_url` is the bot's one address
    and may be set later; `burst` messages may be posted to a channel at once, then one a second; `ack_seconds` and
    `retry_pauses` are Slack's three seconds and its delays before an event is sent again; `sleep` waits for those.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        signing_secret: str,
        bot_token: str = "",
        events_url: str = "",
        commands: Sequence[CommandHint] = (),
        scopes: Sequence[str] = SCOPES,
        events: frozenset[str] = EVENTS,
        burst: int = 10,
        registration: Registration | None = None,
        ack_seconds: float = 3.0,
        retry_pauses: Sequence[float] = (0, 60, 300),
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Any] | None = None,
    ) -> None:
        self._workspaces = Workspaces(Path(data_dir), clock)
        self._record = AppRecord(Path(data_dir), registration or Registration(), clock)
        self.installations = self._record.installations
        if bot_token:
            self.installations.adopt(FIRST.id, bot_token, scopes)
        more = {} if sleep is None else {"sleep": sleep}
        self.dispatch = Dispatch(events_url, signing_secret, clock, wait=ack_seconds, pauses=retry_pauses, **more)
        self._urls = ResponseUrls(self._workspaces.find)
        self._events = events
        self._others: dict[str, SandboxWorkspace] = {}
        super().__init__(FIRST, *self._parts(FIRST))
        record = self._record
        self._exchange = Exchange(
            record.registration, record.codes, record.installations, record.signer, self._workspaces, clock
        )
        self.api = WebApi(self._workspaces, self.installations, self._exchange, burst)
        self.ui = Ui(self.workspace, self.gestures, commands)
        self._consent = Consent(record.registration, self._workspaces, record.codes, self.ui.right_host)
        self._runner: web.AppRunner | None = None
        self.url = ""

    def other(self, team: str) -> SandboxWorkspace:
        """Another workspace on the same server: `T0SECOND`, or `T0NORTH` and `T0SOUTH` of the organization `E0GRID`.

        Raises NoSuchThing.
        """
        if team == FIRST.id:
            return self
        if team not in TEAMS:
            raise NoSuchThing(f"no workspace {team}")
        if team not in self._others:
            self._others[team] = SandboxWorkspace(TEAMS[team], *self._parts(TEAMS[team]))
        return self._others[team]

    def install(self, owner: str, scopes: Sequence[str] = SCOPES) -> Issued:
        """Install into a workspace or an organization (`T0SECOND`, `E0GRID`) without pages, by whoever is first there.

        Raises NoSuchThing.
        """
        teams = teams_of(owner)
        if not teams:
            raise NoSuchThing(f"no workspace or organization {owner}")
        installer = next(iter(self._workspaces.at(teams[0]).people))
        return self.installations.install(owner, scopes, installer, rotates=self.registration.rotates)

    # -- running

    def app(self) -> web.Application:
        """The aiohttp application with every route."""
        app = web.Application(client_max_size=BODY_LIMIT)
        self.api.add_routes(app)
        self._urls.add_routes(app)
        self.ui.add_routes(app)
        self._consent.add_routes(app)
        app.router.add_get("/.well-known/openid-configuration", self._metadata)
        app.router.add_get("/openid/connect/keys", self._keys)
        return app

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, on a free port for 0; gives the address of the page, without a trailing slash."""
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=2.0)
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, host, port).start()
        except BaseException:
            await self._runner.cleanup()
            self._runner = None
            raise
        # Only whoever has the port writes the files: a second start on it must not undo what the first one keeps.
        await self.dispatch.start()
        self._workspaces.start()
        self._record.start()
        bound = self._runner.addresses[0][1]
        shown = "127.0.0.1" if host in ANYWHERE else host
        self.url = f"http://{f'[{shown}]' if ':' in shown else shown}:{bound}"
        self._urls.base = self._exchange.base = self.url
        self.ui.hosts = LOOPBACK if host in LOOPBACK else None
        return self.url

    async def stop(self) -> None:
        """Close everything, with the state written."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self.dispatch.stop()
        await self._workspaces.stop()
        await self._record.stop()

    @property
    def registration(self) -> Registration:
        """What the app has registered; may be changed at any time."""
        return self._record.registration

    @property
    def api_url(self) -> str:
        """The base of the Web API, as `SLACK_API_URL` wants it."""
        return f"{self.url}/api/"

    @property
    def events_url(self) -> str:
        """Where the bot listens."""
        return self.dispatch.events_url

    @events_url.setter
    def events_url(self, url: str) -> None:
        self.dispatch.events_url = url

    def fail(self, method: str, kind: FaultKind = "refuse", **more: Any) -> None:
        """Let the next calls of a Web API method go wrong, whichever workspace they are for; see Fault."""
        self.api.faults.append(Fault(method, kind, **more))

    async def _metadata(self, request: web.Request) -> web.Response:
        return web.json_response(identity.metadata(self.url))

    async def _keys(self, request: web.Request) -> web.Response:
        return web.json_response(self._record.signer.published())

    def _parts(self, team: Team) -> tuple[Workspace, Gestures, Lifecycle]:
        workspace, origin = self._workspaces.at(team), partial(self._origin, team)
        gestures = Gestures(workspace, self.dispatch, self._urls, origin, self._events)
        return workspace, gestures, Lifecycle(workspace, self.dispatch, self.installations, origin)

    def _origin(self, team: Team) -> Origin:
        return Origin(team, self.installations.org_wide(team))
