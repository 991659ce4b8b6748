"""Those who wait for another process, or for a provider that is away."""

from __future__ import annotations

import asyncio

import pytest

from oauth.errors import NotLinked, ProviderUnavailable
from oauth.models import LinkEvent
from tests.fakes.house import ADA, BOB, READ, REFUND, House, token
from tests.fakes.provider import Gate


async def test_who_waits_reads_and_seldom_tries(home: House) -> None:
    """While another process refreshes, a waiting one looks often, and asks for the lease about once a second."""
    ada = await home.link()
    other = home.replica()
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)
        if sum(waited) > 10:
            gate.open()
        await asyncio.sleep(0)

    home.provider.hold = gate = Gate()
    first = asyncio.create_task(token(other, ada))
    await gate.reached.wait()
    home.store.calls.clear()
    given = await token(home.replica(pause=pause), ada)
    assert given == await first
    assert home.store.calls["take_over"] in range(5, 11)
    assert home.store.calls["link"] > 30
    assert max(waited) < 0.5


async def test_t36_a_lease_that_nobody_ends_is_given_up_at_last(home: House) -> None:
    """Bounded: the caller hears that the provider is not to be had."""
    ada = await home.link()
    home.store.clock = lambda: home.clock.now.replace(year=2000)
    await home.store.lease(ada, "stuck")
    with pytest.raises(ProviderUnavailable):
        await token(home, ada)
    assert home.provider.refreshes == 0


async def test_t71_a_token_near_its_end_goes_on_while_the_provider_is_away(home: House) -> None:
    """Within the margin a new one is asked for once; in vain, the old one is used while it lasts, and not after."""
    ada = await home.link()
    given = await token(home, ada)
    home.clock.forward(seconds=3600 - 20)
    home.provider.away, home.provider.retry_after = True, None
    assert await token(home, ada) == given
    assert home.provider.refreshes == 2
    home.clock.forward(seconds=19)
    with pytest.raises(ProviderUnavailable):
        await token(home, ada)
    home.provider.away = False
    assert await token(home, ada) != given


async def test_t36_a_token_that_is_nearly_over_when_it_comes_is_shared_all_the_same(home: House) -> None:
    """Short-lived and slow to come: each of fifty would find it too old and ask for another."""
    ada = await home.link()
    home.provider.lifetime = 4.0

    async def slow() -> None:
        home.clock.forward(seconds=3.5)

    home.provider.hold = slow
    given = await asyncio.gather(*(token(home, ada) for _ in range(50)))
    assert (len(set(given)), home.provider.refreshes) == (1, 1)


async def test_t71_fifty_callers_near_the_end_of_their_token_ask_once(home: House) -> None:
    """Each trying in turn would wait for fifty time-outs; they share the token that is still good."""
    ada = await home.link()
    given = await token(home, ada)
    home.clock.forward(seconds=3600 - 20)
    home.provider.away = True
    assert set(await asyncio.gather(*(token(home, ada) for _ in range(50)))) == {given}
    assert home.provider.refreshes == 2


async def test_t71_who_has_a_token_yet_does_not_wait_for_a_provider_that_was_away(home: House) -> None:
    """For five seconds it is not asked again on their behalf; whoever has none is not kept from asking."""
    ada, bob = await home.link(ADA), await home.link(BOB)
    given = await token(home, ada)
    home.clock.forward(seconds=3600 - 20)
    home.provider.away = True
    for _ in range(5):
        assert await token(home, ada) == given
    assert home.provider.refreshes == 2
    home.provider.away = False
    assert (await token(home, bob)).scopes == READ
    home.clock.forward(seconds=5)
    assert await token(home, ada) != given


async def test_t71_those_behind_another_request_go_on_with_their_own_token(home: House) -> None:
    """The one ahead asks in vain for scopes that nobody has a token for; the other token is good for some seconds."""
    ada = await home.link()
    given = await token(home, ada)
    home.clock.forward(seconds=3600 - 20)
    home.provider.away = True
    outcomes = await asyncio.gather(token(home, ada, REFUND), token(home, ada), return_exceptions=True)
    assert (type(outcomes[0]), outcomes[1]) == (ProviderUnavailable, given)
    assert home.provider.refreshes == 2


async def test_t71_a_call_that_takes_longer_than_the_old_token_lasts_does_not_get_it(home: House) -> None:
    """`fresh_for` holds in an outage too."""
    ada = await home.link()
    await token(home, ada)
    home.clock.forward(seconds=3600 - 20)
    home.provider.away = True
    with pytest.raises(ProviderUnavailable):
        await token(home, ada, fresh_for=60)


async def test_t71_a_failure_that_passes_is_not_noticed(home: House) -> None:
    """Inside the lease the provider is asked again; the caller gets its token, and the trail one entry."""
    ada = await home.link()
    refresh, failures = home.provider.refresh, [ProviderUnavailable(), ProviderUnavailable(1.0)]

    async def shaky(refresh_token: str, **how: object) -> object:
        if failures:
            raise failures.pop(0)
        return await refresh(refresh_token, **how)  # type: ignore[arg-type]

    home.provider.refresh = shaky  # type: ignore[method-assign, assignment]
    assert (await token(home, ada)).scopes == READ
    assert home.store.calls["lease"] == 1
    assert [type_ for type_, *_ in home.observer.entries()].count("token.refreshed") == 1
    assert "token.refused" not in {type_ for type_, *_ in home.observer.entries()}


async def test_t39_unlinked_while_the_refresh_goes_on_record_nobody_gets_the_token(home: House) -> None:
    """The save was in time, the unlink came after it: what was made is not handed out, and its grant is dead."""
    ada = await home.link()
    other, record = home.replica(), home.observer.record

    async def slow(event: LinkEvent) -> None:
        await record(event)
        if event.type == "token.refreshed":
            await other.rooms.links.unlink(ADA, "unlink")

    home.observer.record = slow  # type: ignore[method-assign]
    with pytest.raises(NotLinked):
        await token(home, ada)
    assert home.provider.living == []


async def test_t39_a_hundred_callers_and_an_unlink(home: House) -> None:
    """At three replicas, in the middle of a refresh: none of them gets a token, and nothing lives on."""
    ada = await home.link()
    homes = [home, home.replica(), home.replica()]
    home.provider.hold = lambda: homes[2].rooms.links.unlink(ADA, "unlink")
    outcomes = await asyncio.gather(*(token(homes[n % 3], ada) for n in range(100)), return_exceptions=True)
    assert {type(one) for one in outcomes} == {NotLinked}
    assert home.store.kept_links == {}
    assert home.provider.living == []
