"""Callers of one process that share what is under way, and links that change while they wait."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oauth.errors import NotLinked, SealBroken
from oauth.models import LinkEvent
from tests.fakes.house import ADA, EVE_MAIL, READ, REFUND, House, token
from tests.fakes.provider import Gate


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
