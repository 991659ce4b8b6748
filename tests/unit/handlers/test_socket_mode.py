"""Socket Mode, against a WebSocket server: the same gate, and an ack for what passed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_bolt.response import BoltResponse

from handlers.post import client
from handlers.socket_mode import Socket, app_of
from tests.unit.handlers.slack_api import SlackApi
from tests.unit.handlers.test_speaker import COMMAND


class Gate:
    """Admits what comes and answers as it is told; an exception is raised."""

    def __init__(self) -> None:
        self.admitted: list[dict[str, Any]] = []
        self.answers: list[BoltResponse | Exception] = []

    async def admit(self, payload: dict[str, Any]) -> BoltResponse:
        self.admitted.append(payload)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_payloads_come_through_the_socket() -> None:
    """A command is admitted with its payload; its answer goes back in the ack; what failed is not acknowledged."""
    api = SlackApi()
    await api.server.start_server()
    url = str(api.server.make_url("/socket")).replace("http", "ws")
    api.answers["apps.connections.open"] = {"ok": True, "url": url}
    gate = Gate()
    gate.answers = [RuntimeError(), BoltResponse(status=503, body=""), BoltResponse(status=200, body={"text": "hi"})]
    socket = Socket("xapp-1-A1-x", client("xoxb-1", api.url), gate)  # type: ignore[arg-type]
    await socket.start()
    server = await asyncio.wait_for(api.sockets.get(), 5)
    for number in range(3):
        envelope = {"type": "slash_commands", "envelope_id": f"e{number}", "payload": COMMAND}
        await server.send_json(envelope | {"accepts_response_payload": True})
    ack = await asyncio.wait_for(api.acked.get(), 5)
    await socket.stop()
    await api.server.close()
    assert ack == {"envelope_id": "e2", "payload": {"text": "hi"}}
    assert gate.admitted == [COMMAND] * 3
    assert api.acked.empty()


@pytest.mark.parametrize(("token", "app"), [("xapp-1-A012-3-x", "A012"), ("xapp-1", None), ("xoxb-1-A012-3", None)])
def test_an_app_level_token_names_its_app(token: str, app: str | None) -> None:
    """Payloads can be compared with the app even where Slack does not tell its id."""
    assert app_of(token) == app
