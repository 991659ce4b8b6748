"""The lease is kept while its holder lives, and no longer."""

from __future__ import annotations

import asyncio

from oauth.leasing import BEAT, SECONDS, Leases
from oauth.models import Lease
from tests.fakes.house import ADA, House


class Beats:
    """A holder's heart, which beats when a test says so."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[float] = asyncio.Queue()
        self._next = asyncio.Semaphore(0)
        self._began = False

    async def pause(self, seconds: float) -> None:
        self.waiting.put_nowait(seconds)
        await self._next.acquire()

    async def beat(self) -> None:
        """One beat, until it waits for the next."""
        await self.begun()
        self._next.release()
        await self.waiting.get()

    async def begun(self) -> None:
        """It waits for its first beat."""
        if not self._began:
            self._began = True
            assert await self.waiting.get() == BEAT


async def test_a_holder_that_lives_keeps_its_lease(home: House) -> None:
    """However long its call takes; nobody else gets it meanwhile, and it is free right after."""
    ada, beats = await home.link(), Beats()
    async with Leases(home.store, beats.pause).hold(ada) as held:
        assert held is not None
        for _ in range(5):
            await beats.beat()
            home.clock.forward(seconds=SECONDS - 1)
            for take_over in (False, True):
                async with Leases(home.store).hold(ada, take_over=take_over) as other:
                    assert other is None
    assert home.store.kept_links[ADA.key].lease is None


async def test_t37_the_lease_of_a_dead_holder_is_over_in_seconds(home: House) -> None:
    """Without its beats it runs out, and whoever comes next knows that it was left."""
    ada = await home.link()
    await home.store.lease(ada, "dead")
    async with Leases(home.store).hold(ada, take_over=True) as early:
        assert early is None
    home.clock.forward(seconds=SECONDS)
    async with Leases(home.store).hold(ada) as blind:
        assert blind is None
    async with Leases(home.store).hold(ada, take_over=True) as held:
        assert held is not None
        assert held.left


async def test_who_was_stopped_for_too_long_does_not_take_the_lease_back(home: House) -> None:
    """Its beats end when another has it; what it gives back is not the other's."""
    ada, beats = await home.link(), Beats()
    async with Leases(home.store, beats.pause).hold(ada) as held:
        assert held is not None
        home.clock.forward(seconds=SECONDS)
        await home.store.take_over(ada, "other", SECONDS)
        await beats.begun()
        until = held.until
        beats._next.release()
        for _ in range(10):
            await asyncio.sleep(0)
        assert (held.until, beats.waiting.empty()) == (until, True)
    assert home.store.kept_links[ADA.key].lease == Lease("other", left=True)


async def test_a_beat_that_does_not_arrive_ends_nothing(home: House) -> None:
    """The database is away for a beat: the lease is not counted as prolonged, and the next beat is tried."""
    ada, beats = await home.link(), Beats()
    async with Leases(home.store, beats.pause).hold(ada) as held:
        assert held is not None
        until = held.until
        home.store.fails["prolong"] = 1
        await beats.beat()
        assert held.until == until
        await beats.beat()
        assert held.until > until


async def test_a_lease_that_may_be_over_does_not_stand(home: House) -> None:
    """It is counted from before it was asked for."""
    async with Leases(home.store).hold(await home.link()) as held:
        assert held is not None
        assert held.stands()
        held.until -= SECONDS + 1
        assert not held.stands()


async def test_what_a_save_has_ended_is_not_given_back(home: House) -> None:
    """It ended in the same step, and whoever has the lease by now keeps it."""
    async with Leases(home.store).hold(await home.link()) as held:
        assert held is not None
        held.ended()
    assert (home.store.calls["release"], home.store.calls["leave"]) == (0, 0)


async def test_t37_what_is_not_settled_is_left(home: House) -> None:
    """The refresh token may be spent: it is over at once, and whoever comes next knows, until somebody settles it."""
    ada, leases = await home.link(), Leases(home.store)
    async with leases.hold(ada) as held:
        assert held is not None
        assert not held.left
        held.unsettled = True
    async with leases.hold(ada, take_over=True) as second:
        assert second is not None
        assert second.left
    async with leases.hold(ada, take_over=True) as third:
        assert third is not None
        assert third.left
        third.unsettled = False
    assert home.store.kept_links[ADA.key].lease is None
