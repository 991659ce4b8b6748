"""What the provider refuses, and links that end while a token is on its way."""

from __future__ import annotations

import asyncio

import pytest

from oauth.errors import (
    GrantDead,
    NotLinked,
    ProviderUnavailable,
    ScopeRefused,
)
from oauth.models import TokenRequest
from tests.fakes.house import ADA, READ, REFUND, House, token
from tests.fakes.observer import TrailAway
from tests.fakes.provider import AUDIENCE


async def test_t38_a_dead_grant_ends_the_link_once(home: House) -> None:
    """Fifty callers, one refresh, one DM, entries for token and link, and no loop."""
    ada = await home.link()
    home.provider.grants[0].alive = False
    homes = [home, home.replica(), home.replica()]
    outcomes = await asyncio.gather(*(token(homes[n % 3], ada) for n in range(50)), return_exceptions=True)
    assert {type(o) for o in outcomes} <= {GrantDead, NotLinked}
    assert home.provider.refreshes == 1
    assert await home.rooms.links.principal(ADA) is None
    assert [e.type for e in home.observer.told].count("link.revoked") == 1
    assert home.observer.entries()[-2:] == [
        ("token.refused", "denied", "grant_dead"),
        ("link.revoked", "ok", "grant_dead"),
    ]


async def test_t38_an_outage_keeps_the_link(home: House) -> None:
    """5xx: an entry, the lease is given back at once, and the token works when the provider is back."""
    ada = await home.link()
    home.provider.away = True
    with pytest.raises(ProviderUnavailable) as away:
        await token(home, ada)
    assert away.value.retry_after == 7.0
    assert home.observer.entries()[-1] == ("token.refused", "failed", "provider_unavailable")
    home.provider.away = False
    assert (await token(home, ada)).scopes == READ


async def test_t71_an_outage_is_shared_by_those_who_wait(home: House) -> None:
    """Fifty callers ask once: each trying in turn would wait for fifty time-outs."""
    ada = await home.link()
    home.provider.away = True
    outcomes = await asyncio.gather(*(token(home, ada) for _ in range(50)), return_exceptions=True)
    assert {type(o) for o in outcomes} == {ProviderUnavailable}
    assert home.provider.refreshes == 1


async def test_t71_live_tokens_go_on_through_an_outage(home: House) -> None:
    """What is at hand is used without asking anybody."""
    ada = await home.link()
    given = await token(home, ada)
    home.provider.away = True
    assert await token(home, ada) == given


async def test_a_scope_that_the_provider_refuses_leaves_the_link_alone(home: House) -> None:
    """`invalid_scope` is about this call, and the lease is free for the next."""
    ada = await home.link()
    home.provider.grants[0].scopes = READ
    with pytest.raises(ScopeRefused):
        await token(home, ada, REFUND)
    assert (await token(home, ada)).scopes == READ


async def test_t39_unlinked_during_a_refresh_it_stays_unlinked(home: House) -> None:
    """The save names the version: it finds nothing, the new token is revoked too, and the caller gets none."""
    ada = await home.link()
    other = home.replica()
    home.provider.hold = lambda: other.rooms.links.unlink(ADA, "unlink")
    with pytest.raises(NotLinked):
        await token(home, ada)
    assert await home.rooms.links.principal(ADA) is None
    assert home.provider.living == []
    assert home.provider.grants[0].current in home.provider.revoked


async def test_t39_linked_anew_during_a_refresh_the_new_link_stays(home: House) -> None:
    """The old refresh cannot write into the new link, nor end it."""
    ada = await home.link()
    other = home.replica()

    async def links_anew() -> None:
        await other.rooms.links.unlink(ADA, "unlink")
        await other.link()

    home.provider.hold = links_anew
    with pytest.raises(NotLinked):
        await token(home, ada)
    anew = await home.rooms.links.principal(ADA)
    assert anew is not None
    assert (await token(home, anew)).scopes == READ


async def test_t54_no_entry_no_token(home: House) -> None:
    """While the trail is away nobody gets a new token; the grant is saved all the same."""
    ada = await home.link()
    home.observer.away = True
    with pytest.raises(TrailAway):
        await token(home, ada)
    home.observer.away = False
    assert (await token(home, ada)).scopes == READ
    assert home.provider.grants[0].alive


@pytest.mark.parametrize("step", ["lease", "save"])
async def test_t74_killed_at_any_step_the_next_process_goes_on(home: House, step: str) -> None:
    """Whichever call of the store is the last one, the next process gets a token where the provider forgives reuse."""
    ada = await home.link()
    home.provider.overlap = True

    async def killed() -> None:
        raise SystemExit

    home.store.first[step] = killed
    with pytest.raises(SystemExit):
        await home.replica().rooms.refresher.refresh(ada, TokenRequest(AUDIENCE, READ))
    home.clock.forward(hours=2)
    assert (await token(home.replica(), ada)).scopes == READ
