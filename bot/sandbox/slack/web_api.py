"""The Web API under `/api/`: who may call, what they sent, what comes back, what is remembered of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from . import arguments as given
from . import files
from .arguments import Arguments
from .call import Call
from .errors import SlackRefusal
from .exchange import Credentials, Exchange, credentials
from .installations import Installation, Installations
from .methods import methods
from .pace import Pace
from .team import FIRST, teams_of
from .workspaces import Workspaces

SCOPES = (
    "app_mentions:read",
    "channels:read",
    "chat:write",
    "commands",
    "files:write",
    "im:history",
    "im:read",
    "im:write",
    "team:read",
    "usergroups:read",
    "users:read",
    "users:read.email",
)

FaultKind = Literal["refuse", "ratelimited", "broken", "lost"]


@dataclass
class Fault:
    """What goes wrong with the next `times` calls of a method.

    `refuse` answers `error`; `ratelimited` is 429; `broken` is 500 without effect; `lost` takes effect, but the
    answer never arrives.
    """

    method: str
    kind: FaultKind = "refuse"
    error: str = "internal_error"
    times: int = 1
    retry_after: int = 1


@dataclass(frozen=True)
class Called:
    """One call of the bot, as a test may look at it; `error` is None where it was ok, and `owner` the workspace or
    organization whose token it came with."""

    method: str
    arguments: dict[str, Any]
    error: str | None
    owner: str = ""


@dataclass
class WebApi:
    """Answers `/api/{method}`, each call for the workspace whose token it brings. `burst` is as in Pace."""

    workspaces: Workspaces
    installations: Installations
    exchange: Exchange
    burst: int = 10
    faults: list[Fault] = field(default_factory=list)
    calls: deque[Called] = field(default_factory=lambda: deque(maxlen=2_000))

    def __post_init__(self) -> None:
        self._methods = methods()
        self._without_bot = {"api.test": _echo, **self.exchange.methods}
        self._paces: dict[str, Pace] = {}

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the first workspace granted."""
        return self.installations.installed[FIRST.id].scopes

    @scopes.setter
    def scopes(self, scopes: tuple[str, ...]) -> None:
        self.installations.installed[FIRST.id].scopes = scopes

    def add_routes(self, app: web.Application) -> None:
        """Mount it."""
        app.router.add_route("*", "/api/{method}", self._handle)
        app.router.add_post("/upload/v1/{home}/{key}", self._upload)
        app.router.add_get("/files/{home}/{id}", self._file)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """Where the `permalink` of a file leads: its text, as nothing but text."""
        text = files.text_of(self.workspaces.find(request.match_info["home"]), request.match_info["id"])
        if text is None:
            raise web.HTTPNotFound
        return web.Response(text=text, headers={"X-Content-Type-Options": "nosniff"})

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        """A file's bytes, raw or as the one part of a form; faults and tests call it `upload`."""
        fault = self._next_fault("upload")
        if fault is not None and fault.kind != "lost":
            raise web.HTTPTooManyRequests if fault.kind == "ratelimited" else web.HTTPInternalServerError
        place = request.match_info
        try:
            files.receive(self.workspaces.find(place["home"]), place["key"], await _content(request))
        except SlackRefusal as refusal:
            self._remember("upload", {}, refusal.error, None)
            return web.Response(text=refusal.error, status=refusal.status)
        self._remember("upload", {}, None, None)
        if fault is not None and request.transport is not None:
            request.transport.close()
        return web.Response(text="OK")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        fault = self._next_fault(name)
        values: dict[str, Any] = {}
        caller: Installation | None = None
        try:
            if fault is not None and fault.kind == "broken":
                raise web.HTTPInternalServerError
            arguments = await given.read(request)
            values = arguments.values
            by = credentials(request.headers, arguments)
            if name not in self._without_bot:
                caller = self._caller(name, by.token)
            if fault is not None and fault.kind == "refuse":
                raise SlackRefusal(fault.error)
            if fault is not None and fault.kind == "ratelimited":
                raise SlackRefusal("ratelimited", status=429, retry_after=fault.retry_after)
            made = self._answered(name, caller, arguments) if caller else self._without_bot[name](by, arguments)
            answer = {"ok": True, **made}
        except SlackRefusal as refusal:
            self._remember(name, values, refusal.error, caller)
            return self._answer(refusal.body(), caller, refusal.status, refusal.retry_after)
        self._remember(name, values, None, caller)
        if fault is not None and request.transport is not None:
            request.transport.close()
        return self._answer(answer, caller)

    def _caller(self, name: str, token: str) -> Installation:
        """The installation that calls, and that may use this method."""
        method = self._methods.get(name)
        if method is None:
            raise SlackRefusal("unknown_method", req_method=name)
        if not token:
            raise SlackRefusal("not_authed")
        caller = self.installations.admit(token)
        if method.scope and method.scope not in caller.scopes:
            raise SlackRefusal("missing_scope", needed=method.scope, provided=",".join(caller.scopes))
        return caller

    def _answered(self, name: str, caller: Installation, arguments: Arguments) -> dict[str, Any]:
        method, teams = self._methods[name], teams_of(caller.owner)
        org_wide = teams[0].id != caller.owner
        asked = arguments.text("team_id") if org_wide else ""
        if org_wide and method.of_team and not asked:
            raise SlackRefusal("missing_argument")
        team = next((team for team in teams if asked in ("", team.id)), None)
        if team is None:
            raise SlackRefusal("team_access_not_granted")
        pace = self._paces.setdefault(team.home, Pace(burst=self.burst))
        return method.answer(
            Call(self.workspaces.at(team), team, arguments, pace, caller.scopes, org_wide, self.exchange.base)
        )

    def _next_fault(self, name: str) -> Fault | None:
        for fault in self.faults:
            if fault.method == name and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def _remember(self, name: str, values: dict[str, Any], error: str | None, caller: Installation | None) -> None:
        owner = caller.owner if caller else ""
        self.calls.append(Called(name, values, error, owner))
        for team in {FIRST, *teams_of(owner)[:1]}:
            self.workspaces.at(team).touch()

    def _answer(
        self, body: dict[str, Any], caller: Installation | None, status: int = 200, wait: int | None = None
    ) -> web.Response:
        headers = {"Cache-Control": "no-store"}
        if caller is not None:
            headers["X-OAuth-Scopes"] = ",".join(caller.scopes)
        if wait is not None:
            headers["Retry-After"] = str(wait)
        return web.json_response(body, status=status, headers=headers)


async def _content(request: web.Request) -> bytes:
    if request.content_type != "multipart/form-data":
        return await request.read()
    parts = [part for part in (await request.post()).values() if isinstance(part, web.FileField)]
    return parts[0].file.read() if parts else b""


def _echo(by: Credentials, arguments: Arguments) -> dict[str, Any]:
    """api.test, which anybody may call."""
    if error := arguments.text("error"):
        raise SlackRefusal(error, args=arguments.values)
    return {"args": arguments.values}
