"""A service that is paid into: it keeps nothing but which run came when, and how often."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from aiohttp import web


class Ledger:
    """`POST /pay/{payee}`. What came is in `arrivals` by `Idempotency-Key`, in seconds of `time.perf_counter`.

    `delay` in seconds is how long it takes for its answer.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self.arrivals: dict[str, list[float]] = {}
        self.wanting: Counter[str] = Counter()
        self.delay = delay
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen on a free port; gives the address, without a trailing slash."""
        app = web.Application()
        app.router.add_post("/pay/{payee}", self.pay)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def pay(self, request: web.Request) -> web.Response:
        """Only with what every approved call carries; a payment without it is counted as wanting."""
        now = time.perf_counter()
        for name in ("Idempotency-Key", "Authorization", "Approval-Receipt"):
            if name not in request.headers:
                self.wanting[name] += 1
        self.arrivals.setdefault(request.headers.get("Idempotency-Key", ""), []).append(now)
        if self.delay:
            await asyncio.sleep(self.delay)
        paid: dict[str, Any] = {"paid": request.match_info["payee"]}
        return web.json_response(paid)
