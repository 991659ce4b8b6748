"""A refresh token that may be spent, and its successor nowhere: nobody died, and yet the grant is at stake."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oauth.errors import IdentityError, ProviderUnavailable, ScopeRefused, StoreUnavailable
from oauth.leasing import SECONDS
from oauth.models import Principal, SlackProfile, SlackUser
from tests.fakes.house import ADA, PEOPLE, READ, REFUND, House, token
from tests.fakes.provider import FakeProvider


def loses(provider: FakeProvider, times: int) -> None:
    """The next answers are lost on their way: what was asked is done, and nobody hears of it."""
    refresh, left = provider.refresh, [None] * times

    async def lost(refresh_token: str, **how: object) -> object:
        answer = await refresh(refresh_token, **how)  # type: ignore[arg-type]
        if left:
            left.pop()
            raise ProviderUnavailable
        return answer

    provider.refresh = lost  # type: ignore[method-assign, assignment]


async def lose_four(home: House, ada: Principal) -> None:
    """As many answers as there are attempts."""
    loses(home.provider, 4)
    with pytest.raises(ProviderUnavailable):
        await token(home, ada)


def fails(provider: FakeProvider, error: IdentityError) -> None:
    """The next request is answered with this."""
    refresh = provider.refresh

    async def refuse(refresh_token: str, **how: object) -> object:
        provider.refresh = refresh  # type: ignore[method-assign]
        raise error

    provider.refresh = refuse  # type: ignore[method-assign, assignment]


async def lives_on(home: House) -> bool:
    """Whether the link works when the provider forgives nothing any more."""
    home.provider.overlap = False
    home.clock.forward(hours=2)
    ada = await home.rooms.links.principal(ADA)
    return ada is not None and (await token(home, ada)).scopes == READ


async def test_t37_a_lost_answer_is_made_good_in_the_next_round(home: House) -> None:
    """A token is at hand, so nobody tries again; the round does, while the provider forgives it."""
    ada = await home.link()
    home.provider.overlap = True
    given = await token(home, ada)
    home.clock.forward(seconds=3600 - 20)
    loses(home.provider, 1)
    assert await token(home, ada) == given
    await home.rooms.recover()
    assert await lives_on(home)


async def test_t37_answers_that_are_lost_again_and_again_are_made_good_too(home: House) -> None:
    """The caller hears that the provider is not to be had, and the round goes on where it gave up."""
    ada = await home.link()
    home.provider.overlap = True
    await lose_four(home, ada)
    await home.rooms.recover()
    assert await lives_on(home)


async def test_t37_what_could_not_be_saved_is_asked_for_again(home: House) -> None:
    """The database was away for longer than the save was tried; what it holds is spent, and spent again in time."""
    ada = await home.link()
    home.provider.overlap = True
    home.store.fails["save"] = 7
    with pytest.raises(StoreUnavailable):
        await token(home, ada)
    await home.rooms.recover()
    assert await lives_on(home)


async def test_t37_the_next_caller_does_not_wait_for_a_lease_that_was_left(home: House) -> None:
    """It shows in the link that nobody is at it any more."""
    ada = await home.link()
    home.provider.overlap = True
    await lose_four(home, ada)
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    assert (await token(home.replica(pause=pause), ada)).scopes == READ
    assert waited == []


@pytest.mark.parametrize(
    "answer", [ProviderUnavailable(7.0, untouched=True), ScopeRefused(READ)], ids=["429", "invalid_scope"]
)
async def test_an_answer_that_says_that_nothing_was_spent_leaves_nothing(home: House, answer: IdentityError) -> None:
    """The lease is given back, and no round has anything to do."""
    ada = await home.link()
    fails(home.provider, answer)
    with pytest.raises(type(answer)):
        await token(home, ada)
    assert home.store.kept_links[ADA.key].lease is None
    await home.rooms.recover()
    assert home.provider.refreshes == 0


async def test_what_was_left_stays_left_after_a_refusal(home: House) -> None:
    """Scopes that are not to be had say nothing about the refresh token that somebody lost the answer for."""
    ada = await home.link()
    home.provider.overlap = True
    await lose_four(home, ada)
    fails(home.provider, ScopeRefused(REFUND))
    with pytest.raises(ScopeRefused):
        await token(home, ada, REFUND)
    await home.rooms.recover()
    assert await lives_on(home)


async def many(home: House, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many people, each with a refresh that was left."""
    for number in range(count):
        slack = SlackUser("T1", f"U{number}")
        monkeypatch.setitem(PEOPLE, slack, SlackProfile("Corp", f"Person {number}", f"person{number}@corp.example"))
        who = await home.link(slack)
        await home.store.lease(who, "gone")
        await home.store.leave(who, "gone")


@pytest.mark.parametrize(("away", "asked"), [(True, 10), (False, 25)])
async def test_t71_a_round_in_an_outage_asks_a_few_times_only(
    home: House, away: bool, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once each, without an entry, and not for all of them; what is left is left for a later round."""
    await many(home, 25, monkeypatch)
    entries = len(home.observer.recorded)
    home.provider.away, home.provider.retry_after = away, None
    await home.rooms.recover()
    assert home.provider.refreshes == asked
    assert len(await home.store.left(SECONDS)) == (25 if away else 0)
    refused = [event for event in home.observer.recorded[entries:] if event.type == "token.refused"]
    assert refused == []


async def test_t35_what_no_key_opens_is_not_tried_for_ever(home: House) -> None:
    """Nothing can be saved there; the person hears of it when they ask."""
    ada = await home.link()
    await home.store.lease(ada, "gone")
    await home.store.leave(ada, "gone")
    home.store.kept_links[ADA.key] = replace(home.store.kept_links[ADA.key], sealed_refresh="altered")
    await home.rooms.recover()
    assert await home.store.left(SECONDS) == []
    assert home.provider.refreshes == 0
