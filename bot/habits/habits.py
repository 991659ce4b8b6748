"""Asks the history, and adds to it. Nothing here may keep a request from going on: it is a hint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from bot.habits.model import HistoryStore, unusual
from oauth import Principal, SlackUser

log = structlog.get_logger(__name__)


class Habits:
    """What is out of the ordinary for this person and this action."""

    def __init__(self, store: HistoryStore) -> None:
        self._store = store

    async def unusual(self, principal: Principal, action: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        """Sentences for the card; none where nothing is, or where it cannot be told."""
        try:
            history = await self._store.get(principal.slack.workspace, principal.sub, action)
        except Exception as error:
            log.warning("history_not_read", action=action, kind=type(error).__name__)
            return ()
        return unusual(history, arguments)

    async def carried_out(self, slack: SlackUser, sub: str, action: str, arguments: Mapping[str, Any]) -> None:
        """It was done once more."""
        try:
            history = await self._store.get(slack.workspace, sub, action)
            await self._store.put(slack.workspace, sub, action, history.with_one_more(arguments))
        except Exception as error:
            log.warning("history_not_kept", action=action, kind=type(error).__name__)
