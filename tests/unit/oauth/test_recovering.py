"""What a process was doing when it died is taken up by others, in time."""

from __future__ import annotations

import asyncio

import pytest

from oauth.errors import NotLinked
from oauth.leasing import SECONDS
from oauth.models import Principal, TokenRequest
from tests.fakes.house import ADA, BOB, READ, REFUND, House, token
from tests.fakes.provider import AUDIENCE, Gate


async def die_before_the_save(home: House, ada: Principal) -> None:
    """The provider has answered, and nobody knows it any more."""

    async def killed() -> None:
        raise SystemExit

    home.store.first["save"] = home.store.first["leave"] = killed
    with pytest.raises(SystemExit):
        await home.replica().rooms.refresher.refresh(ada, TokenRequest(AUDIENCE, READ))


async def test_t37_what_a_dead_process_left_is_refreshed_though_nobody_asks(home: House) -> None:
    """The next round spends the old token within the overlap; later it would cost the person their link."""
    ada = await home.link()
    home.provider.overlap = True
    await die_before_the_save(home, ada)
    await home.rooms.sweep()
    assert home.provider.refreshes == 1, "the holder may live yet"
    home.clock.forward(seconds=SECONDS)
    await home.rooms.sweep()
    home.provider.overlap = False
    assert (await token(home, ada)).scopes == READ
    assert home.provider.grants[0].alive


async def test_t37_a_round_takes_up_only_what_was_left(home: House) -> None:
    """Neither a link at rest nor one that is being refreshed, however many rounds there are."""
    ada = await home.link()
    await token(home, ada)
    await home.store.lease(ada, "alive")
    for _ in range(3):
        await home.rooms.sweep()
    assert home.provider.refreshes == 1


async def test_t37_three_replicas_take_it_up_once(home: House) -> None:
    """Their rounds fall together, and one refreshes."""
    ada = await home.link()
    home.provider.overlap = True
    await die_before_the_save(home, ada)
    home.clock.forward(seconds=SECONDS)
    homes = [home, home.replica(), home.replica()]
    await asyncio.gather(*(one.rooms.sweep() for one in homes))
    assert home.provider.refreshes == 2


async def test_t37_who_comes_too_late_leaves_it_alone(home: House) -> None:
    """Found in a round, and taken up by another replica before this one has the lease: not refreshed again."""
    ada = await home.link()
    home.provider.overlap = True
    await die_before_the_save(home, ada)
    home.clock.forward(seconds=SECONDS)
    home.store.first["take_over"] = home.replica().rooms.sweep
    await home.rooms.sweep()
    assert home.provider.refreshes == 2


async def test_t37_a_token_at_hand_does_not_hide_what_was_left(home: House) -> None:
    """Whoever takes the lease after a dead holder refreshes, although another set of scopes was the dead one's."""
    ada = await home.link()
    home.provider.overlap = True
    await token(home, ada, REFUND)
    await die_before_the_save(home, ada)
    home.clock.forward(seconds=SECONDS)
    await home.rooms.refresher.refresh(ada, TokenRequest(AUDIENCE, REFUND), take_over=True)
    assert home.provider.refreshes == 3
    home.provider.overlap = False
    assert (await token(home, ada)).scopes == READ


async def test_t37_what_was_left_stays_to_be_taken_up_through_an_outage(home: House) -> None:
    """The lease runs out instead of being given back, so a later round tries again."""
    ada = await home.link()
    home.provider.overlap = True
    await die_before_the_save(home, ada)
    home.clock.forward(seconds=SECONDS)
    home.provider.away = True
    await home.rooms.sweep()
    home.provider.away = False
    home.clock.forward(seconds=SECONDS)
    await home.rooms.sweep()
    home.provider.overlap = False
    assert (await token(home, ada)).scopes == READ


async def test_t37_without_an_overlap_the_round_says_so_itself(home: House) -> None:
    """The link ends with one notice, before the person runs into it; the other rounds find nothing."""
    ada = await home.link()
    await die_before_the_save(home, ada)
    home.clock.forward(seconds=SECONDS)
    for _ in range(3):
        await home.rooms.sweep()
    assert [e.reason for e in home.observer.told if e.type == "link.revoked"] == ["grant_dead"]
    with pytest.raises(NotLinked):
        await token(home, ada)


async def test_t39_nothing_is_taken_up_for_a_link_that_has_ended(home: House) -> None:
    """Unlinked after the holder died: the provider is not asked, and nothing comes back."""
    ada = await home.link()
    await die_before_the_save(home, ada)
    await home.rooms.links.unlink(ADA, "unlink")
    home.clock.forward(seconds=SECONDS)
    await home.rooms.sweep()
    assert home.provider.refreshes == 1
    assert home.provider.living == []


async def test_t76_a_round_that_is_broken_off_loses_no_grant(home: House) -> None:
    """A process is told to stop in the middle: the refresh goes on to its save, and `close` waits for it."""
    ada = await home.link()
    home.provider.overlap = True
    await die_before_the_save(home, ada)
    home.clock.forward(seconds=SECONDS)
    home.provider.hold = gate = Gate()
    round_ = asyncio.create_task(home.rooms.recover())
    await gate.reached.wait()
    round_.cancel()
    await asyncio.wait({round_})
    closing = asyncio.create_task(home.rooms.broker.close())
    await asyncio.sleep(0)
    assert not closing.done()
    gate.open()
    await closing
    home.provider.overlap = False
    assert (await token(home, ada)).scopes == READ


async def test_t38_one_that_fails_keeps_no_other_from_being_taken_up(home: House) -> None:
    """Ada's grant is dead, Bob's is alive: one round ends the one and saves the other."""
    ada, bob = await home.link(ADA), await home.link(BOB)
    home.provider.overlap = True
    await die_before_the_save(home, ada)
    await die_before_the_save(home, bob)
    home.provider.grants[0].alive = False
    home.clock.forward(seconds=SECONDS)
    await home.rooms.recover()
    assert await home.rooms.links.principal(ADA) is None
    home.provider.overlap = False
    assert (await token(home, bob)).scopes == READ


async def test_a_round_leaves_alone_what_is_refreshed_in_this_very_process(home: House) -> None:
    """However long it takes: its lease may look over, to a process that was stopped, while it waits for its answer."""
    ada = await home.link()
    home.provider.hold = gate = Gate()
    calling = asyncio.create_task(token(home, ada))
    await gate.reached.wait()
    home.clock.forward(seconds=SECONDS)
    assert await home.store.left(SECONDS) == [ada]
    await home.rooms.recover()
    gate.open()
    assert (await calling).scopes == READ
    assert (home.provider.refreshes, home.store.calls["lease"]) == (1, 1)
