"""Approvals on the requester's own device: asked once, heard by one replica at a time, and decided like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from bot.approvals import State
from bot.approvals.devices import binding_message
from bot.approvals.model import Approval
from bot.runner import Waiting
from oauth import Asked, Declined, Evidence, Principal, StillAsked
from oauth.ciba import BINDING
from oauth.errors import NoDevice, ProviderUnavailable, TokenInvalid
from tests.conftest import HandClock
from tests.fakes.runner import ORIGIN, World

JUST_NOW = Evidence(1, ("mfa",))
Came = StillAsked | Declined | Evidence | Exception


@dataclass
class Phones:
    """The provider, as a test says; it refuses to be polled before its interval is over, as a real one does."""

    clock: HandClock
    came: Came = field(default_factory=lambda: StillAsked(5.0))
    refusing: Exception | None = None
    asked: list[tuple[str, str, timedelta]] = field(default_factory=list)
    polls: int = 0
    hasty: int = 0
    _next: Any = None

    async def ask(
        self, principal: Principal, binding_message: str, span: timedelta, details: Mapping[str, Any] | None = None
    ) -> Asked:
        """Note it."""
        assert BINDING.fullmatch(binding_message)
        if self.refusing is not None:
            raise self.refusing
        self.asked.append((principal.sub, binding_message, span))
        return Asked("req-1", self.clock() + timedelta(minutes=2), 5.0)

    async def poll(self, asked: Asked, principal: Principal) -> StillAsked | Declined | Evidence:
        """What came of it."""
        await asyncio.sleep(0)
        self.polls += 1
        self.hasty += self._next is not None and self.clock() < self._next
        self._next = self.clock() + timedelta(seconds=asked.interval)
        if isinstance(self.came, Exception):
            raise self.came
        return self.came


@dataclass
class Desk:
    """Ada, two replicas, and her phone."""

    world: World
    phones: Phones

    def __post_init__(self) -> None:
        self.world.actions = [self.world.deed.action(approval="ciba")]
        self.replicas = [self.world.replica(devices=self.phones) for _ in range(2)]

    async def asks(self) -> Approval:
        """She asks for something."""
        waiting = await self.replicas[0].runner.run(
            self.world.ada, "refund_order", {"order_id": "A-1", "amount": 5}, ORIGIN
        )
        assert isinstance(waiting, Waiting)
        return waiting.approval

    async def round(self, seconds: float = 6.0) -> None:
        """Time goes by, and both replicas make a round."""
        self.world.clock.forward(seconds=seconds)
        await asyncio.gather(*(one.runner.sweep() for one in self.replicas))


@pytest.fixture
def desk(clock: HandClock) -> Desk:
    return Desk(World(clock), Phones(clock))


async def test_it_is_asked_once_and_waits(desk: Desk) -> None:
    """The words on the device are those of this very request, and it lasts as long as the provider says."""
    approval = await desk.asks()
    ((sub, message, _),) = desk.phones.asked
    assert (sub, message) == ("auth0|ada", binding_message("refund_order", approval.digest))
    assert approval.expires_at == desk.world.clock() + timedelta(minutes=2)
    assert desk.world.at_rest(approval).state is State.PENDING
    assert desk.world.tokens.given == []


@pytest.mark.parametrize("name", ["a", "x" * 64, "with_under_scores"])
def test_the_words_fit_every_device(name: str) -> None:
    """64 of a few characters, whatever the action is called."""
    assert BINDING.fullmatch(binding_message(name, "0" * 64))


async def test_what_she_agrees_to_runs_once_with_when_and_how(desk: Desk) -> None:
    """Two replicas poll in turns, never faster than told, and one executes (guard: `claim_poll`)."""
    approval = await desk.asks()
    for seconds in (2.0, 4.0, 2.0, 2.0, 2.0):
        await desk.round(seconds)
    assert (desk.phones.polls, desk.phones.hasty) == (2, 0)
    desk.phones.came = JUST_NOW
    await desk.round()
    assert desk.world.at_rest(approval).state is State.DONE
    assert len(desk.world.deed.calls) == 1
    (entry,) = desk.world.audit.of("approval.approved")
    assert entry["approver"] == {"team": "T1", "user": "UADA", "sub": "auth0|ada", "auth_time": 1, "amr": ["mfa"]}


async def test_slow_down_is_kept_to_by_every_replica(desk: Desk) -> None:
    """The longer pause is stored (guard: `poll_again`)."""
    await desk.asks()
    desk.phones.came = StillAsked(10.0)
    for _ in range(6):
        await desk.round(4.0)
    assert desk.phones.hasty == 0
    assert desk.phones.polls == 2


async def test_a_denial_and_an_end_are_told_apart(desk: Desk) -> None:
    """Denied by her on the device, or nobody looked."""
    for reason, state in (("access_denied", State.DENIED), ("expired_token", State.EXPIRED)):
        approval = await desk.asks()
        desk.phones.came = Declined(reason)
        await desk.round()
        assert desk.world.at_rest(approval).state is state
    assert [one.state for one in desk.world.cards.told] == [State.DENIED, State.EXPIRED]
    assert desk.world.deed.calls == []


async def test_t71_a_provider_that_is_away_is_asked_again(desk: Desk) -> None:
    """With its `Retry-After`; a token that cannot be believed agrees to nothing."""
    approval = await desk.asks()
    desk.phones.came = ProviderUnavailable(30.0)
    await desk.round()
    await desk.round(20.0)
    assert desk.phones.polls == 1
    desk.phones.came = TokenInvalid("sub")
    await desk.round(20.0)
    assert (desk.phones.polls, desk.world.at_rest(approval).state) == (2, State.PENDING)
    desk.phones.came = JUST_NOW
    await desk.round(10.0)
    assert desk.world.at_rest(approval).state is State.DONE


async def test_whoever_cannot_be_asked_leaves_nothing_that_waits(desk: Desk) -> None:
    """The trail says that it was wanted and that it came to nothing (guard: `unasked`)."""
    desk.phones.refusing = NoDevice()
    with pytest.raises(NoDevice):
        await desk.asks()
    assert await desk.replicas[0].approvals.open_of(desk.world.ada.slack) == []
    assert [e["reason"] for e in desk.world.audit.of("approval.cancelled")] == ["no_device"]
    assert len(desk.world.audit.of("action.refused")) == 1
    assert desk.world.cards.asked == 0


async def test_t49_an_agreement_after_the_link_has_ended_runs_nothing(desk: Desk) -> None:
    """It is not even asked for what came of it (guard: the version in `_poll`)."""
    approval = await desk.asks()
    desk.world.links.unlink(desk.world.ada)
    desk.phones.came = JUST_NOW
    await desk.round()
    assert desk.world.at_rest(approval).state is State.CANCELLED
    assert (desk.phones.polls, desk.world.deed.calls) == (0, [])


async def test_t49_an_agreement_that_comes_too_late_runs_nothing(desk: Desk) -> None:
    """The time is over here, whatever the device says."""
    approval = await desk.asks()
    desk.phones.came = JUST_NOW
    await desk.round(121.0)
    assert desk.world.at_rest(approval).state is State.EXPIRED
    assert desk.world.deed.calls == []
