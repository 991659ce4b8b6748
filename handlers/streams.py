"""Task cards that fill while somebody looks on: Slack's streamed messages (docs.slack.dev, "chat.startStream").

A stream answers a message, in its thread. Slack ends it after some five minutes, whatever is said until then, and
refuses it where the workspace, the app or the place is not made for it; then messages are edited instead.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.work import Place, Running, TooFast, View
from handlers.work_cards import Chunk, plan_title, task_chunks
from handlers.workspace import PASSING, reason_of
from oauth import Clock, SlackUser

log = structlog.get_logger(__name__)

_REMEMBERED = timedelta(hours=1)
_MOST = 4096


class StreamingWorkspaces:
    """Where streams are refused, for an hour: then it is tried again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: dict[str, datetime] = {}

    def streams(self, slack: SlackUser) -> bool:
        """Whether it is worth trying."""
        until = self._refused.get(slack.workspace)
        return until is None or self._clock() >= until

    def refused(self, slack: SlackUser) -> None:
        """It is not, for a while."""
        if len(self._refused) >= _MOST:
            self._refused.clear()
        self._refused[slack.workspace] = self._clock() + _REMEMBERED


class Stream:
    """The task cards of one run. Each call says only what has changed."""

    def __init__(self, running: Running, workspaces: StreamingWorkspaces) -> None:
        self._running = running
        self._workspaces = workspaces
        self._at: Place | None = None
        self._over = False
        self._said: dict[str, Chunk] = {}

    @property
    def live(self) -> bool:
        """Whether people see task cards that go on."""
        return self._at is not None and not self._over

    async def show(self, web: AsyncWebClient, under: Place, view: View) -> None:
        """Begin it, add to it, or end it. Raises TooFast; all else that goes wrong ends it."""
        if self._over or (self._at is None and not self._worth_it(view)):
            return
        chunks = self._news(view)
        try:
            await self._sent(web, under, view, chunks)
        except SlackApiError as refusal:
            wait = pause_of(refusal)
            if wait is not None:
                raise TooFast(wait) from None
            self._refused(refusal)
        except Exception as error:  # the network; whether it arrived is not known, and edits do as well
            self._over = True
            log.warning("stream_lost", run=self._running.run, kind=type(error).__name__)
        else:
            self._said |= {chunk.get("id", "plan"): chunk for chunk in chunks}

    def _worth_it(self, view: View) -> bool:
        something = bool(view.progress.steps) or view.progress.text is not None
        return something and view.outcome is None and self._workspaces.streams(self._running.requester)

    async def _sent(self, web: AsyncWebClient, under: Place, view: View, chunks: list[Chunk]) -> None:
        if self._at is None:
            begun: Any = await web.chat_startStream(
                channel=under.channel,
                thread_ts=under.ts,
                recipient_user_id=self._running.requester.user,
                recipient_team_id=self._running.requester.team,
                task_display_mode="plan",
                chunks=chunks,
            )
            self._at = Place(under.channel, begun["ts"])
        elif view.outcome is not None:
            await web.chat_stopStream(channel=self._at.channel, ts=self._at.ts, chunks=chunks or None)
            self._over = True
        elif chunks:
            await web.chat_appendStream(channel=self._at.channel, ts=self._at.ts, chunks=chunks)

    def _refused(self, refusal: SlackApiError) -> None:
        reason = reason_of(refusal)
        if self._at is None and reason is not None and reason not in PASSING:
            self._workspaces.refused(self._running.requester)
        self._over = True
        log.info("stream_refused", run=self._running.run, error=reason, begun=self._at is not None)

    def _news(self, view: View) -> list[Chunk]:
        every = [{"type": "plan_update", "title": plan_title(self._running, view)}, *task_chunks(self._running, view)]
        return [chunk for chunk in every if self._said.get(chunk.get("id", "plan")) != chunk]


def pause_of(refusal: SlackApiError) -> float | None:
    """How long Slack wants not to be asked, in seconds, where that is what it says; else None."""
    answer: Any = refusal.response
    if getattr(answer, "status_code", None) != 429:
        return None
    headers = {str(name).lower(): value for name, value in dict(getattr(answer, "headers", None) or {}).items()}
    try:
        return max(1.0, float(headers.get("retry-after", 1)))
    except (TypeError, ValueError):
        return 1.0
