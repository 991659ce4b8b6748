"""A Web API of a few methods on a real socket, for what the sandbox does not do: odd answers and Socket Mode."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

Answer = dict[str, Any] | web.Response


class SlackApi:
    """Answers each method with what a test says; keeps what was asked."""

    def __init__(self, **answers: Answer | Callable[[dict[str, Any]], Answer]) -> None:
        """Method names with `_` for `.`."""
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.bearers: dict[str, str] = {}
        self.peers: list[object] = []
        self.acked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sockets: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        app = web.Application()
        app.router.add_post("/api/{method}", self._answer)
        app.router.add_get("/socket", self._socket)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        """The base of the Web API."""
        return str(self.server.make_url("/api/"))

    async def _answer(self, request: web.Request) -> web.Response:
        given = await request.json() if request.content_type == "application/json" else dict(await request.post())
        method = request.match_info["method"]
        self.calls.append((method, given))
        self.peers.append(request.transport and request.transport.get_extra_info("peername"))
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and bearer:
            self.bearers[method] = bearer
        answer = self.answers.get(method, {"ok": False, "error": "unknown_method"})
        answer = answer(given) if callable(answer) else answer
        return answer if isinstance(answer, web.Response) else web.json_response(answer)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        await self.sockets.put(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data.startswith("{"):
                await self.acked.put(json.loads(message.data))
        return socket
