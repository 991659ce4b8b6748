"""The page at `/` and what it asks for: everything under `/ui/` acts as the person whom the page has chosen.

There is no login: whoever reaches this port is anybody in the workspace. So the page answers only under its own
name (against DNS rebinding), and acts only for requests that its own pages sent (against other sites).
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from .dispatch import Delivery
from .errors import NoSuchThing, SlackRefusal
from .gestures import Gestures
from .model import APP_NAME, BOT_USER, SLACKBOT, TEAM, TEAM_NAME, Person, View
from .state import Workspace

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
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Json = dict[str, Any]
Act = Callable[[Json], Awaitable[Json]]


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
        self._gestures = gestures
        self._commands = tuple(commands)
        self.hosts: frozenset[str] | None = LOOPBACK
        self._closing = False

    def add_routes(self, app: web.Application) -> None:
        """Mount the page, its files and its endpoints."""
        app.router.add_get("/", self._page)
        app.router.add_get(r"/static/{name:[a-z]+\.(?:js|css|svg)}", self._page)
        app.router.add_get("/ui/start", self._start)
        app.router.add_get("/ui/live", self._live)
        for name, act in self._acts().items():
            app.router.add_post(f"/ui/{name}", self._guarded(act))
        app.on_shutdown.append(self._shutdown)

    def _acts(self) -> dict[str, Act]:
        return {
            "say": self._say,
            "click": self._click,
            "submit": self._submit,
            "close": self._close,
            "home": self._home,
            "read": self._read,
            "dismiss": self._dismiss,
        }

    # -- what the page shows

    async def _page(self, request: web.Request) -> web.StreamResponse:
        self._right_host(request)
        path = STATIC / request.match_info.get("name", "index.html")
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=HEADERS)

    async def _start(self, request: web.Request) -> web.Response:
        self._right_host(request)
        channels = self._workspace.channels.values()
        return web.json_response(
            {
                "team": {"id": TEAM, "name": TEAM_NAME},
                "app": {"name": APP_NAME, "user": BOT_USER, "slackbot": SLACKBOT},
                "people": [self._card(person) for person in self._workspace.people.values()],
                "channels": [{**asdict(c), "members": sorted(c.members)} for c in channels],
                "commands": [asdict(command) for command in self._commands],
            },
            headers=HEADERS,
        )

    def _card(self, person: Person) -> Json:
        fields = {"id": person.id, "name": person.name, "real_name": person.real_name, "email": person.email}
        return fields | {"external": person.team != TEAM}

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: first everything this person sees, then what changed, by revision."""
        self._right_host(request)
        viewer = self._known(request.query.get("user", ""))
        last = request.headers.get("Last-Event-ID", "0")
        sent = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else 0
        # An id from the future belongs to another workspace's file: begin anew.
        sent = sent if sent <= self._workspace.revision else 0
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        while not self._closing:
            now, body = self._workspace.revision, self._seen(viewer, sent)
            await response.write(f"id: {now}\ndata: {json.dumps(body)}\n\n".encode())
            sent = now
            if self._workspace.revision == sent:
                await self._workspace.moved()
        return response

    def _seen(self, viewer: Person, since: int) -> Json:
        mine = [c.id for c in self._workspace.channels.values() if viewer.id in c.members]
        every = [message for channel in mine for message in self._workspace.messages.get(channel, [])]
        changed = [m for m in every if m.rev > since and m.only_for in (None, viewer.id)]
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
        return view.as_slack() | more

    # -- what the page does

    def _guarded(self, act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            self._right_host(request)
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
            except (KeyError, ValueError, TypeError, RecursionError):
                raise web.HTTPBadRequest(text="something is missing or of the wrong kind") from None

        return handle

    async def _say(self, given: Json) -> Json:
        text, thread = str(given["text"]).strip(), given.get("thread_ts")
        if not text:
            return {}
        if text.startswith("/") and not thread:
            return await self._type_command(given["user"], given["channel"], text)
        return {"ts": await self._gestures.say(given["user"], given["channel"], self._encoded(text), thread)}

    async def _type_command(self, who: str, where: str, line: str) -> Json:
        name = line.split()[0]
        if self._commands and name not in {command.command for command in self._commands}:
            self._gestures.told_by_slackbot(who, where, f"`{name}` is not a valid command.")
            return {}
        await self._gestures.command(who, line, where)
        return {}

    async def _click(self, given: Json) -> Json:
        who, action, block = given["user"], given["action_id"], given.get("block_id")
        value, entered = given.get("value"), given.get("entered")
        if "view_id" in given:
            delivery = await self._gestures.click_view(
                who, given["view_id"], action, block_id=block, value=value, entered=entered
            )
        else:
            delivery = await self._gestures.click(
                who, given["channel"], given["ts"], action, block_id=block, value=value
            )
        return self._told(delivery)

    async def _submit(self, given: Json) -> Json:
        done = await self._gestures.submit(given["user"], given["view_id"], given["values"])
        return {"errors": done.errors}

    async def _close(self, given: Json) -> Json:
        await self._gestures.close(given["user"], given["view_id"], cleared=bool(given.get("cleared")))
        return {}

    async def _home(self, given: Json) -> Json:
        await self._gestures.open_home(given["user"], "home" if given["tab"] == "home" else "messages")
        return {}

    async def _read(self, given: Json) -> Json:
        self._workspace.mark_read(self._known(given["user"]).id, given["channel"])
        return {}

    async def _dismiss(self, given: Json) -> Json:
        self._gestures.dismiss(given["user"], given["channel"], given["ts"])
        return {}

    def _told(self, delivery: Delivery) -> Json:
        return {"problem": delivery.failure} if delivery.failure else {}

    def _encoded(self, text: str) -> str:
        """What a person typed, in Slack's markup: `@Ada` becomes `<@U0ADA>`, `#support` a channel."""
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        names = {APP_NAME.lower(): BOT_USER} | {p.name: p.id for p in self._workspace.people.values()}
        rooms = {c.name: c.id for c in self._workspace.channels.values() if not c.is_im}

        def mention(found: re.Match[str]) -> str:
            sign, word = found.group(1), found.group(2).lower()
            if sign == "@" and word in names:
                return f"<@{names[word]}>"
            return f"<#{rooms[word]}|{word}>" if sign == "#" and word in rooms else found.group(0)

        return re.sub(r"(?<![\w&])([@#])(\w+)", mention, text)

    # -- who may ask

    def _known(self, who: object) -> Person:
        try:
            return self._workspace.person(str(who))
        except NoSuchThing:
            raise web.HTTPNotFound(text="no such person") from None

    def _right_host(self, request: web.Request) -> None:
        if self.hosts is not None and urlsplit(f"//{request.host}").hostname not in self.hosts:
            raise web.HTTPForbidden(text="another host")

    async def _shutdown(self, app: web.Application) -> None:
        self._closing = True
        self._workspace.touch()
