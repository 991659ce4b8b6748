"""What is said in Slack about a request: one speaker at a time, repeated with growing pauses until it is shown."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import structlog

from bot.approvals.model import Approval, Copy, Part
from bot.approvals.ports import ApprovalStore
from bot.approvals.states import behind, due_at, unsaid
from oauth import Clock

log = structlog.get_logger(__name__)

_Said = TypeVar("_Said")
_SPEAKING = timedelta(seconds=15)  # longer than a card and an answer can take together
_LONGEST_PAUSE = 300.0
_MOST = 50  # some four hours of trying
_TURNS = 5


class Unreachable(Exception):
    """Nobody is there any more whom anything could be shown to: the bot was removed from the workspace."""


class Cards(Protocol):
    """What people see of a request. Both that speak raise Unreachable where trying again is of no use."""

    async def check(self, approval: Approval) -> None:
        """Raises TooLargeToShow where the card cannot show all of it."""

    async def show(self, approval: Approval, copy: Copy) -> Copy:
        """Post a copy of the card, or bring it up to date where it is; the copy as it is then.

        That may take more than one step, and each gets the copy that the one before gave.

        Where its place is not known and this is not the first of `approval.turns`, an earlier post may have arrived
        although its answer did not, or whoever posted it was killed.
        """

    async def tell(self, approval: Approval) -> None:
        """Tell the requester how it ended."""

    async def remind(self, approval: Approval, copy: Copy) -> None:
        """Say to whom this copy is for that the time to decide is nearly over."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """What people see after one turn; `failed` if something is left unsaid, `in_vain` if it will stay so."""

    copies: tuple[Copy, ...]
    told: bool
    failed: bool
    in_vain: bool = False


class Outbox:
    """Speaks about requests. Nothing that goes wrong here may end a request."""

    def __init__(self, store: ApprovalStore, cards: Cards, clock: Clock, patience: float) -> None:
        """`patience` in seconds, for one call to Slack."""
        self._store = store
        self._cards = cards
        self._clock = clock
        self._patience = patience
        self._speaking: set[asyncio.Task[None]] = set()

    async def speak(self, approval: Approval) -> None:
        """Say what is unsaid, unless somebody is at it or a pause is on."""
        if not unsaid(approval):
            return
        # The caller may go away, but between Slack's answer and our note nothing may be cancelled: a card whose
        # place nobody knows would be posted again.
        task = asyncio.create_task(self._spoken(approval))
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)
        await asyncio.shield(task)

    async def remind(self, approval: Approval) -> None:
        """To each copy with buttons. A reminder that gets lost is lost: the card itself says until when."""
        for copy in approval.copies:
            voted = any(vote.by.user == copy.to for vote in approval.votes)
            if copy.part is not Part.REQUESTER and copy.posted and not voted:
                try:
                    await self._within_patience(self._cards.remind(approval, copy), "reminder_lost", approval)
                except Unreachable:
                    return

    async def close(self) -> None:
        """Wait for what is being said."""
        if self._speaking:
            await asyncio.wait(self._speaking, timeout=_SPEAKING.total_seconds())

    async def _spoken(self, approval: Approval) -> None:
        try:
            for _ in range(_TURNS):
                if not await self._turn(approval):
                    return
        except Exception as error:  # the store is away: the round comes back to it
            log.warning("outbox_away", approval=approval.id, kind=type(error).__name__)

    async def _turn(self, approval: Approval) -> bool:
        """Say how it stands; whether it has changed meanwhile, so that there is more to say."""
        now = self._clock()
        speaker = secrets.token_hex(8)
        current = await self._store.claim_outbox(approval, speaker, now, now + _SPEAKING)
        if current is None:
            return False
        turn = await self._say(current)
        given_up = turn.in_vain or (turn.failed and current.state.final and current.attempts + 1 >= _MOST)
        if given_up:
            log.error("card_given_up", approval=current.id, attempts=current.attempts + 1)
        pause = timedelta(seconds=min(_LONGEST_PAUSE, 2.0 ** min(current.attempts + 1, 10)))
        quiet_until = self._clock() + pause if turn.failed else None
        latest = await self._store.said(
            current,
            speaker,
            turn.copies,
            told=turn.told,
            quiet_until=quiet_until,
            due_at=quiet_until if turn.failed and not given_up else due_at(current, now),
        )
        return latest is not None and latest.revision != current.revision and not turn.failed

    async def _say(self, current: Approval) -> _Turn:
        """The copies side by side, since one person's may be out of reach; the requester last, of what is shown."""
        try:
            copies = tuple(await asyncio.gather(*(self._copied(current, copy) for copy in current.copies)))
            told = current.told
            if current.state.final and not told:
                told = await self._within_patience(self._told(current), "requester_not_told", current) is True
        except Unreachable:
            return _Turn(current.copies, current.told, failed=True, in_vain=True)
        failed = any(behind(current, copy) for copy in copies) or (current.state.final and not told)
        return _Turn(copies, told, failed=failed)

    async def _copied(self, current: Approval, copy: Copy) -> Copy:
        latest = copy  # what was done before something went wrong is not done again

        async def steps() -> None:
            nonlocal latest
            while behind(current, latest):
                latest = await self._cards.show(current, latest)

        await self._within_patience(steps(), "card_not_shown", current)
        return latest

    async def _told(self, current: Approval) -> bool:
        await self._cards.tell(current)
        return True

    async def _within_patience(self, saying: Coroutine[Any, Any, _Said], event: str, current: Approval) -> _Said | None:
        try:
            async with asyncio.timeout(self._patience):
                return await saying
        except Unreachable:
            raise
        except Exception as error:  # Slack's refusals are many; none of them may end the request
            log.warning(event, approval=current.id, attempts=current.attempts + 1, kind=type(error).__name__)
            return None
