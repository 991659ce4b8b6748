"""Requests in memory, and cards that nobody sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.approvals import Approval, Copy, State, Vote
from bot.approvals.states import OPEN
from bot.errors import ApproversUnknown, TooLargeToShow
from oauth import SlackUser


class StoreAway(Exception):
    """The store cannot be reached."""


@dataclass
class _Row:
    approval: Approval
    due_at: datetime | None
    entry_until: datetime | None = None
    lease_until: datetime | None = None
    speaking_until: datetime | None = None
    speaking_by: str | None = None
    quiet_until: datetime | None = None


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
        self._rows[key] = _Row(approval, approval.created_at)

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
        vote: Vote | None = None,
        not_before: datetime | None = None,
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
        if vote is not None and (held.revision != approval.revision or _late(held, now)):
            return None
        known = audited_only and approval.audited and held.revision == approval.revision
        if (lease_over and not _past(row.lease_until, now)) or (audited_only and not held.audited and not known):
            return None
        row.approval = replace(
            held,
            state=target,
            revision=held.revision + 1,
            attempts=0,
            tries=held.tries + (target is State.EXECUTING),
            votes=(*held.votes, vote) if vote else held.votes,
            not_before=not_before or held.not_before,
            audited=audited_only or (held.audited and entry_until is None),
            reason=reason if reason is not None else held.reason,
            result=result if result is not None else held.result,
        )
        row.due_at, row.quiet_until, row.lease_until = lease_until or now, None, lease_until
        row.entry_until = entry_until or row.entry_until
        return row.approval

    async def confirm(self, approval: Approval, slack: SlackUser) -> None:
        """The person has typed what is wanted."""
        await self._reach("confirm")
        row = self._rows[_key(approval)]
        row.approval = replace(row.approval, confirmed=row.approval.confirmed | {slack.key})

    async def comment(self, approval: Approval, note: str, *, now: datetime) -> Approval | None:
        """What the decider says, once."""
        await self._reach("comment")
        row = self._rows[_key(approval)]
        if row.approval.revision != approval.revision or row.approval.note is not None:
            return None
        row.approval = replace(row.approval, note=note, told=False, attempts=0, revision=row.approval.revision + 1)
        row.due_at, row.quiet_until = now, None
        return row.approval

    async def remind(self, approval: Approval) -> bool:
        """The right to remind."""
        await self._reach("remind")
        row = self._rows[_key(approval)]
        first = row.approval.state is State.PENDING and not row.approval.reminded
        row.approval = replace(row.approval, reminded=row.approval.reminded or first)
        return first

    async def claim_poll(self, approval: Approval, now: datetime, until: datetime) -> bool:
        """The right to ask the provider."""
        await self._reach("claim_poll")
        row = self._rows[_key(approval)]
        if row.approval.state is not State.PENDING or not _past(row.approval.poll_at, now):
            return False
        row.approval = replace(row.approval, poll_at=until)
        row.due_at = until
        return True

    async def poll_again(self, approval: Approval, at: datetime, asked: str | None) -> None:
        """Not before then."""
        await self._reach("poll_again")
        row = self._rows[_key(approval)]
        if row.approval.state is State.PENDING:
            row.approval = replace(row.approval, poll_at=at, asked=asked or row.approval.asked)
            row.due_at = at

    async def claim_entry(self, approval: Approval, now: datetime, until: datetime) -> bool:
        """The right to write the entries that are owed."""
        await self._reach("claim_entry")
        row = self._rows[_key(approval)]
        same = row.approval.revision == approval.revision
        if not same or row.approval.audited or not _past(row.entry_until, now):
            return False
        row.entry_until = until
        return True

    async def audited(self, approval: Approval) -> None:
        """The entries of this revision are written."""
        await self._reach("audited")
        row = self._rows[_key(approval)]
        if row.approval.revision == approval.revision:
            row.approval = replace(row.approval, audited=True)

    async def beat(self, approval: Approval, until: datetime) -> None:
        """The executing process lives."""
        await self._reach("beat")
        row = self._rows[_key(approval)]
        if row.approval.state is State.EXECUTING:
            row.lease_until = row.due_at = until

    async def claim_outbox(self, approval: Approval, speaker: str, now: datetime, until: datetime) -> Approval | None:
        """The right to speak."""
        await self._reach("claim_outbox")
        row = self._rows.get(_key(approval))
        if row is None or not _past(row.speaking_until, now) or not _past(row.quiet_until, now):
            return None
        row.speaking_until, row.speaking_by = until, speaker
        row.approval = replace(row.approval, turns=row.approval.turns + 1)
        return row.approval

    async def said(
        self,
        approval: Approval,
        speaker: str,
        copies: tuple[Copy, ...],
        *,
        told: bool,
        quiet_until: datetime | None = None,
        due_at: datetime | None = None,
    ) -> Approval | None:
        """What people see now."""
        await self._reach("said")
        row = self._rows[_key(approval)]
        if row.speaking_by != speaker:
            return None
        attempts = 0 if quiet_until is None else approval.attempts + 1
        same = row.approval.revision == approval.revision
        row.approval = replace(row.approval, copies=copies, attempts=attempts, told=told if same else row.approval.told)
        row.speaking_until = row.speaking_by = None
        row.quiet_until = quiet_until
        if same and approval.audited:
            row.due_at = due_at
        return row.approval

    async def put_off(self, approval: Approval, due_at: datetime | None) -> None:
        """Nothing to do before then."""
        await self._reach("put_off")
        row = self._rows[_key(approval)]
        if row.approval.revision == approval.revision and row.approval.audited:
            row.due_at = due_at

    async def open_of(self, slack: SlackUser) -> list[Approval]:
        """What a person has open."""
        await self._reach("open_of")
        if self.outdated is not None:
            found, self.outdated = self.outdated, None
            return found
        rows = [row.approval for row in self._rows.values()]
        mine = [one for one in rows if one.requester.key == slack.key and one.state in OPEN]
        return sorted(mine, key=lambda one: one.created_at)[:100]

    async def for_others(self, workspace: str) -> list[Approval]:
        """What waits for somebody else."""
        await self._reach("for_others")
        rows = [row.approval for row in self._rows.values()]
        found = [one for one in rows if one.policy.kind == "other" and one.state is State.PENDING]
        found = [one for one in found if one.requester.workspace == workspace]
        return sorted(found, key=lambda one: one.created_at)[:100]

    async def voted_by(self, slack: SlackUser) -> list[Approval]:
        """What is open and has a vote of this person."""
        await self._reach("voted_by")
        rows = [row.approval for row in self._rows.values()]
        open_ = [one for one in rows if one.policy.kind == "other" and one.state in OPEN]
        return [one for one in open_ if any(vote.by.key == slack.key for vote in one.votes)]

    async def links_in_use(self) -> set[tuple[SlackUser, str]]:
        """Of what is open."""
        await self._reach("links_in_use")
        rows = [row.approval for row in self._rows.values() if row.approval.state in OPEN]
        asked = {(one.requester, one.link_version) for one in rows}
        return asked | {(vote.by, vote.link_version) for one in rows for vote in one.votes}

    async def unsettled(self, now: datetime) -> AsyncIterator[tuple[Approval, datetime | None]]:
        """Whatever may need a step."""
        await self._reach("unsettled")
        for row in sorted(self._rows.values(), key=lambda row: row.due_at or now):
            if row.due_at is not None and row.due_at <= now:
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
    deaf: set[str] = field(default_factory=set)
    reminded: list[tuple[str, str]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def check(self, approval: Approval) -> None:
        """As a card that is full."""
        if self.too_large:
            raise TooLargeToShow

    async def show(self, approval: Approval, copy: Copy) -> Copy:
        """Post or update; a copy without a place is a new one."""
        self.asked += 1
        self.begun.set()
        await self._slack()
        if copy.to in self.deaf:
            raise ConnectionError("xoxb-canary")
        if not copy.posted:
            self.posted.append(approval)
            ts = f"1700000000.{len(self.posted):06d}"
            return replace(copy, channel=f"D{copy.to}", ts=ts, shown=approval.revision)
        self.updated.append(approval)
        return replace(copy, shown=approval.revision)

    async def tell(self, approval: Approval) -> None:
        """The outcome."""
        await self._slack()
        assert approval.state.final
        self.told.append(approval)

    async def remind(self, approval: Approval, copy: Copy) -> None:
        """That time is short."""
        await self._slack()
        self.reminded.append((approval.id, copy.to))

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


def _late(held: Approval, now: datetime) -> bool:
    return held.state is State.PENDING and now >= held.expires_at


def _past(at: datetime | None, now: datetime) -> bool:
    return at is None or at <= now


@dataclass
class FakeGroups:
    """Slack's user groups: who is in which, as a test changes it."""

    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    away: bool = False

    async def members(self, workspace: SlackUser, group: str) -> frozenset[str]:
        """Who is in it now; nobody where there is none of that id."""
        await asyncio.sleep(0)
        if self.away:
            raise ApproversUnknown
        return self.groups.get(group, frozenset())
