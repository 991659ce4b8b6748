"""Tokens: narrowed, fresh, one refresh for all who wait, and never for a link that has ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from oauth.errors import (
    GrantDead,
    NotLinked,
    ProviderUnavailable,
    ScopeRefused,
    SealBroken,
    StoreUnavailable,
    TokenInvalid,
)
from oauth.models import AccessToken, Principal
from oauth.provider import TIMEOUT
from oauth.refreshing import LEASE
from tests.fakes.house import ADA, BOB, House
from tests.fakes.observer import TrailAway
from tests.fakes.provider import AUDIENCE, SCOPES

READ, REFUND = (frozenset({scope}) for scope in SCOPES)


def token(home: House, who: Principal, scopes: frozenset[str] = READ, fresh_for: float = 0.0):  # type: ignore[no-untyped-def]
    """What an action asks for."""
    return home.rooms.broker.token(who, scopes, AUDIENCE, fresh_for)


# a token at hand


async def test_a_token_is_narrowed_to_what_one_call_needs(home: House) -> None:
    """Scopes, audience and person are those of the call; the value shows in no log line."""
    given = await token(home, await home.link())
    assert (given.scopes, given.audience) == (READ, AUDIENCE)
    assert given.expires_at - given.issued_at == timedelta(hours=1)
    assert given.jti is not None
    assert given.value not in repr(given)
    assert home.observer.entries()[-1] == ("token.refreshed", "ok", None)
    assert home.observer.recorded[-1].token_jti == given.jti


async def test_a_valid_token_costs_one_round_trip(home: House) -> None:
    """One read of the link, which also shows that its version is still the same; nothing else."""
    ada = await home.link()
    first = await token(home, ada)
    home.store.calls.clear()
    assert await token(home, ada) == first
    assert home.store.calls == Counter({"link": 1})
    assert home.provider.refreshes == 1


async def test_t33_a_dump_holds_no_token(home: House) -> None:
    """Neither the refresh token nor any access token is readable in what the store keeps."""
    given = await token(home, await home.link())
    dump = home.store.dump()
    assert given.value not in dump
    assert given.value.split(".")[2] not in dump
    assert home.provider.grants[0].current not in dump


async def test_each_set_of_scopes_has_a_token_of_its_own(home: House) -> None:
    """A wider token is not used where a narrower one is enough, nor another audience's."""
    ada = await home.link()
    tokens = [await token(home, ada, scopes) for scopes in (READ, REFUND, READ | REFUND)]
    tokens.append(await home.rooms.broker.token(ada, READ, "https://other.example"))
    assert len({t.value for t in tokens}) == 4
    assert [await token(home, ada, t.scopes) for t in tokens[:3]] == tokens[:3]
    assert home.provider.refreshes == 4


@pytest.mark.parametrize(("lifetime", "margin"), [(3600.0, 30), (60.0, 15), (8.0, 2)])
async def test_a_token_is_renewed_before_its_end(home: House, lifetime: float, margin: int) -> None:
    """The margin is the lesser of half a minute and a quarter of its life."""
    home.provider.lifetime = lifetime
    ada = await home.link()
    await token(home, ada)
    home.clock.forward(seconds=lifetime - margin)
    await token(home, ada)
    assert home.provider.refreshes == 1
    home.clock.forward(seconds=1)
    await token(home, ada)
    assert home.provider.refreshes == 2


async def test_a_long_call_gets_a_token_that_lasts(home: House) -> None:
    """`fresh_for` is added to the margin, up to half of the token's life: more could never be had."""
    ada = await home.link()
    await token(home, ada)
    home.clock.forward(minutes=20)
    await token(home, ada, fresh_for=2300)
    assert home.provider.refreshes == 1
    home.clock.forward(minutes=15)
    await token(home, ada, fresh_for=2300)
    assert home.provider.refreshes == 2
    await token(home, ada, fresh_for=100_000)
    assert home.provider.refreshes == 2


# refusals


async def test_t40_who_is_not_linked_gets_none(home: House) -> None:
    """Never linked, unlinked, or linked anew since: the version in the store decides, and nobody is called."""
    first = await home.link()
    await token(home, first)
    bob = await home.link(BOB)
    await home.rooms.links.unlink(BOB, "unlink")
    await home.link()
    refreshes = home.provider.refreshes
    for principal in (first, bob):
        with pytest.raises(NotLinked):
            await token(home, principal)
    assert home.provider.refreshes == refreshes


