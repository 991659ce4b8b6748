"""One refresh for all who wait, and no grant lost, whoever is killed, cancelled or overtaken."""

from __future__ import annotations

import asyncio

import pytest

from oauth.errors import (
    GrantDead,
    ProviderUnavailable,
    StoreUnavailable,
)
from oauth.leasing import SECONDS
from oauth.models import AccessToken, Principal, TokenRequest
from tests.fakes.house import ADA, READ, REFUND, House, token
from tests.fakes.provider import AUDIENCE, Gate


async def test_t36_fifty_actions_at_three_replicas_cost_one_refresh(home: House) -> None:
    """The lease and the second look after it: one use of the refresh token, and the grant is alive."""
    ada = await home.link()
    homes = [home, home.replica(), home.replica()]
    given: list[AccessToken] = await asyncio.gather(*(token(homes[n % 3], ada) for n in range(50)))
    assert len({g.value for g in given}) == 1
    assert home.provider.refreshes == 1
    assert home.provider.grants[0].alive


async def test_t36_who_gets_the_lease_looks_again(home: House) -> None:
    """Another replica has refreshed between our look and our lease: its token is used, and none is asked for (guard:
    the look in `Refresher.refresh`)."""
    ada, other = await home.link(), home.replica()
    won: list[AccessToken] = []

    async def first() -> None:
        won.append(await token(other, ada))

    home.store.first["lease"] = first
    assert [await token(home, ada)] == won
    assert home.provider.refreshes == 1
    assert home.store.kept_links[ADA.key].lease is None


