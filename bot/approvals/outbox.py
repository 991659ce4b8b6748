"""What is said in Slack about a request: one speaker at a time, repeated with growing pauses until it is shown."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import structlog

from bot.approvals.model import Approval, CardPlace
from bot.approvals.ports import ApprovalStore
from bot.approvals.states import unsaid
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

    def check(self, approval: Approval) -> None:
        """Raises TooLargeToShow where the card cannot show all of it."""

    async def show(self, approval: Approval) -> CardPlace:
        """Post the card, or update it where `approval.card` says that it is.

        With no card and `attempts` above zero, an earlier post may have arrived although its answer did not.
        """

    async def tell(self, approval: Approval) -> None:
        """Tell the requester how it ended."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """What people see after one turn; `failed` if something is left unsaid, `in_vain` if it will stay so."""

    card: CardPlace | None
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
        latest = await self._store.said(
            current,
            speaker,
            turn.card,
            told=turn.told,
            quiet_until=self._clock() + pause if turn.failed else None,
            settled=current.state.final and (given_up or not turn.failed),
        )
        return latest is not None and latest.revision != current.revision and not turn.failed

    async def _say(self, current: Approval) -> _Turn:
        card, told = current.card, current.told
        shown = card is not None and card.shown == current.revision
        try:
            if not shown:
                posted = await self._within_patience(self._cards.show(current), "card_not_shown", current)
                card, shown = posted or card, posted is not None
            if current.state.final and not told:
                told = await self._within_patience(self._told(current), "requester_not_told", current) is True
        except Unreachable:
            return _Turn(card, told, failed=True, in_vain=True)
        return _Turn(card, told, failed=not shown or (current.state.final and not told))

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
