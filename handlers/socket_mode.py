"""Socket Mode: the same payloads through a WebSocket that we open (docs.slack.dev, "Using Socket Mode")."""

from __future__ import annotations

import json
from typing import Any

import structlog
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from handlers.gate import Gate

log = structlog.get_logger(__name__)


def app_of(app_token: str) -> str | None:
    """The app's id, which an app-level token names: `xapp-1-A012ABC-…`."""
    parts = app_token.split("-")
    return parts[2] if len(parts) > 3 and parts[0] == "xapp" else None


class Socket:
    """One connection; Slack's client opens it anew when it ends."""

    def __init__(self, app_token: str, web: AsyncWebClient, gate: Gate) -> None:
        self._gate = gate
        self._app_token = app_token
        self._web = web
        self._client: SocketModeClient | None = None

    async def start(self) -> None:
        """Connect. Raises what the network or Slack raises."""
        self._client = SocketModeClient(self._app_token, web_client=self._web)
        self._client.socket_mode_request_listeners.append(self._heard)
        await self._client.connect()  # type: ignore[no-untyped-call]

    async def stop(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]

    async def _heard(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        try:
            answer = await self._gate.admit(dict(request.payload))
        except Exception as error:  # not acknowledged, so Slack sends it again
            log.error("payload_failed", kind=type(error).__name__)
            return
        if answer.status >= 500:
            return
        body: dict[str, Any] | None = json.loads(answer.body) if (answer.body or "").startswith("{") else None
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id, payload=body))
