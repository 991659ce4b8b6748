"""The Web API under `/api/`: who may call, what they sent, what comes back, what is remembered of it."""

from __future__ import annotations

import hmac
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from . import arguments as given
from .arguments import Arguments
from .errors import SlackRefusal
from .methods import Method, methods
from .pace import Pace
from .state import Workspace

SCOPES = (
    "app_mentions:read",
    "channels:read",
    "chat:write",
    "commands",
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
    """One call of the bot, as a test may look at it; `error` is None where it was ok."""

    method: str
    arguments: dict[str, Any]
    error: str | None


@dataclass
class WebApi:
    """Answers `/api/{method}`. `scopes` is what the token was granted."""

    workspace: Workspace
    bot_token: str
    pace: Pace
    scopes: tuple[str, ...] = SCOPES
    faults: list[Fault] = field(default_factory=list)
    calls: deque[Called] = field(default_factory=lambda: deque(maxlen=2_000))

    def __post_init__(self) -> None:
        self._methods = methods()

    def add_routes(self, app: web.Application) -> None:
        """Mount it."""
        app.router.add_route("*", "/api/{method}", self._handle)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        fault = self._next_fault(name)
        values: dict[str, Any] = {}
        try:
            if fault is not None and fault.kind == "broken":
                raise web.HTTPInternalServerError
            arguments = await given.read(request)
            values = arguments.values
            method = self._admitted(request, name, arguments)
            if fault is not None and fault.kind == "refuse":
                raise SlackRefusal(fault.error)
            if fault is not None and fault.kind == "ratelimited":
                raise SlackRefusal("ratelimited", status=429, retry_after=fault.retry_after)
            values["_scopes"] = self.scopes
            answer = {"ok": True, **method.answer(self.workspace, arguments, self.pace)}
        except SlackRefusal as refusal:
            self._remember(name, values, refusal.error)
            return self._answer(refusal.body(), refusal.status, refusal.retry_after)
        self._remember(name, values, None)
        if fault is not None and request.transport is not None:
            request.transport.close()
        return self._answer(answer)

    def _admitted(self, request: web.Request, name: str, arguments: Arguments) -> Method:
        """The method, for a caller who may use it. The header counts before a token among the arguments."""
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        in_body = arguments.values.pop("token", "")
        token = bearer.strip() if scheme.lower() == "bearer" else str(in_body)
        method = self._methods.get(name)
        if method is None:
            raise SlackRefusal("unknown_method", req_method=name)
        if name == "api.test":
            return method
        if not token:
            raise SlackRefusal("not_authed")
        if not hmac.compare_digest(token.encode(), self.bot_token.encode()):
            raise SlackRefusal("invalid_auth")
        if method.scope and method.scope not in self.scopes:
            raise SlackRefusal("missing_scope", needed=method.scope, provided=",".join(self.scopes))
        return method

    def _next_fault(self, name: str) -> Fault | None:
        for fault in self.faults:
            if fault.method == name and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def _remember(self, name: str, values: dict[str, Any], error: str | None) -> None:
        kept = {key: value for key, value in values.items() if key not in ("_scopes", "token")}
        self.calls.append(Called(name, kept, error))
        self.workspace.touch()

    def _answer(self, body: dict[str, Any], status: int = 200, wait: int | None = None) -> web.Response:
        headers = {"X-OAuth-Scopes": ",".join(self.scopes), "Cache-Control": "no-store"}
        if wait is not None:
            headers["Retry-After"] = str(wait)
        return web.json_response(body, status=status, headers=headers)
