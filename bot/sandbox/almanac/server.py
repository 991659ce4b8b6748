"""Almanac as one object: an authorization server of its own, an API behind it, and a page that shows who wrote what."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from aiohttp import web

from bot.sandbox import icon
from bot.sandbox.tenant import Connection, Hold
from bot.sandbox.tenant.faults import Fault, Faults
from oauth import Clock, utc_now

from .api import Api
from .calendars import Calendars
from .consent import Consent
from .grants import Client, Grants
from .model import SCOPES, Call, Event
from .page import CalendarPage
from .token import TokenEndpoint

Endpoint = Literal["authorize", "token", "account", "events"]
_PATHS: dict[str, Endpoint] = {
    "/oauth/authorize": "authorize",
    "/oauth/token": "token",
    "/account": "account",
    "/events": "events",
}
_BODY_LIMIT = 65_536
_ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 – compared with, not bound to


class Almanac:
    """A calendar service: `/oauth/authorize`, `/oauth/token`, `GET /events`, `POST /events`, `GET /account`.

    `data_dir` keeps `almanac.json`; `access_seconds` is how long its access tokens live; without `offline` it gives no
    refresh tokens, as some third parties do not. `redirect_uris` may be added to at any time.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        client_id: str,
        client_secret: str,
        redirect_uris: Iterable[str] = (),
        access_seconds: int = 600,
        offline: bool = True,
        clock: Clock = utc_now,
    ) -> None:
        self.client = Client(client_id, client_secret, set(redirect_uris))
        grants = Grants(clock, access_seconds=access_seconds, offline=offline)
        self._calendars = Calendars(Path(data_dir) / "almanac.json", grants)
        self._tokens = TokenEndpoint(self.client, self._calendars)
        self._faults = Faults(_endpoints_of)
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self.url = ""

    def app(self) -> web.Application:
        """The aiohttp application with every route."""
        app = web.Application(client_max_size=_BODY_LIMIT, middlewares=[self._faults.middleware])
        Consent(self.client, self._calendars).add_to(app)
        self._tokens.add_to(app)
        Api(self._calendars, self._clock).add_to(app)
        CalendarPage(self._calendars).add_to(app)
        icon.add_to(app)
        return app

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, on a free port for 0; gives the address, without a trailing slash."""
        self._calendars.keeper.start()
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=2.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound = self._runner.addresses[0][1]
        shown = "127.0.0.1" if host in _ANYWHERE else host
        self.url = f"http://{f'[{shown}]' if ':' in shown else shown}:{bound}"
        return self.url

    async def stop(self) -> None:
        """Close, with everything written."""
        for hold in self._faults.holds:
            hold.release()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            await self._calendars.keeper.stop()

    def connection(self, name: str = "almanac") -> Connection:
        """How a tenant reaches it, once it listens."""
        return Connection(
            name=name,
            authorization_url=f"{self.url}/oauth/authorize",
            token_url=f"{self.url}/oauth/token",
            profile_url=f"{self.url}/account",
            client_id=self.client.client_id,
            secret=self.client.secret,
            scopes=SCOPES,
        )

    @property
    def journal(self) -> list[Call]:
        """Every call to events, oldest first, also those that were refused."""
        return list(self._calendars.journal)

    @property
    def token_calls(self) -> int:
        """How often the token endpoint was asked, also in vain."""
        return self._tokens.calls

    def events(self, account: str) -> list[Event]:
        """What is in an account's calendar, the soonest first."""
        return self._calendars.of(account)

    def disconnect(self, account: str) -> int:
        """Somebody lets go of every client in Almanac's own settings; gives how many grants that ended."""
        ended = self._calendars.grants.end(account)
        self._calendars.keeper.mark()
        return ended

    def fail(self, endpoint: Endpoint, *, status: int = 503, times: int = 1, lost: bool = False) -> None:
        """Let the next requests to an endpoint go wrong; with `lost` they are carried out but not answered."""
        self._faults.waiting.append(Fault(endpoint, status, times, lost=lost))

    def hold(self, endpoint: Endpoint, *, answered: bool = False) -> Hold:
        """Let requests to an endpoint wait until the hold is released; with `answered`, once they are carried out."""
        found = Hold(endpoint, answered)
        self._faults.holds.append(found)
        return found


async def _endpoints_of(request: web.Request) -> frozenset[str]:
    found = _PATHS.get(request.path)
    return frozenset() if found is None else frozenset({found})
