"""Keeps the Home tab true: looks at what there is, and shows it, to one person at a time and not too often.

Two replicas may look at once, and the older picture must not be what stays. Slack names each state of a tab by a
hash and refuses a picture that was made for another state (docs.slack.dev, "views.publish", `hash_conflict`). Where
the state is not known, the picture takes any other's place, and then one more look tells whether it is true.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from slack_sdk.errors import SlackApiError

from bot.actions.registry import Registry
from bot.approvals.model import Approval
from bot.approvals.service import ApprovalService
from bot.audit.ports import AuditStore
from bot.tasks import Tasks
from handlers import cards
from handlers.message import Block, Message
from handlers.people import Guest, NoPerson, People, PersonUnknown
from handlers.speaker import Speaker
from handlers.tab import view as home_view
from handlers.workspace import Workspaces, reason_of
from oauth import Clock, IdentityError, LinkEvent, Linking, Links, SlackUser

log = structlog.get_logger(__name__)

_PACE, _SETTLES = 1.0, 0.5  # seconds
_STAYS = timedelta(minutes=10)
_NOTED = timedelta(hours=1)
_ENTRIES = 50
_MOST_PEOPLE = 1024
_TURNS = 5
# Nobody is there any more who could look.
_GONE = {"deactivated", "uninstalled"}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a picture comes from."""

    links: Links
    linking: Linking
    people: People
    approvals: ApprovalService
    registry: Registry
    audit: AuditStore
    workspaces: Workspaces

    async def look(self, slack: SlackUser, said: Message | None) -> list[Block]:
        """The tab as it should be now; `said` is the answer to what the person did last."""
        principal = await self.links.principal(slack)
        signed_in = None
        with suppress(IdentityError):  # what does not open is no login that could be finished
            signed_in = await self.linking.pending(slack)
        picture = home_view.Picture(
            team_name=await self.workspaces.name(slack),
            principal=principal,
            outsider=principal is None and await self._is_outsider(slack),
            said=said,
            login_until=await self.linking.open_until(slack),
            signed_in=(signed_in.email or signed_in.name or signed_in.sub) if signed_in else None,
            waiting=await self.approvals.concerning(principal) if principal else (),
            actions=list(self.registry),
            codes=self.linking.takes_codes,
            entries=await self.audit.of_person(slack.workspace, slack.user, _ENTRIES),
        )
        return home_view.home(picture)

    async def _is_outsider(self, slack: SlackUser) -> bool:
        """Slack's event does not say whose workspace the person is of, so Slack is asked."""
        try:
            await self.people.profile(Speaker(slack, None, external=False))
        except Guest:
            return True
        except (NoPerson, PersonUnknown):
            pass  # whoever asks for a link is told
        return False


class Openings(Protocol):
    """Remembers for all replicas who looks at their tab; nobody else's has to be kept true."""

    async def opened(self, slack: SlackUser, now: datetime) -> None:
        """They look at it now."""

    async def lately(self, slack: SlackUser, now: datetime) -> bool:
        """Whether they may have it before them."""


@dataclass(slots=True)
class _Tab:
    """One person's tab as this replica knows it: `hash` of the state it is in, `free_at` for the next picture.

    `acted` is when the person was last seen to do something in it, `noted` when that was last written down for others.
    """

    slack: SlackUser
    hash: str | None = None
    said: Message | None = None
    said_at: datetime | None = None
    wanted: bool = False
    free_at: float = 0.0
    acted: datetime | None = None
    noted: datetime | None = None
    keeper: asyncio.Task[bool] | None = field(default=None, repr=False)


