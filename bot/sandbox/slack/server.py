"""The sandbox as one object: start it, point a bot at it, and act as the people in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from . import storage
from .chat import place
from .dispatch import Delivery, Dispatch
from .gestures import EVENTS, Gestures, Submission
from .model import Person, View
from .pace import Pace
from .response_urls import ResponseUrls
from .state import Found, Workspace, utc_now
from .ui import LOOPBACK, CommandHint, Ui
from .web_api import SCOPES, Fault, FaultKind, WebApi

BODY_LIMIT = 4 * 1024 * 1024
ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 – compared with, not bound to


class SandboxSlack:
    """A Slack workspace on this machine: Web API, signed requests to the bot, and a page at `/`.

    `data_dir` keeps `slack.json`; `events_url` is the bot's one address and may be set later; `burst` messages
    may be posted to a channel at once, then one a second; `ack_seconds` and `retry_pauses` are Slack's three
    seconds and its delays before an event is sent again; `sleep` waits for those.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        signing_secret: str,
        bot_token: str,
        events_url: str = "",
        commands: Sequence[CommandHint] = (),
        scopes: Sequence[str] = SCOPES,
        events: frozenset[str] = EVENTS,
        burst: int = 10,
        ack_seconds: float = 3.0,
        retry_pauses: Sequence[float] = (0, 60, 300),
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Any] | None = None,
    ) -> None:
        path = Path(data_dir) / "slack.json"
        self._keeper = storage.Keeper(path, lambda: self.workspace.snapshot())
        self.workspace = Workspace(clock, changed=self._keeper.mark)
        if path.exists():
            self._restore(path)
        more = {} if sleep is None else {"sleep": sleep}
        self.dispatch = Dispatch(events_url, signing_secret, clock, wait=ack_seconds, pauses=retry_pauses, **more)
        self._urls = ResponseUrls(self.workspace)
        self.gestures = Gestures(self.workspace, self.dispatch, self._urls, events)
        self.api = WebApi(self.workspace, bot_token, Pace(burst=burst), tuple(scopes))
        self.ui = Ui(self.workspace, self.gestures, commands)
        self._runner: web.AppRunner | None = None
        self.url = ""

    # -- running

    def app(self) -> web.Application:
        """The aiohttp application with every route."""
        app = web.Application(client_max_size=BODY_LIMIT)
        self.api.add_routes(app)
        self._urls.add_routes(app)
        self.ui.add_routes(app)
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
        # Only whoever has the port writes the file: a second start on it must not undo what the first one keeps.
        await self.dispatch.start()
        self._keeper.start()
        bound = self._runner.addresses[0][1]
        shown = "127.0.0.1" if host in ANYWHERE else host
        self.url = f"http://{f'[{shown}]' if ':' in shown else shown}:{bound}"
        self._urls.base = self.url
        self.ui.hosts = LOOPBACK if host in LOOPBACK else None
        return self.url

    async def stop(self) -> None:
        """Close everything, with the state written."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self.dispatch.stop()
        await self._keeper.stop()

    def _restore(self, path: Path) -> None:
        try:
            self.workspace.restore(storage.load(path) or {})
        except ValueError:
            storage.put_aside(path)

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

    # -- people

    async def command(self, user: str, text: str, channel: str = "C0GENERAL") -> Delivery:
        """Type `/agent status`; gives what the bot answered within the deadline."""
        return await self.gestures.command(user, text, channel)

    async def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Post as a person, in Slack's markup (`<@U0BOT> …`); gives the ts."""
        return await self.gestures.say(user, channel, text, thread_ts)

    async def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: object = None,
    ) -> Delivery:
        """Use a control of a message that this person sees. Raises NoSuchThing."""
        return await self.gestures.click(user, channel, ts, action_id, block_id=block_id, value=value)

    async def click_view(self, user: str, view_id: str, action_id: str, *, value: object = None) -> Delivery:
        """Use a control of a modal or of the Home tab."""
        return await self.gestures.click_view(user, view_id, action_id, value=value)

    async def submit(self, user: str, view_id: str, values: Mapping[str, Any]) -> Submission:
        """Submit a modal: `{block_id: value}`, or `{block_id: {action_id: value}}`."""
        return await self.gestures.submit(user, view_id, values)

    async def close(self, user: str, view_id: str, *, cleared: bool = False) -> Delivery | None:
        """Close a modal without submitting it."""
        return await self.gestures.close(user, view_id, cleared=cleared)

    async def open_home(self, user: str, tab: str = "home") -> Delivery | None:
        """Look at the app's Home tab; the event goes to the bot."""
        return await self.gestures.open_home(user, tab)

    def add_person(self, name: str, *, email: str | None = None, **more: Any) -> Person:
        """Let somebody else in, e.g. `add_person("Mallory", team="T0OTHER")` from another workspace."""
        handle = name.lower()
        address = email or f"{handle}@example.com"
        return self.workspace.admit(Person(f"U0{name.upper()}", handle, name, address, **more))

    # -- looking

    def dm(self, user: str) -> str:
        """The channel of this person's direct messages with the app."""
        return place(self.workspace, self.workspace.person(user).id).id

    def messages(self, channel: str, viewer: str | None = None) -> list[dict[str, Any]]:
        """What is in a channel, oldest first, in Slack's shape with `channel` and `ephemeral` added.

        Ephemerals are there only for the `viewer` who sees them.
        """
        who = self.workspace.person(viewer).id if viewer else None
        seen = self.workspace.seen(self.workspace.channel(channel).id, who)
        return [m.as_slack() | {"channel": m.channel, "ephemeral": m.only_for is not None} for m in seen]

    def view_for(self, user: str) -> dict[str, Any] | None:
        """The modal that this person has in front of them, with `errors` and `trouble` as shown; or None."""
        stack = self.workspace.stacks.get(self.workspace.person(user).id, [])
        return self._shown(stack[-1]) if stack else None

    def home_for(self, user: str) -> dict[str, Any] | None:
        """What was published to this person's Home tab; or None."""
        home = self.workspace.homes.get(self.workspace.person(user).id)
        return self._shown(home) if home else None

    async def until(self, predicate: Callable[[], Found | None], timeout: float = 5.0) -> Found:
        """What `predicate` returns once that is true; asked again at every change, never by polling.

        Raises TimeoutError after `timeout` seconds.
        """
        return await self.workspace.until(predicate, timeout)

    def fail(self, method: str, kind: FaultKind = "refuse", **more: Any) -> None:
        """Let the next calls of a Web API method go wrong; see Fault."""
        self.api.faults.append(Fault(method, kind, **more))

    @staticmethod
    def _shown(view: View) -> dict[str, Any]:
        return view.as_slack() | {"errors": view.errors, "trouble": view.trouble}