async def test_t40_a_scope_outside_the_grant_is_refused_without_a_call(home: House) -> None:
    """What the person did not agree to is not asked for, whatever the caller's principal claims."""
    answer = await home.sign_in(await home.start(), "ada@corp.example", scopes=(SCOPES[0],))
    ada = (await home.rooms.linking.returned(**answer)).principal
    assert ada is not None
    for principal in (ada, replace(ada, scopes=READ | REFUND)):
        with pytest.raises(ScopeRefused) as refused:
            await token(home, principal, READ | REFUND)
        assert refused.value.missing == REFUND
    assert home.provider.refreshes == 0


async def test_t42_each_person_gets_their_own(home: House) -> None:
    """Two people at once: each token is of the grant of its own person."""
    ada, bob = await home.link(ADA), await home.link(BOB)
    given = await asyncio.gather(token(home, ada), token(home, bob))
    assert [g.value for g in given] == [(await token(home, p)).value for p in (ada, bob)]
    assert given[0].value != given[1].value


@pytest.mark.parametrize(
    ("spoil", "claim"),
    [
        ({"sub": "auth0|eve"}, "sub"), ({"aud": "https://other.example"}, "aud"), ({"iss": "https://evil/"}, "iss"),
        ({"exp": 0}, "exp"), ({"scope": " ".join(SCOPES)}, "scope"),
    ],
)  # fmt: skip
async def test_t43_a_token_for_more_or_for_others_is_not_used(
    home: House, spoil: dict[str, object], claim: str
) -> None:
    """Person, audience, issuer, end, and an API scope that was not asked for; the grant itself lives on."""
    ada = await home.link()
    home.provider.spoil_access = spoil
    with pytest.raises(TokenInvalid) as invalid:
        await token(home, ada)
    assert invalid.value.claim == claim
    assert home.observer.entries()[-1] == ("token.refused", "denied", "token_invalid")
    home.provider.spoil_access = {}
    assert (await token(home, ada)).scopes == READ


async def test_a_token_with_less_than_asked_is_refused(home: House) -> None:
    """The provider narrowed further: the action is told which scope is missing."""
    ada = await home.link()
    home.provider.spoil_access = {"scope": ""}
    with pytest.raises(ScopeRefused) as refused:
        await token(home, ada)
    assert refused.value.missing == READ


async def test_identity_scopes_that_a_provider_adds_do_no_harm(home: House) -> None:
    """`openid` and its like open nothing at an API, so a token with them is used."""
    ada = await home.link()
    home.provider.more_scopes = ("openid", "profile", "email", "offline_access")
    assert (await token(home, ada)).scopes == READ


async def test_t34_a_token_copied_from_somebody_else_does_not_open(home: House) -> None:
    """Mallory puts Ada's sealed tokens into Bob's link: both are refused, each with an entry, and nothing is called."""
    ada, bob = await home.link(ADA), await home.link(BOB)
    await token(home, ada)
    stolen, own = home.store.kept_links[ADA.key], home.store.kept_links[BOB.key]
    refreshes = home.provider.refreshes
    for forged in (replace(own, access=stolen.access), replace(own, sealed_refresh=stolen.sealed_refresh)):
        home.store.kept_links[BOB.key] = forged
        with pytest.raises(SealBroken):
            await token(home, bob)
        assert home.observer.entries()[-1] == ("token.refused", "denied", "seal_broken")
    assert home.provider.refreshes == refreshes
    home.store.kept_links[BOB.key] = own
    assert (await token(home, bob)).scopes == READ


# one refresh


async def test_t36_fifty_actions_at_three_replicas_cost_one_refresh(home: House) -> None:
    """The lease and the second look after it: one use of the refresh token, and the grant is alive."""
    ada = await home.link()
    homes = [home, home.replica(), home.replica()]
    given: list[AccessToken] = await asyncio.gather(*(token(homes[n % 3], ada) for n in range(50)))
    assert len({g.value for g in given}) == 1
    assert home.provider.refreshes == 1
    assert home.provider.grants[0].alive


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
    """One lease for fifty callers; each of the others reads twice, before and after."""
    ada = await home.link()
    home.store.calls.clear()
    await asyncio.gather(*(token(home, ada) for _ in range(50)))
    assert home.store.calls["lease"] == 1
    assert home.store.calls["link"] == 99


