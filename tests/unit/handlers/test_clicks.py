"""Buttons that lead into the browser: Slack tells us of them all the same."""

from __future__ import annotations

from typing import Any

import pytest
from slack_bolt.request.async_request import AsyncBoltRequest

from handlers import cards
from handlers.clicks import Clicks
from handlers.listening import bolt_app
from handlers.workspace import Installation


@pytest.mark.parametrize("action_id", [cards.LINK_OPEN, cards.ACCOUNT_CONNECT])
async def test_a_button_that_opens_the_browser_is_acknowledged(action_id: str) -> None:
    """And does nothing else; over Socket Mode nobody else would answer, and Slack would show a warning."""
    bolt, nothing = bolt_app(), [None] * 5
    Clicks(*nothing).listen(bolt)  # type: ignore[arg-type]
    body: dict[str, Any] = {
        "type": "block_actions",
        "team": {"id": "T1"},
        "user": {"id": "U1"},
        "actions": [{"type": "button", "block_id": "b", "action_id": action_id}],
    }
    installed = Installation("T1", "Work", "U0BOT", "B0BOT", "A1")
    request = AsyncBoltRequest(mode="socket_mode", body=body, context={"installed": installed})
    assert (await bolt.async_dispatch(request)).status == 200