class HomeTab:
    """Everybody's tab. What is remembered here only saves calls and keeps answers in sight; all else is looked up."""

    def __init__(
        self,
        sources: Sources,
        tasks: Tasks,
        clock: Clock,
        openings: Openings | None = None,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Without `openings` every tab is kept true. `pause` is how this waits, in seconds."""
        self._sources = sources
        self._openings = openings
        self._tasks = tasks
        self._clock = clock
        self._pause = pause
        self._tabs: OrderedDict[str, _Tab] = OrderedDict()

    def say(self, slack: SlackUser, said: Message | None) -> asyncio.Task[bool]:
        """Show what is true, and on top the answer to what the person did; the former answer goes.

        The task tells whether Slack took it.
        """
        tab = self._of(slack)
        tab.acted = tab.said_at = self._clock()
        tab.said = said
        return self.renew(slack)

    def forget(self, slack: SlackUser) -> None:
        """The person does something else: what was said before is not shown again."""
        self._of(slack).said = None

    async def opened(self, slack: SlackUser, seen: str | None = None) -> None:
        """The person looks at it; `seen` is the hash of what they see, where a payload told."""
        self.renew(slack, seen)
        tab, now = self._of(slack), self._clock()
        if self._openings is not None and (tab.noted is None or now - tab.noted > _NOTED):
            await self._openings.opened(slack, now)
            tab.noted = now
        tab.acted = now

    def renew(self, slack: SlackUser, seen: str | None = None) -> asyncio.Task[bool]:
        """Show what is true. `seen` is the hash of what the person looks at, where a payload told."""
        tab = self._of(slack)
        tab.wanted = True
        if tab.keeper is None or tab.keeper.done():
            tab.hash = seen or tab.hash
            tab.keeper = self._tasks.spawn(self._keep(tab), "home")
        return tab.keeper

    async def heard(self, event: LinkEvent) -> None:
        """Something happened to a link."""
        if event.slack is None or event.reason in _GONE:
            return
        if not await self._watched(event.slack):
            return
        if event.type == "link.revoked" and event.reason != "relinked":
            self.say(event.slack, cards.link_ended(event.reason or ""))
        elif event.type == "link.completed":
            self.say(event.slack, None)
        else:
            self.renew(event.slack)

    def changed(self, approval: Approval) -> None:
        """A request stands differently."""
        self._tasks.spawn(self._changed(approval), "home")

    async def _changed(self, approval: Approval) -> None:
        """How it ended is said. One change is soon followed by the next, mostly, so it has a moment to settle."""
        if not await self._watched(approval.requester):
            return
        tab = self._of(approval.requester)
        if tab.keeper is None or tab.keeper.done():
            tab.free_at = max(tab.free_at, asyncio.get_running_loop().time() + _SETTLES)
        if approval.state.final:
            self.say(approval.requester, cards.outcome(approval))
        else:
            self.renew(approval.requester)

    async def _watched(self, slack: SlackUser) -> bool:
        """Whether somebody may have it before them. If that cannot be told now, it is shown."""
        now = self._clock()
        known = self._tabs.get(slack.key)
        if self._openings is None or (known is not None and known.acted is not None and now - known.acted < _NOTED):
            return True
        try:
            return await self._openings.lately(slack, now)
        except Exception as error:
            log.warning("openings_not_read", kind=type(error).__name__)
            return True

    def _of(self, slack: SlackUser) -> _Tab:
        tab = self._tabs.setdefault(slack.key, _Tab(slack))
        tab.slack = slack  # somebody of an organization may look from another of its workspaces
        self._tabs.move_to_end(slack.key)
        if len(self._tabs) > _MOST_PEOPLE:
            self._tabs.popitem(last=False)
        return tab

    async def _keep(self, tab: _Tab) -> bool:
        """Show it until nobody wants it shown anew; whether Slack took the last picture."""
        now = asyncio.get_running_loop().time
        shown = False
        while tab.wanted:
            if (wait := tab.free_at - now()) > 0:
                await self._pause(wait)
            tab.wanted = False
            try:
                shown = await self._show(tab)
            except Exception as error:  # a tab that cannot be shown ends nothing; the next look shows it
                log.warning("home_not_shown", kind=type(error).__name__)
                shown = False
            tab.free_at = now() + _PACE
        return shown

    async def _show(self, tab: _Tab) -> bool:
        """Until the picture that stands is one that was looked at after any other's."""
        for _ in range(_TURNS):
            blocks = await self._look(tab)
            knew = tab.hash is not None
            if await self._put(tab, blocks) and (knew or await self._look(tab) == blocks):
                return True
        log.warning("home_contended")
        return False

    async def _look(self, tab: _Tab) -> list[Block]:
        fresh = tab.said_at is not None and self._clock() - tab.said_at < _STAYS
        return await self._sources.look(tab.slack, tab.said if fresh else None)

    async def _put(self, tab: _Tab, blocks: list[Block]) -> bool:
        """Whether it was taken; not if the tab is in another state than the known one, which is forgotten then."""
        web = await self._sources.workspaces.client(tab.slack)
        known, tab.hash = tab.hash, None
        try:
            answer: Any = await web.views_publish(
                user_id=tab.slack.user, view={"type": "home", "blocks": blocks}, hash=known
            )
        except SlackApiError as refusal:
            if reason_of(refusal) != "hash_conflict":
                raise
            return False
        tab.hash = answer["view"]["hash"]
        return True