async def test_t36_different_scopes_take_turns(home: House) -> None:
    """Thirty calls for three sets of scopes: three refreshes, one after the other, and no reuse."""
    ada = await home.link()
    homes = [home, home.replica(), home.replica()]
    sets = [READ, REFUND, READ | REFUND]
    given = await asyncio.gather(*(token(homes[n % 3], ada, sets[n // 3 % 3]) for n in range(30)))
    assert [g.scopes for g in given] == [sets[n // 3 % 3] for n in range(30)]
    assert home.provider.refreshes == 3
    assert home.provider.grants[0].alive


async def test_those_who_wait_in_one_process_do_not_poll_the_store(home: House) -> None:
    """One lease for fifty callers; each reads twice, before and after, whoever it was that refreshed."""
    ada = await home.link()
    home.store.calls.clear()
    await asyncio.gather(*(token(home, ada) for _ in range(50)))
    assert home.store.calls["lease"] == 1
    assert home.store.calls["link"] == 100


# crashes and cancellation


async def test_a_caller_who_goes_away_does_not_lose_the_grant(home: House) -> None:
    """The refresh is shielded: cancelled in the middle it is still saved, and `close` waits for it."""
    ada = await home.link()
    home.provider.hold = gate = Gate()
    calling = asyncio.create_task(token(home, ada))
    await gate.reached.wait()
    calling.cancel()
    await asyncio.wait({calling})
    closing = asyncio.create_task(home.rooms.broker.close())
    await asyncio.sleep(0)
    assert not closing.done()
    gate.open()
    await closing
    assert (await token(home, ada)).scopes == READ
    assert home.provider.refreshes == 1


async def killed_before_save(home: House, ada: Principal) -> None:
    """A replica that dies between the provider's answer and its save, lease in hand."""

    async def killed() -> None:
        raise SystemExit

    doomed = home.replica()
    home.store.first["save"] = home.store.first["leave"] = killed
    renewal = doomed.rooms.refresher.refresh(ada, TokenRequest(AUDIENCE, READ))
    with pytest.raises(SystemExit):
        await renewal


async def test_t37_killed_before_the_save_it_recovers_within_the_overlap(home: House) -> None:
    """The lease ends by itself and the old token is accepted once more."""
    ada = await home.link()
    home.provider.overlap = True
    await killed_before_save(home, ada)
    home.clock.forward(seconds=SECONDS)
    assert (await token(home, ada)).scopes == READ


async def test_t37_without_an_overlap_the_person_is_asked_to_link_again(home: House) -> None:
    """The reuse ends the grant: the link goes, one DM, and linking anew works."""
    ada = await home.link()
    await killed_before_save(home, ada)
    home.clock.forward(seconds=SECONDS)
    with pytest.raises(GrantDead):
        await token(home, ada)
    assert await home.rooms.links.principal(ADA) is None
    assert [e.reason for e in home.observer.told if e.type == "link.revoked"] == ["grant_dead"]
    assert (await token(home, await home.link())).scopes == READ


async def test_a_database_that_is_away_for_a_moment_loses_no_grant(home: House) -> None:
    """Until the save succeeds the new token is in this process alone, so it tries again, and uses it only then."""
    ada = await home.link()
    home.store.fails["save"] = 2
    assert (await token(home, ada)).scopes == READ
    assert home.store.calls["save"] == 3
    home.clock.forward(hours=2)
    await token(home, ada)
    assert home.provider.grants[0].alive


async def test_a_save_whose_answer_was_lost_counts(home: House) -> None:
    """It looks whether its own save stands, and does not revoke the very token that it has saved."""
    ada = await home.link()
    home.store.loses_answer_of.add("save")
    assert (await token(home, ada)).scopes == READ
    assert home.observer.entries()[-1] == ("token.refreshed", "ok", None)
    assert home.provider.revoked == []
    home.clock.forward(hours=2)
    await token(home, ada)
    assert home.provider.grants[0].alive


async def test_a_token_that_could_not_be_saved_is_not_used(home: House) -> None:
    """Save, then use: the caller gets the store's failure."""
    ada = await home.link()
    home.store.fails["save"] = 100
    with pytest.raises(StoreUnavailable):
        await token(home, ada)


async def test_the_refresh_token_is_saved_even_if_the_access_token_cannot_be_checked(home: House) -> None:
    """The keys cannot be had just now: the old refresh token is spent, so the new one must not be lost."""
    ada = await home.link()
    home.provider.away_for_keys = True
    later = home.replica()
    with pytest.raises(ProviderUnavailable):
        await token(later, ada)
    home.provider.away_for_keys = False
    home.clock.forward(seconds=10)
    assert (await token(later, ada)).scopes == READ
    assert home.provider.grants[0].alive


async def test_who_was_overtaken_still_saves_what_the_provider_gave(home: House) -> None:
    """A process was stopped past its lease while another began: its answer is good, and the other looks again."""
    ada = await home.link()
    other = home.replica()

    async def overtaken() -> None:
        home.clock.forward(seconds=SECONDS)
        assert await home.store.take_over(ada, "other", SECONDS) is not None

    home.provider.hold = overtaken
    first = await token(home, ada)
    assert (await token(other, ada)) == first
    assert home.provider.grants[0].alive


async def test_who_comes_too_late_with_its_answer_revokes_nothing(home: House) -> None:
    """Another process got an answer for the same token and saved it: theirs counts, and the grant is one and alive."""
    ada = await home.link()
    home.provider.overlap = True
    other = home.replica()
    won = []

    async def other_saves() -> None:
        home.clock.forward(seconds=SECONDS)
        won.append(await token(other, ada))

    home.provider.hold = other_saves
    assert await token(home, ada) == won[0]
    assert home.provider.revoked == []
    assert home.provider.grants[0].alive


async def test_a_dead_grant_is_looked_at_again(home: House) -> None:
    """`invalid_grant`, but another process has spent the token and saved: the link stays, and its token is used."""
    ada = await home.link()
    other = home.replica()
    won = []

    async def other_wins() -> None:
        home.clock.forward(seconds=SECONDS)
        won.append(await token(other, ada))
        home.provider.grants[0].spent.clear()

    refresh = home.provider.refresh

    async def beaten(refresh_token: str, **how: object) -> object:
        home.provider.refresh = refresh  # type: ignore[method-assign]
        await other_wins()
        return await refresh(refresh_token, **how)  # type: ignore[arg-type]

    home.provider.refresh = beaten  # type: ignore[method-assign, assignment]
    assert await token(home, ada) == won[0]
    assert await home.rooms.links.principal(ADA) == ada
    assert "link.revoked" not in {e.type for e in [*home.observer.told, *home.observer.recorded]}
