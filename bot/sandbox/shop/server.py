"""The shop as one object: an API that lets in people, never a bot, and a page that shows who came."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from bot.sandbox import icon
from oauth import Clock, utc_now

from .api import Api
from .books import Books
from .guard import Guard
from .model import Call, Order
from .page import Page
from .receipts import Receipts

_BODY_LIMIT = 65_536
_ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 – compared with, not bound to


class SampleApi:
    """A small protected API: `GET /orders`, `GET /orders/{id}`, `POST /orders/{id}/refund`.

    `data_dir` keeps `shop.json`; `issuer` and `audience` are what tokens must say, to the letter. With `receipts_from`,
    the public address of a bot, refunds need its receipt of an approval.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        issuer: str,
        audience: str,
        receipts_from: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._books = Books(Path(data_dir) / "shop.json")
        self._guard = Guard(issuer, audience, clock)
        self._receipts = Receipts(receipts_from, audience, clock) if receipts_from is not None else None
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self.url = ""

    def app(self) -> web.Application:
        """The aiohttp application with every route."""
        app = web.Application(client_max_size=_BODY_LIMIT)
        Api(self._books, self._guard, self._clock, self._receipts).add_to(app)
        Page(self._books).add_to(app)
        icon.add_to(app)
        return app

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, on a free port for 0; gives the address, without a trailing slash."""
        self._books.keeper.start()
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=2.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound = self._runner.addresses[0][1]
        shown = "127.0.0.1" if host in _ANYWHERE else host
        self.url = f"http://{f'[{shown}]' if ':' in shown else shown}:{bound}"
        return self.url

    async def stop(self) -> None:
        """Close, with the books written."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            await self._books.keeper.stop()

    @property
    def journal(self) -> list[Call]:
        """Every call, oldest first, also those that were refused."""
        return list(self._books.journal)

    @property
    def orders(self) -> dict[str, Order]:
        """The orders as they stand, by id."""
        return self._books.orders

    def reset(self) -> None:
        """The orders as on the first day, and an empty journal."""
        self._books.reset()
