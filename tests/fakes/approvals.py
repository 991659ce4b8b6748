"""Requests in memory, and cards that nobody sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.approvals import Approval, CardPlace, State
from bot.approvals.states import OPEN
from bot.errors import TooLargeToShow
from oauth import SlackUser


class StoreAway(Exception):
    """The store cannot be reached."""


@dataclass
class _Row:
    approval: Approval
    entry_until: datetime | None = None
    lease_until: datetime | None = None
    speaking_until: datetime | None = None
    speaking_by: str | None = None
    quiet_until: datetime | None = None
    behind: bool = True
    settled: bool = False


@dataclass
class MemoryApprovalStore:
    """As `MongoApprovalStore`. Each method is one atomic step once it is reached.

    A method whose name is in `away` fails as often as the number beside it says. `outdated` is what `open_of` answers
    once: what was true a moment ago. `spoil` makes a record unreadable.
    """

    away: dict[str, int] = field(default_factory=dict)
    outdated: list[Approval] | None = None
    _rows: dict[str, _Row] = field(default_factory=dict)

    async def add(self, approval: Approval) -> None:
        """A new request; its id is new."""
        await self._reach("add")
        key = _key(approval)
        assert key not in self._rows
        self._rows[key] = _Row(approval)

    async def get(self, workspace: str, id_: str) -> Approval | None:
        """A request of this workspace."""
        await self._reach("get")
        row = self._rows.get(f"{workspace}:{id_}")
        return row.approval if row else None

    async def move(
        self,
        approval: Approval,
        source: State,
        target: State,
        *,
        now: datetime,
        by: SlackUser | None = None,
        reason: str | None = None,
        result: str | None = None,
        entry_until: datetime | None = None,
        lease_until: datetime | None = None,
        lease_over: bool = False,
        audited_only: bool = False,
    ) -> Approval | None:
        """From `source` to `target`, if it still is there."""
        await self._reach("move")
        row = self._rows.get(_key(approval))
        if row is None or row.approval.state is not source:
            return None
        held = row.approval
        if source is State.PENDING and target in {State.APPROVED, State.DENIED} and now >= held.expires_at:
            return None
        if (lease_over and not _past(row.lease_until, now)) or (audited_only and not held.audited):
            return None
        row.approval = replace(
            held,
            state=target,
            revision=held.revision + 1,
            attempts=0,
            tries=held.tries + (target is State.EXECUTING),
            decider=by or held.decider,
            decided_at=now if by else held.decided_at,
            audited=held.audited and entry_until is None,
            reason=reason if reason is not None else held.reason,
            result=result if result is not None else held.result,
        )
        row.settled, row.behind, row.quiet_until, row.lease_until = False, True, None, lease_until
        row.entry_until = entry_until or row.entry_until
        return row.approval

    async def claim_entry(self, approval: Approval, now: datetime, until: datetime) -> bool:
        """The right to write the entry that is owed."""
        await self._reach("claim_entry")
        row = self._rows[_key(approval)]
        if row.approval.state is not approval.state or row.approval.audited or not _past(row.entry_until, now):
            return False
        row.entry_until = until
        return True

    async def audited(self, approval: Approval) -> None:
        """The entry of this state is written."""
        await self._reach("audited")
        row = self._rows[_key(approval)]
        if row.approval.state is approval.state:
            row.approval = replace(row.approval, audited=True)

    async def beat(self, approval: Approval, until: datetime) -> None:
        """The executing process lives."""
        await self._reach("beat")
        row = self._rows[_key(approval)]
        if row.approval.state is State.EXECUTING:
            row.lease_until = until

    async def claim_outbox(self, approval: Approval, speaker: str, now: datetime, until: datetime) -> Approval | None:
        """The right to speak."""
        await self._reach("claim_outbox")
        row = self._rows.get(_key(approval))
        if row is None or not _past(row.speaking_until, now) or not _past(row.quiet_until, now):
            return None
        row.speaking_until, row.speaking_by = until, speaker
        return row.approval

    async def said(
        self,
        approval: Approval,
        speaker: str,
        card: CardPlace | None,
        *,
        told: bool,
        quiet_until: datetime | None = None,
        settled: bool = False,
    ) -> Approval | None:
        """What people see now."""
        await self._reach("said")
        row = self._rows[_key(approval)]
        if row.speaking_by != speaker:
            return None
        attempts = 0 if quiet_until is None else row.approval.attempts + 1
        row.approval = replace(row.approval, card=card, told=told, attempts=attempts)
        row.speaking_until = row.speaking_by = None
        row.quiet_until = quiet_until
        if row.approval.revision == approval.revision:
            row.behind = row.behind and not (card is not None and card.shown == approval.revision)
            row.settled = row.settled or (settled and row.approval.state.final and row.approval.audited)
        return row.approval

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has open."""
        await self._reach("open_of")
        if self.outdated is not None:
            found, self.outdated = self.outdated, None
            return found
        rows = [row.approval for row in self._rows.values()]
        mine = [one for one in rows if one.requester.key == slack.key and one.state in OPEN]
        return sorted(mine, key=lambda one: one.created_at)[:100]

    async def links_in_use(self) -> set[tuple[SlackUser, str]]:
        """Of what is open."""
        await self._reach("links_in_use")
        rows = [row.approval for row in self._rows.values()]
        return {(one.requester, one.link_version) for one in rows if one.state in OPEN}

    async def unsettled(self, now: datetime) -> AsyncIterator[tuple[Approval, datetime | None]]:
        """Whatever may need a step."""
        await self._reach("unsettled")
        for row in sorted(self._rows.values(), key=lambda row: row.approval.created_at):
            quiet = row.approval.state is State.PENDING and not row.behind and row.approval.expires_at > now
            if not row.settled and not quiet:
                yield row.approval, row.lease_until

    def spoil(self, approval: Approval) -> None:
        """Somebody altered the sealed part."""
        row = self._rows[_key(approval)]
        row.approval = replace(row.approval, arguments={}, readable=False)

    def now(self, approval: Approval) -> Approval:
        """The request as it is at rest."""
        return self._rows[_key(approval)].approval

    async def _reach(self, name: str) -> None:
        await asyncio.sleep(0)  # others come in between, as they do on a network
        if self.away.get(name, 0) > 0:
            self.away[name] -= 1
            raise StoreAway


