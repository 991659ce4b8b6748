"""What is checked before Bolt sees a request: size, encoding, signature, window and shape.

docs.slack.dev, "Verifying requests from Slack". Bolt alone answers 500 to a timestamp that is no number and logs the
body of unsigned requests; here nothing of a body is logged, and what is not Slack's ends in a 4xx.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from slack_bolt.response import BoltResponse

from oauth import Clock

LARGEST = 1_048_576
WINDOW = 300
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_MOST_FIELDS = 100

Admit = Callable[[dict[str, Any], str], Awaitable[BoltResponse]]
Refused = Callable[[str], Awaitable[None]]


class Ingress:
    """`POST /slack/events`. Who passes is handed to `admit` as one parsed payload, with its signature."""

    def __init__(self, secret: str, admit: Admit, refused: Refused, clock: Clock) -> None:
        """`refused` is told the reason of each request that was not signed by Slack."""
        self._secret = secret.encode()
        self._admit = admit
        self._refused = refused
        self._clock = clock

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Check, parse once, hand over, and turn Bolt's answer into ours."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            return _no(415)
        if (request.content_length or 0) > LARGEST:
            return _no(413)
        body = await request.read()  # aiohttp itself ends a longer one with 413
        if request.content_type == _FORM and body.startswith(b"ssl_check=1"):
            return web.Response()
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        if not self._signed(timestamp, signature, body):
            await self._refused("bad_signature")
            return _no(401)
        try:
            payload = parsed(body, request.content_type)
        except (ValueError, RecursionError):
            return _no(400)
        if payload is None:
            return _no(415)
        if payload.get("ssl_check"):
            return web.Response()
        if payload.get("type") == "url_verification":
            return web.json_response({"challenge": str(payload.get("challenge", ""))})
        answer = await self._admit(payload, signature)
        if answer.status == 404:
            return web.Response()  # a kind of payload that nobody waits for is no failure that Slack should repeat
        headers = {name: values[0] for name, values in answer.headers.items() if name.lower() == "content-type"}
        return web.Response(status=answer.status, body=(answer.body or "").encode(), headers=headers)

    def _signed(self, timestamp: str, signature: str, body: bytes) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        if abs(self._clock().timestamp() - int(timestamp)) > WINDOW:
            return False
        expected = hmac.new(self._secret, b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        # As bytes: `compare_digest` refuses text that is not ASCII.
        return hmac.compare_digest(f"v0={expected}".encode(), signature.encode("utf-8", "surrogateescape"))


def parsed(body: bytes, content_type: str) -> dict[str, Any] | None:
    """The payload of a body; None for a type that Slack does not send. Raises ValueError or RecursionError."""
    if content_type == _JSON:
        found = json.loads(body.decode())
    elif content_type == _FORM:
        found = dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
        if "payload" in found:
            found = json.loads(found["payload"])
    else:
        return None
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _no(status: int) -> web.Response:
    return web.Response(status=status, headers={"X-Slack-No-Retry": "1"})
