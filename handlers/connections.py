"""Slack's picture of who is connected, kept true; and what Slack's own "Connect" and "Disconnect" ask for.

(docs.slack.dev, "Connection reporting", "user_connection", "apps.user.connection.update".)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from bot.tasks import Tasks
from handlers import cards, connect
from handlers.answering import Ack
from handlers.connect import ConnectUi, Refusals
from handlers.errors import words
from handlers.invitations import Invitations
from handlers.post import Post
from handlers.speaker import Speaker
from handlers.workspace import NotInstalled, Workspaces, reason_of
from oauth import Clock, LinkEvent, Links, SlackUser

log = structlog.get_logger(__name__)

UPDATE = "apps.user.connection.update"
_CHANGES = {"link.completed", "link.revoked"}
# Nobody is there any more of whom Slack could be told.
_GONE = {"deactivated", "uninstalled"}
_PASSING = {None, "fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"}
_OF_ONE_PERSON = {"user_not_found", "user_not_visible"}
_TURNS = 5
_FIRST, _TRIES = timedelta(seconds=15), 8
_MOST = 4096


@dataclass(frozen=True, slots=True)
class _Late:
    """What Slack could not be told of a person; tried again at `due`."""

    slack: SlackUser
    due: datetime
    tries: int


class Reports:
    """Tells Slack of each person whether they are linked, as it is when it is told."""

    def __init__(self, links: Links, workspaces: Workspaces, refusals: Refusals, clock: Clock) -> None:
        self._links = links
        self._workspaces = workspaces
        self._refusals = refusals
        self._clock = clock
        self._busy: dict[str, bool] = {}
        self._late: OrderedDict[str, _Late] = OrderedDict()

    async def heard(self, event: LinkEvent) -> None:
        """Something happened to a link."""
        if event.slack is not None and event.type in _CHANGES and event.reason not in _GONE:
            await self.report(event.slack)

    async def report(self, slack: SlackUser) -> None:
        """Tell Slack, one call at a time for a person, until what was told last is what is true after it.

        Another replica may tell at the same moment; so whoever tells looks again afterwards.
        """
        if slack.key in self._busy:
            self._busy[slack.key] = True
            return
        try:
            for _ in range(_TURNS):
                self._busy[slack.key] = False
                told = await self._tell(slack)
                if told is None or (await self._holds(slack, told) and not self._busy[slack.key]):
                    break
        finally:
            del self._busy[slack.key]

    async def see_to(self) -> None:
        """The periodic round: what could not be told is tried again."""
        for late in [late for late in self._late.values() if late.due <= self._clock()]:
            await self.report(late.slack)

    async def _tell(self, slack: SlackUser) -> str | None:
        """What Slack was told, or None where it did not take it."""
        if self._refusals.stands(slack, UPDATE):
            self._late.pop(slack.key, None)
            return None
        try:
            status = await self._status(slack)
            web = await self._workspaces.client(slack)
            await web.api_call(UPDATE, params={"user_id": slack.user, "status": status})
        except NotInstalled:
            self._late.pop(slack.key, None)
            return None
        except SlackApiError as refusal:
            self._refused(slack, reason_of(refusal))
            return None
        except Exception as error:  # the database or the network
            self._again(slack, type(error).__name__)
            return None
        self._late.pop(slack.key, None)
        return status

    async def _holds(self, slack: SlackUser, told: str) -> bool:
        """Whether it is still so. If nobody can look just now, that is seen to later."""
        try:
            return await self._status(slack) == told
        except Exception as error:
            self._again(slack, type(error).__name__)
            return True

    async def _status(self, slack: SlackUser) -> str:
        return "disconnected" if await self._links.principal(slack) is None else "connected"

    def _refused(self, slack: SlackUser, error: str | None) -> None:
        if error in _PASSING:
            self._again(slack, error)
            return
        self._late.pop(slack.key, None)
        if error not in _OF_ONE_PERSON:
            self._refusals.note(slack, UPDATE, error)

    def _again(self, slack: SlackUser, error: str | None) -> None:
        """Later, each time twice as late, and after an hour no more: the next change tells it."""
        former = self._late.pop(slack.key, None)
        tries = former.tries + 1 if former else 1
        if tries > _TRIES:
            log.warning("connection_not_told", error=error)
            return
        self._late[slack.key] = _Late(slack, self._clock() + _FIRST * 2 ** (tries - 1), tries)
        if len(self._late) > _MOST:
            self._late.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Connections:
    """Listeners. The person is whom Slack's signed payload names."""

    ui: ConnectUi
    reports: Reports
    links: Links
    invitations: Invitations
    post: Post
    workspaces: Workspaces
    tasks: Tasks

    def listen(self, bolt: AsyncApp) -> None:
        """Subscribe."""
        bolt.action(connect.CONTROLS)(self.control_used)
        bolt.event("user_connection")(self.asked)
        bolt.event("user_connection_status_requested")(self.status_asked)

    async def control_used(self, ack: Ack) -> None:
        """The block's own button opens the browser by itself; Slack tells us all the same."""
        await ack()

    async def asked(self, event: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody pressed Slack's "Connect" or "Disconnect"."""
        trigger = event.get("trigger_id")
        who = replace(context["speaker"], trigger=trigger if isinstance(trigger, str) else None)
        work = {"connect": self._connect, "disconnect": self._disconnect}.get(event.get("subtype") or "")
        if work is not None:
            self.tasks.spawn(self._said(who, work), "user_connection")

    async def status_asked(self, context: dict[str, Any]) -> None:
        """Slack wants to know how it is."""
        self.tasks.spawn(self.reports.report(context["speaker"].slack), "user_connection")

    async def _said(self, who: Speaker, work: Callable[[Speaker], Awaitable[None]]) -> None:
        """Do it; nobody waits for an answer, so a failure is told in the direct messages."""
        try:
            await work(who)
        except Exception as error:
            await self.post.dm(who.slack, cards.note(words(error)))

    async def _connect(self, who: Speaker) -> None:
        principal = await self.links.principal(who.slack)
        if principal is None:
            invited = await self.invitations.bring(who, fresh=True)
            if not invited.seen:
                await self.post.dm(who.slack, invited.note)
            return
        team = await self.workspaces.name(who.slack)
        if not await self.ui.window(who.slack, who.trigger, connect.connected(principal, team)):
            await self.post.dm(who.slack, cards.status_card(principal, waiting=0, team_name=team))
        await self.reports.report(who.slack)  # had Slack known, it would not have offered it

    async def _disconnect(self, who: Speaker) -> None:
        if await self.links.unlink(who.slack, "unlink"):
            await self.post.dm(who.slack, cards.link_ended("unlink"))
        else:
            await self.reports.report(who.slack)
