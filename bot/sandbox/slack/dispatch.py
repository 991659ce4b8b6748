"""Signed requests out to the bot (docs.slack.dev, "Verifying requests from Slack", "Events API", "Retries").

Slack waits three seconds for the answer to a command or a click. An event that is not acknowledged is sent again
at once, after a minute and after five, and then given up.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from .state import Clock

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
TIMED_OUT = "operation_timeout"
FAILED = "dispatch_failed"


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The value of `X-Slack-Signature` for a body sent at this time (seconds since 1970)."""
    base = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Delivery:
    """What came back: `failure` is None, `operation_timeout` or `dispatch_failed`."""

    status: int | None
    body: bytes = b""
    content_type: str = ""
    failure: str | None = None
    no_retry: bool = False

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object in the body; a plain text as `{"text": …}`; empty where there is neither."""
        if self.failure or not self.body.strip():
            return {}
        if self.content_type != JSON:
            return {"text": self.body.decode("utf-8", "replace")}
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Dispatch:
    """Sends to the bot's one address. `wait` is the deadline for an ack and `pauses` the delays before an
    event's retries, both in seconds."""

    def __init__(
        self,
        events_url: str,
        signing_secret: str,
        clock: Clock,
        *,
        wait: float = 3.0,
        pauses: Sequence[float] = (0, 60, 300),
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self.events_url = events_url
        self.wait = wait
        self._secret = signing_secret
        self._clock = clock
        self._pauses = tuple(pauses)
        self._sleep = sleep
        self._session: aiohttp.ClientSession | None = None
        self._retries: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the connection pool."""
        self._session = aiohttp.ClientSession(trust_env=False)

    async def stop(self) -> None:
        """Give up what would be retried, and close."""
        for task in self._retries:
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def form(self, fields: Mapping[str, str]) -> Delivery:
        """A slash command."""
        return await self.send(urlencode(fields).encode(), FORM)

    async def interaction(self, payload: Mapping[str, Any]) -> Delivery:
        """A click or a form, as `payload=` and JSON."""
        return await self.send(urlencode({"payload": json.dumps(payload)}).encode(), FORM)

    async def event(self, envelope: Mapping[str, Any]) -> Delivery:
        """An event; waits for the first attempt, and goes on in the background if that failed."""
        body = json.dumps(envelope).encode()
        first = await self.send(body, JSON)
        if first.failure and not first.no_retry:
            task = asyncio.create_task(self._again(body, first), name="sandbox-slack-retry")
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)
        return first

    async def send(self, body: bytes, content_type: str, **headers: str) -> Delivery:
        """One request, signed now."""
        if self._session is None:
            raise RuntimeError("the sandbox is not started")
        now = int(self._clock().timestamp())
        every = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "Accept": "application/json,*/*",
            "X-Slack-Request-Timestamp": str(now),
            "X-Slack-Signature": sign(self._secret, now, body),
            **headers,
        }
        limit = aiohttp.ClientTimeout(total=self.wait)
        try:
            async with self._session.post(
                self.events_url, data=body, headers=every, timeout=limit, allow_redirects=False
            ) as response:
                found = await response.read()
                fine = 200 <= response.status < 300
                return Delivery(
                    response.status,
                    found,
                    response.content_type,
                    None if fine else FAILED,
                    response.headers.get("X-Slack-No-Retry") == "1",
                )
        except TimeoutError:
            return Delivery(None, failure=TIMED_OUT)
        except aiohttp.ClientError:
            return Delivery(None, failure=FAILED)

    async def _again(self, body: bytes, last: Delivery) -> None:
        for number, pause in enumerate(self._pauses, start=1):
            await self._sleep(pause)
            reason = "http_timeout" if last.failure == TIMED_OUT else "http_error"
            if last.status is None and last.failure == FAILED:
                reason = "connection_failed"
            retry = {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
            last = await self.send(body, JSON, **retry)
            if not last.failure or last.no_retry:
                return