async def test_the_lease_of_a_dead_process_ends(home: House) -> None:
    """Nobody waits for it longer than it lasts."""
    ada = await home.link()
    await home.store.lease(ada, "dead", home.clock(), home.clock() + LEASE)
    waiting = asyncio.create_task(token(home, ada))
    await asyncio.sleep(0)
    home.clock.forward(seconds=LEASE.total_seconds())
    assert (await waiting).scopes == READ


async def test_a_lease_outlives_the_longest_call(home: House) -> None:
    """The provider is given up before the lease ends, so nobody else spends the same token meanwhile."""
    assert LEASE.total_seconds() > TIMEOUT


# crashes and cancellation


async def test_a_caller_who_goes_away_does_not_lose_the_grant(home: House) -> None:
    """The refresh is shielded: cancelled in the middle it is still saved, and `close` waits for it."""
    ada = await home.link()
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await go_on.wait()

    home.provider.hold = hold
    calling = asyncio.create_task(token(home, ada))
    await reached.wait()
    calling.cancel()
    await asyncio.wait({calling})
    closing = asyncio.create_task(home.rooms.broker.close())
    await asyncio.sleep(0)
    assert not closing.done()
    go_on.set()
    await closing
    assert (await token(home, ada)).scopes == READ
    assert home.provider.refreshes == 1


async def killed_before_save(home: House, ada: Principal) -> None:
    """A replica that dies between the provider's answer and its save, lease in hand."""

    async def killed() -> None:
        raise SystemExit

    doomed = home.replica()
    home.store.first["save"] = home.store.first["release"] = killed
    renewal = doomed.rooms.broker._refresher.refresh(ada, READ, AUDIENCE, 0.0)
    with pytest.raises(SystemExit):
        await renewal


async def test_t37_killed_before_the_save_it_recovers_within_the_overlap(home: House) -> None:
    """The lease ends by itself and the old token is accepted once more."""
    ada = await home.link()
    home.provider.overlap = True
    await killed_before_save(home, ada)
    home.clock.forward(seconds=LEASE.total_seconds())
    assert (await token(home, ada)).scopes == READ


async def test_t37_without_an_overlap_the_person_is_asked_to_link_again(home: House) -> None:
    """The reuse ends the grant: the link goes, one DM, and linking anew works."""
    ada = await home.link()
    await killed_before_save(home, ada)
    home.clock.forward(seconds=LEASE.total_seconds())
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
    assert home.provider.revoked == []
    home.clock.forward(hours=2)
    await token(home, ada)
    assert home.provider.grants[0].alive


async def test_a_token_that_could_not_be_saved_is_not_used(home: House) -> None:
    """Save, then use: the caller gets the store's failure."""
    ada = await home.link()
    home.store.fails["save"] = 100
    quick = home.replica()
    quick.rooms.broker._refresher._save_again = (0.0, 0.0)
    with pytest.raises(StoreUnavailable):
        await token(quick, ada)


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
        home.clock.forward(seconds=LEASE.total_seconds())
        leased = await home.store.lease(ada, "other", home.clock(), home.clock() + LEASE)
        assert leased is not None

    home.provider.hold = overtaken
    first = await token(home, ada)
    assert (await token(other, ada)) == first
    assert home.provider.grants[0].alive


async def test_a_dead_grant_is_looked_at_again(home: House) -> None:
    """`invalid_grant`, but another process has spent the token and saved: the link stays, and its token is used."""
    ada = await home.link()
    other = home.replica()
    won = []

    async def other_wins() -> None:
        home.clock.forward(seconds=LEASE.total_seconds())
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
    assert [e.type for e in home.observer.told].count("link.revoked") == 0


# the provider's refusals


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


@pytest.mark.parametrize("step", ["lease", "save", "release"])
async def test_t74_killed_at_any_step_the_next_process_goes_on(home: House, step: str) -> None:
    """Whichever call of the store is the last one, the next process gets a token where the provider forgives reuse."""
    ada = await home.link()
    home.provider.overlap = True

    async def killed() -> None:
        raise SystemExit

    home.store.first[step] = killed
    with pytest.raises(SystemExit):
        await home.replica().rooms.broker._refresher.refresh(ada, READ, AUDIENCE, 0.0)
    home.clock.forward(hours=2)
    assert (await token(home.replica(), ada)).scopes == READ
