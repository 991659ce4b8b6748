"""Bolt, set up so that it dispatches and does nothing else: what it would check was checked before."""

from __future__ import annotations

import logging

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from handlers.workspace import Installation

log = structlog.get_logger(__name__)


def bolt_app() -> AsyncApp:
    """An app without listeners. It asks Slack nothing of its own accord: `auth.test` was asked at start."""

    async def authorize(context: AsyncBoltContext) -> AuthorizeResult:
        installed: Installation = context["installed"]  # by the gate; the listeners need no token of Bolt's
        return AuthorizeResult(
            enterprise_id=installed.enterprise,
            team_id=installed.team,
            bot_id=installed.bot,
            bot_user_id=installed.bot_user,
        )

    quiet = logging.getLogger("slack_bolt.countersign")
    quiet.setLevel(logging.CRITICAL)  # it logs whole bodies of what nobody handles
    app = AsyncApp(
        logger=quiet,
        authorize=authorize,
        client=AsyncWebClient(),
        request_verification_enabled=False,
        ssl_check_enabled=False,
        url_verification_enabled=False,
    )
    app.error(_failed)
    return app


async def _failed(error: Exception) -> BoltResponse:
    log.error("listener_failed", kind=type(error).__name__)
    return BoltResponse(status=200, body="")
