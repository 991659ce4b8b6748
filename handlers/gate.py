"""The last door before the listeners: payloads of this app and workspace, each once, by people who may speak."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.audit.writer import AuditWriter
from bot.errors import AuditUnavailable
from bot.tasks import Tasks
from handlers import cards
from handlers.life_cycle import LifeCycle, event_of
from handlers.message import Message
from handlers.speaker import Kind, Speaker, source, speaker
from handlers.workspace import Installation, NotKnownYet, Workspaces
from oauth import Clock, SlackUser

log = structlog.get_logger(__name__)

# What only reads needs no claim, and so no write before the answer.
READ_ONLY = frozenset({"", "status", "actions", "approvals", "audit", "help"})
_QUIET = timedelta(minutes=1)
_PATIENCE = 2.0


class Deliveries(Protocol):
    """Remembers what was delivered."""

    async def first(self, workspace: str, claim: str, now: datetime) -> bool:
        """Whether this delivery is seen for the first time."""


class Answers(Protocol):
    """Says something that only one person sees."""

    async def answer(self, response_url: str, message: Message) -> bool:
        """Whether Slack took it."""

    async def whisper(self, slack: SlackUser, channel: str, message: Message) -> None:
        """To one person in a channel."""


class Gate:
    """Both ways in lead through it, HTTP and Socket Mode."""

    def __init__(
        self,
        *,
        bolt: AsyncApp,
        workspaces: Workspaces,
        deliveries: Deliveries,
        audit: AuditWriter,
        post: Answers,
        tasks: Tasks,
        life_cycle: LifeCycle,
        external: Literal["deny", "allow"],
        clock: Clock,
    ) -> None:
        self._bolt = bolt
        self._workspaces = workspaces
        self._deliveries = deliveries
        self._audit = audit
        self._post = post
        self._tasks = tasks
        self._life_cycle = life_cycle
        self._external = external
        self._clock = clock
        self._said_at: datetime | None = None

    async def admit(self, payload: dict[str, Any], signature: str | None = None) -> BoltResponse:
        """The answer to a payload whose signature holds; over Socket Mode there is none."""
        found = source(payload)
        try:
            installed = await self._workspaces.find(found.team, found.enterprise)
        except NotKnownYet:
            return BoltResponse(status=503, body="")
        # The signing secret is the app's own, so a payload that names no app is ours by its signature.
        if installed is None or (None not in {found.app, installed.app} and found.app != installed.app):
            # Nobody of ours has asked, so nothing is said; the trail keeps that it was tried.
            await self._audit.append("action.refused", "denied", reason="foreign_origin", request=_short(found.claim))
            return BoltResponse(status=200, body="")
        event = event_of(payload)
        if event is not None:
            return await self._heard(payload, event, installed)
        who = speaker(payload, installed)
        if who is None or _is_own(payload, installed):
            return BoltResponse(status=200, body="")
        if who.external and self._external == "deny":
            return await self._turn_away(who, spoken=_is_spoken(payload))
        # Slack delivers an event again under the same id. A command or a click it delivers once, so the same bytes
        # under the same signature are a replay.
        claim = signature if signature and found.kind is not Kind.EVENT else found.claim
        if claim and not _only_reads(payload):
            key = f"{found.kind}:{claim}"
            if not await self._deliveries.first(installed.person("").workspace, key, self._clock()):
                return BoltResponse(status=200, body="")
        request = AsyncBoltRequest(mode="socket_mode", body=payload, context={"speaker": who, "installed": installed})
        return await self._bolt.async_dispatch(request)

    async def _heard(self, payload: dict[str, Any], event: Mapping[str, Any], installed: Installation) -> BoltResponse:
        """What Slack itself says. It ends something, so it is done before the ack if the time allows."""
        work = self._tasks.spawn(self._life_cycle.heard(payload, event, installed), str(event["type"]))
        await asyncio.wait({work}, timeout=_PATIENCE)
        failed = work.done() and work.exception() is not None
        return BoltResponse(status=503 if failed else 200, body="")

    async def unsigned(self, reason: str) -> None:
        """A request that Slack did not sign. One entry a minute: whoever can reach us could fill the trail."""
        now = self._clock()
        log.warning("request_refused", reason=reason)
        if self._said_at is None or now - self._said_at >= _QUIET:
            self._said_at = now
            with suppress(AuditUnavailable):  # it is refused whether the trail takes it or not
                await self._audit.append("action.refused", "denied", reason=reason)

    async def _turn_away(self, who: Speaker, *, spoken: bool) -> BoltResponse:
        await self._audit.append(
            "action.refused", "denied", slack=who.slack, reason="external_user", request=_short(who.request)
        )
        said = cards.note(cards.OUTSIDERS)
        if who.response_url:
            self._tasks.spawn(self._post.answer(who.response_url, said), "turned away")
        elif spoken and who.channel:
            self._tasks.spawn(self._post.whisper(who.slack, who.channel, said), "turned away")
        return BoltResponse(status=200, body="")


def _is_own(payload: Mapping[str, Any], installed: Installation) -> bool:
    event = payload.get("event")
    return isinstance(event, Mapping) and (bool(event.get("bot_id")) or event.get("user") == installed.bot_user)


def _is_spoken(payload: Mapping[str, Any]) -> bool:
    """Whether somebody has said something to the bot, and waits for an answer."""
    event = payload.get("event")
    return isinstance(event, Mapping) and event.get("type") in {"app_mention", "message"} and not event.get("subtype")


def _only_reads(payload: Mapping[str, Any]) -> bool:
    text = payload.get("text")
    if "command" not in payload or not isinstance(text, str):
        return False
    words = text.split(maxsplit=1)
    return (words[0].lower() if words else "") in READ_ONLY


def _short(value: str | None) -> str | None:
    return value[:128] if value else None
