"""The page at `/` and what it asks for: everything under `/ui/` acts as the person whom the page has chosen.

There is no login: whoever reaches this port is anybody in the workspace. So the page answers only under its own
name (against DNS rebinding), and acts only for requests that its own pages sent (against other sites).
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from .acts import Act, Acts, Json
from .errors import NoSuchThing, SlackRefusal
from .gestures import Gestures
from .model import View
from .people import Person
from .state import Workspace
from .team import APP_NAME, SLACKBOT

STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# Said here and not guessed: a machine may have its own idea of what .js is, and nosniff would then refuse it.
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
RETRY_MILLISECONDS = 500
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Completion:
    """One continuation of a command that the composer offers: `link`, `code`, …; `hint` shows its arguments."""

    text: str
    hint: str = ""
    description: str = ""


@dataclass(frozen=True)
class CommandHint:
    """A slash command as the app's manifest declares it, with what may follow it."""

    command: str
    usage_hint: str = ""
    description: str = ""
    completions: tuple[Completion, ...] = ()


class Ui:
    """The page's own endpoints. `hosts` are the names it answers to; None: any."""

    def __init__(self, workspace: Workspace, gestures: Gestures, commands: Sequence[CommandHint]) -> None:
        self._workspace = workspace
        self._acts = Acts(workspace, gestures, [command.command for command in commands])
        self._commands = tuple(commands)
        self.hosts: frozenset[str] | None = LOOPBACK
        # Names this start: the revisions of another one say nothing about what a page has missed.
        self._start_id = secrets.token_hex(4)
        self._closing = False

    def add_routes(self, app: web.Application) -> None:
        """Mount the page, its files and its endpoints."""
        app.router.add_get("/", self._page)
        app.router.add_get(r"/static/{name:[a-z]+\.(?:js|css|svg)}", self._page)
        app.router.add_get("/ui/start", self._start)
        app.router.add_get("/ui/live", self._live)
        for name, act in self._acts.every().items():
            app.router.add_post(f"/ui/{name}", self._guarded(act))
        app.on_shutdown.append(self._shutdown)

    # -- what the page shows

    async def _page(self, request: web.Request) -> web.StreamResponse:
        self.right_host(request)
        path = STATIC / request.match_info.get("name", "index.html")
        if not path.is_file():
            raise web.HTTPNotFound
        kind = f"{KINDS[path.suffix]}; charset=utf-8"
        return web.FileResponse(path, headers={**HEADERS, "Content-Type": kind})

    async def _start(self, request: web.Request) -> web.Response:
        self.right_host(request)
        channels, team = self._workspace.channels.values(), self._workspace.team
        return web.json_response(
            {
                "team": {"id": team.id, "name": team.name},
                "app": {"name": APP_NAME, "user": team.bot_user, "slackbot": SLACKBOT},
                "people": [self._card(person) for person in self._workspace.people.values()],
                "channels": [{**asdict(c), "members": sorted(c.members)} for c in channels],
                "commands": [asdict(command) for command in self._commands],
            },
            headers=HEADERS,
        )

    def _card(self, person: Person) -> Json:
        fields = {"id": person.id, "name": person.name, "real_name": person.real_name, "email": person.email}
        return fields | {"external": not self._workspace.team.holds(person.team)}

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: first everything this person sees, then what changed, by revision."""
        self.right_host(request)
        viewer = self._known(request.query.get("user", ""))
        sent = self._known_revision(request.headers.get("Last-Event-ID", ""))
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        # A page that went away is noticed when it should be told something; that is no fault.
        with contextlib.suppress(ConnectionError):
            await self._tell(response, request, viewer, sent)
        return response

    async def _tell(self, response: web.StreamResponse, request: web.Request, viewer: Person, sent: int) -> None:
        await response.prepare(request)
        await response.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())
        while not self._closing:
            now, body = self._workspace.revision, self._seen(viewer, sent)
            await response.write(f"id: {self._start_id}-{now}\ndata: {json.dumps(body)}\n\n".encode())
            sent = now
            if self._workspace.revision == sent:
                await self._workspace.moved()

    def _known_revision(self, last: str) -> int:
        """What the page saw last; 0, so that it gets everything, where that was of another start."""
        start, _, revision = last.partition("-")
        if start != self._start_id or not (revision.isascii() and revision.isdigit() and len(revision) < 16):
            return 0
        return min(int(revision), self._workspace.revision)

    def _seen(self, viewer: Person, since: int) -> Json:
        mine = [c.id for c in self._workspace.channels.values() if viewer.id in c.members]
        every = [message for channel in mine for message in self._workspace.messages.get(channel, [])]
        changed = [m for m in every if m.rev > since and m.only_for in (None, viewer.id)]
        if since == 0:
            changed = [m for m in changed if not m.deleted]
        stack = self._workspace.stacks.get(viewer.id, [])
        home = self._workspace.homes.get(viewer.id)
        return {
            "full": since == 0,
            "messages": [m.as_json() for m in changed],
            "unread": {name: self._workspace.unread(name) for name in self._workspace.people},
            "view": self._drawn(stack[-1], len(stack)) if stack else None,
            "home": self._drawn(home, 1) if home else None,
        }

    def _drawn(self, view: View, depth: int) -> Json:
        more = {"errors": view.errors, "trouble": view.trouble, "rev": view.rev, "depth": depth}
        return view.as_slack(self._workspace.team) | more

    # -- what the page does

    def _guarded(self, act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            self.right_host(request)
            if request.headers.get("Origin", "") not in (f"http://{request.host}", f"https://{request.host}"):
                raise web.HTTPForbidden(text="another origin")
            try:
                given = await request.json()
                if request.content_type != "application/json" or not isinstance(given, dict):
                    raise web.HTTPBadRequest(text="a JSON object, please")
                return web.json_response(await act(given), headers=HEADERS)
            except NoSuchThing as missing:
                return web.json_response({"problem": str(missing)}, status=404, headers=HEADERS)
            except SlackRefusal as refusal:
                return web.json_response({"problem": refusal.error}, status=400, headers=HEADERS)
            except (LookupError, ValueError, TypeError, RecursionError):
                raise web.HTTPBadRequest(text="something is missing or of the wrong kind") from None

        return handle

    # -- who may ask

    def _known(self, who: object) -> Person:
        try:
            return self._workspace.person(str(who))
        except NoSuchThing:
            raise web.HTTPNotFound(text="no such person") from None

    def right_host(self, request: web.Request) -> None:
        """Raises HTTPForbidden for a request that came under another name."""
        if self.hosts is not None and urlsplit(f"//{request.host}").hostname not in self.hosts:
            raise web.HTTPForbidden(text="another host")

    async def _shutdown(self, app: web.Application) -> None:
        self._closing = True
        self._workspace.touch()
