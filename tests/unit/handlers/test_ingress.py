"""What is refused before Bolt: each request over a real socket, to a real server."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_bolt.response import BoltResponse
from structlog.testing import capture_logs

from handlers.ingress import LARGEST, Ingress
from tests.conftest import HandClock

SECRET = "signing-secret"
COMMAND = urlencode({"command": "/agent", "text": "status", "user_id": "U0ADA"}).encode()
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
BODIES = {
    "command": (COMMAND, FORM),
    "interaction": (urlencode({"payload": json.dumps({"type": "block_actions"})}).encode(), FORM),
    "view": (urlencode({"payload": json.dumps({"type": "view_submission"})}).encode(), FORM),
    "event": (json.dumps({"type": "event_callback"}).encode(), JSON),
    "verification": (json.dumps({"type": "url_verification", "challenge": "c"}).encode(), JSON),
}


class Door:
    """A server with the ingress in front of a listener that writes down what it gets."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.admitted: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.answer = BoltResponse(status=200, body={"text": "hello"})
        app = web.Application(client_max_size=LARGEST)
        app.router.add_post("/slack/events", Ingress(SECRET, self._admit, self._refuse, clock).receive)
        self.server = TestServer(app)

    async def _admit(self, payload: dict[str, Any], signature: str) -> BoltResponse:
        self.admitted.append(payload)
        return self.answer

    async def _refuse(self, reason: str) -> None:
        self.refused.append(reason)

    def signed(self, body: bytes, *, late: float = 0, secret: str = SECRET) -> dict[str, str]:
        """Slack's two headers for a body, signed `late` seconds from now."""
        at = str(int(self.clock().timestamp() + late))
        value = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={value}"}

    async def send(self, body: bytes, content_type: str = FORM, **headers: str) -> tuple[int, str]:
        """Status and text of the answer; headers with `_` for `-`."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        async with aiohttp.ClientSession() as session:
            url = self.server.make_url("/slack/events")
            async with session.post(url, data=body, headers={"Content-Type": content_type, **more}) as answer:
                return answer.status, await answer.text()

    async def send_signed(self, body: bytes, content_type: str = FORM, *, late: float = 0) -> tuple[int, str]:
        """As `send`, with a right signature."""
        return await self.send(body, content_type, **self.signed(body, late=late))


@pytest.fixture
async def door(clock: HandClock) -> AsyncIterator[Door]:
    made = Door(clock)
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.mark.parametrize("kind", BODIES)
async def test_t01_unsigned_requests_are_refused(door: Door, kind: str) -> None:
    """Without a signature, or with one under another secret, nothing gets in (guard: `_signed`)."""
    body, content_type = BODIES[kind]
    assert (await door.send(body, content_type))[0] == 401
    assert (await door.send(body, content_type, **door.signed(body, secret="other")))[0] == 401
    assert (await door.send(body + b" ", content_type, **door.signed(body)))[0] == 401
    assert door.admitted == []
    assert door.refused == ["bad_signature"] * 3


@pytest.mark.parametrize(("late", "status"), [(-301, 401), (301, 401), (-290, 200), (290, 200)])
async def test_t02_the_window_is_five_minutes(door: Door, late: float, status: int) -> None:
    """A request that is older or younger than five minutes is a replay (guard: WINDOW)."""
    assert (await door.send_signed(COMMAND, late=late))[0] == status


@pytest.mark.parametrize("timestamp", ["abc", "", "9" * 5000, "1e9", "-1", "٣٤٥", "1.5"])
async def test_t03_timestamps_that_are_no_number(door: Door, timestamp: str) -> None:
    """A timestamp that is no whole number is refused and not answered with 500 (guard: isdigit and length)."""
    headers = {**door.signed(COMMAND), "X-Slack-Request-Timestamp": timestamp}
    assert (await door.send(COMMAND, **headers))[0] == 401


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff\xfe{}", JSON),
        (b"payload=%ff%fe", FORM),
        (b"[" * 20_000 + b"]" * 20_000, JSON),
        (urlencode({"payload": "[" * 20_000}).encode(), FORM),
        (b"[1, 2]", JSON),
        (b"payload=null", FORM),
        (b"{", JSON),
        (b"", JSON),
        (b"&".join(b"a%d=1" % n for n in range(1000)), FORM),
    ],
)
async def test_t04_bodies_that_cannot_be_read(door: Door, body: bytes, content_type: str) -> None:
    """What is signed and yet no payload is a 400 (guard: the except around `parsed`)."""
    assert (await door.send_signed(body, content_type))[0] == 400
    assert door.admitted == []


async def test_t04_a_signature_that_is_not_ascii(door: Door) -> None:
    """A signature of other letters is a wrong one (guard: compared as bytes)."""
    headers = {**door.signed(COMMAND), "X-Slack-Signature": "v0=äöü"}
    assert (await door.send(COMMAND, **headers))[0] == 401


async def test_other_content_types_and_encodings_are_refused(door: Door) -> None:
    """Slack sends forms and JSON, uncompressed; anything else is 415."""
    assert (await door.send_signed(COMMAND, "text/plain"))[0] == 415
    headers = door.signed(COMMAND)
    assert (await door.send(COMMAND, FORM, Content_Encoding="br", **headers))[0] in {400, 415}
    assert door.admitted == []


async def test_t07_the_body_of_an_unsigned_request_is_in_no_log(door: Door) -> None:
    """Whoever is not Slack cannot write into our log (guard: only the reason is passed on)."""
    with capture_logs() as logs:
        await door.send(urlencode({"command": "/agent", "text": "CANARY"}).encode())
    assert "CANARY" not in json.dumps(logs) + json.dumps(door.refused)


async def test_t08_ssl_check_is_answered_and_goes_no_further(door: Door) -> None:
    """Slack's look at the certificate is a 200 and dispatches nothing, signed or not (guard: both early returns)."""
    body = urlencode({"ssl_check": "1", "token": "x"}).encode()
    later = urlencode({"token": "x", "ssl_check": "1"}).encode()
    assert (await door.send(body))[0] == 200
    assert (await door.send_signed(later))[0] == 200
    assert door.admitted == []


async def test_t08_more_than_a_mebibyte_is_refused(door: Door) -> None:
    """A body above 1 MiB is a 413, announced or not (guard: content_length and client_max_size)."""
    body = b"a=" + b"x" * LARGEST
    assert (await door.send_signed(body))[0] == 413

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 65536):
            yield body[at : at + 65536]

    async with aiohttp.ClientSession() as session:
        headers = {"Content-Type": FORM, **door.signed(body)}
        async with session.post(door.server.make_url("/slack/events"), data=parts(), headers=headers) as answer:
            assert answer.status == 413
    assert door.admitted == []


async def test_a_signed_command_gets_bolts_answer(door: Door) -> None:
    """What passes is parsed once, and the ack goes back as it is."""
    status, text = await door.send_signed(COMMAND)
    assert (status, json.loads(text)) == (200, {"text": "hello"})
    assert door.admitted[0]["text"] == "status"


async def test_what_nobody_waits_for_is_no_error(door: Door) -> None:
    """Bolt's 404 becomes an empty 200: Slack would show a failure, or send it again."""
    door.answer = BoltResponse(status=404, body={"error": "unhandled request"})
    assert await door.send_signed(COMMAND) == (200, "")


async def test_url_verification_returns_the_challenge(door: Door) -> None:
    """Slack checks the address with a challenge (docs.slack.dev, "url_verification")."""
    status, text = await door.send_signed(*BODIES["verification"])
    assert (status, json.loads(text)) == (200, {"challenge": "c"})
