"""The page's side of the wire: acts by POST, and the stream of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bot.sandbox.slack import SandboxSlack


class Page:
    """Asks as the page of one person does; any header can be replaced, or left out with None."""

    def __init__(self, slack: SandboxSlack, http: aiohttp.ClientSession) -> None:
        self.slack = slack
        self.http = http

    async def act(self, name: str, body: Any, **headers: str | None) -> tuple[int, Any]:
        """Status and answer of one act."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        every = {"Origin": self.slack.url, "Content-Type": "application/json", **headers}
        sent = {name: value for name, value in every.items() if value is not None}
        async with self.http.post(f"{self.slack.url}/ui/{name}", data=raw, headers=sent) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def says(self, text: str, who: str = "U0ADA", where: str = "C0GENERAL", **more: Any) -> tuple[int, Any]:
        """Type and send."""
        return await self.act("say", {"user": who, "channel": where, "text": text, **more})

    @asynccontextmanager
    async def live(self, who: str = "U0ADA", last: str = "") -> AsyncIterator[Stream]:
        """The stream of server-sent events of one person."""
        headers = {"Last-Event-ID": last} if last else {}
        async with self.http.get(f"{self.slack.url}/ui/live", params={"user": who}, headers=headers) as response:
            assert response.status == 200
            yield Stream(response)


class Stream:
    """Reads one event after the other."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.id = ""

    async def next(self) -> dict[str, Any]:
        """The data of the next event that has some."""
        async with asyncio.timeout(5):
            while (found := await self._block()) is None:
                pass
        return found

    async def _block(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = None
        while raw := await self.response.content.readline():
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            if not name:
                return found
            if name == "id":
                self.id = value
            if name == "data":
                found = json.loads(value)
        raise AssertionError("the stream ended")