@dataclass
class FakeCards:
    """Slack's side of a request. `failing` refuses everything; while `hangs` is set, an answer never comes."""

    failing: bool = False
    hangs: asyncio.Event | None = None
    posted: list[Approval] = field(default_factory=list)
    updated: list[Approval] = field(default_factory=list)
    told: list[Approval] = field(default_factory=list)
    asked: int = 0
    too_large: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self, approval: Approval) -> None:
        """As a card that is full."""
        if self.too_large:
            raise TooLargeToShow

    async def show(self, approval: Approval) -> CardPlace:
        """Post or update; a card without a place is a new one."""
        self.asked += 1
        self.begun.set()
        await self._slack()
        if approval.card is None:
            self.posted.append(approval)
            return CardPlace("D1", f"1700000000.{len(self.posted):06d}", approval.revision)
        self.updated.append(approval)
        return replace(approval.card, shown=approval.revision)

    async def tell(self, approval: Approval) -> None:
        """The outcome."""
        await self._slack()
        assert approval.state.final
        self.told.append(approval)

    @property
    def shows(self) -> Approval:
        """What the card says now."""
        return max([*self.posted, *self.updated], key=lambda one: one.revision)

    async def _slack(self) -> None:
        if self.hangs is not None:
            await self.hangs.wait()
        if self.failing:
            raise ConnectionError("xoxb-canary")


def _key(approval: Approval) -> str:
    return f"{approval.requester.workspace}:{approval.id}"


def _past(at: datetime | None, now: datetime) -> bool:
    return at is None or at <= now
