"""Callers of one process that share what is under way, and links that change while they wait."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oauth.errors import NotLinked, SealBroken
from oauth.models import LinkEvent
from tests.fakes.house import ADA, EVE_MAIL, READ, REFUND, House, token
from tests.fakes.provider import Gate

EVENTS = frozenset({"events:read"})


async def test_t39_nobody_gets_the_token_of_a_link_that_ended_before_theirs(home: House) -> None:
    """Ada links anew, as somebody else at the provider, while a refresh of her former link goes on record: what it
    brought is not shared with the new link's caller (guard: the version in `Broker._shared`)."""
    former, other = await home.link(), home.replica()
    record, gate = home.observer.record, Gate()

    async def slow(event: LinkEvent) -> None:
        await record(event)
        if event.type == "token.refreshed" and event.principal == former:
            await gate()

    home.observer.record = slow  # type: ignore[method-assign]
    early = asyncio.create_task(token(home, former))
    await gate.reached.wait()
    await other.rooms.links.unlink(ADA, "unlink")
    anew = await other.link(ADA, EVE_MAIL)
    late = asyncio.create_task(token(home, anew))
    for _ in range(10):
        await asyncio.sleep(0)
    gate.open()
    with pytest.raises(NotLinked):
        await early
    given, kept = await late, home.store.kept_links[ADA.key]
    assert given.jti in {access.jti for access in kept.access}
    assert (given.scopes, kept.principal.identity.sub) == (READ, anew.sub)


async def test_t39_who_shares_a_refresh_gets_nothing_of_a_link_that_has_ended(home: House) -> None:
    """The save was in time and the unlink came after it: neither the one who refreshed nor those who wait for it get
    what was made (guards: both looks after a refresh in `Broker._given`)."""
    ada, other = await home.link(), home.replica()
    record = home.observer.record

    async def slow(event: LinkEvent) -> None:
        await record(event)
        if event.type == "token.refreshed":
            await other.rooms.links.unlink(ADA, "unlink")

    home.observer.record = slow  # type: ignore[method-assign]
    outcomes = await asyncio.gather(*(token(home, ada) for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in outcomes] == [NotLinked] * 5
    assert home.provider.refreshes == 1


@pytest.mark.parametrize("ahead", [False, True])
async def test_t34_a_swapped_token_near_its_end_is_on_record_too(home: House, ahead: bool) -> None:
    """It is too old to be handed out, and is looked at for an outage all the same, by whoever refreshes and by whoever
    waits for them (guards: the entry in `Refresher._renewed` and in `Broker._at_hand`)."""
    ada = await home.link()
    await token(home, ada)
    kept = home.store.kept_links[ADA.key]
    (access,) = kept.access
    home.store.kept_links[ADA.key] = replace(kept, access=(replace(access, scopes=REFUND),))
    home.clock.forward(seconds=3600 - 20)
    home.provider.away, home.provider.retry_after = True, None
    calls = [token(home, ada, READ), token(home, ada, REFUND)] if ahead else [token(home, ada, REFUND)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(outcomes[-1], SealBroken)
    assert ("token.refused", "denied", "seal_broken") in home.observer.entries()


async def test_a_third_partys_token_that_was_let_go_of_does_not_come_back(home: House) -> None:
    """Another refresh read the link before, and saves it after: the former account's token is not saved back with it
    (guard: `Broker.forget` waits for who has the lease)."""
    ada, other = await home.link(), home.replica()
    home.provider.accounts[ada.sub, "almanac"] = EVENTS
    former = await home.rooms.broker.connected(ada, "almanac", EVENTS)
    home.provider.hold = gate = Gate()
    refreshing = asyncio.create_task(token(other, ada))
    await gate.reached.wait()
    forgetting = asyncio.create_task(home.rooms.broker.forget(ada, "almanac"))
    for _ in range(10):
        await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(refreshing, forgetting)
    assert (await home.rooms.broker.connected(ada, "almanac", EVENTS)).value != former.value


async def test_a_token_that_was_saved_back_in_the_very_moment_is_let_go_of_too(home: House) -> None:
    """Whoever had the lease has given it back by the time one looks (guard: the look at `access` in
    `Broker.forget`)."""
    ada, other = await home.link(), home.replica()
    home.provider.accounts[ada.sub, "almanac"] = EVENTS
    former = await home.rooms.broker.connected(ada, "almanac", EVENTS)
    home.provider.hold = gate = Gate()
    refreshing = asyncio.create_task(token(other, ada))
    await gate.reached.wait()

    async def saved() -> None:
        gate.open()
        await refreshing

    home.store.first["link"] = saved
    await home.rooms.broker.forget(ada, "almanac")
    assert (await home.rooms.broker.connected(ada, "almanac", EVENTS)).value != former.value


async def test_who_lets_go_of_a_token_does_not_wait_for_ever(home: House) -> None:
    """A lease that nobody ends: what could be dropped is dropped, and the caller goes on."""
    ada = await home.link()
    home.store.clock = lambda: home.clock.now.replace(year=2000)
    await home.store.lease(ada, "stuck")
    await asyncio.wait_for(home.rooms.broker.forget(ada, "almanac"), 10)
    assert home.store.calls["forget_access"] > 1
