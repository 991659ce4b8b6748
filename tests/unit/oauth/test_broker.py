"""Tokens: narrowed, fresh, each person's own, and refused where they should be."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from oauth import SlackUser, Vault
from oauth.errors import (
    NotLinked,
    ScopeRefused,
    SealBroken,
    TokenInvalid,
)
from oauth.models import Link, Principal, SealedAccess, access_field
from tests.fakes.house import ADA, ADA_ELSEWHERE, BOB, READ, REFUND, House, token, token_keys
from tests.fakes.provider import AUDIENCE, SCOPES


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
    tokens = [await token(home, ada, scopes) for scopes in (READ | REFUND, READ, REFUND)]
    tokens.append(await home.rooms.broker.token(ada, READ, "https://other.example"))
    assert len({t.value for t in tokens}) == 4
    assert [await token(home, ada, t.scopes) for t in tokens[:3]] == tokens[:3]
    assert home.provider.refreshes == 4


async def test_a_link_keeps_few_tokens_and_none_that_is_over(home: House) -> None:
    """Twenty audiences leave sixteen tokens, the latest; what has ended goes with the next refresh."""
    ada = await home.link()
    for n in range(20):
        await home.rooms.broker.token(ada, READ, f"https://api-{n}.example")
    kept = [access.audience for access in home.store.kept_links[ADA.key].access]
    assert kept == [f"https://api-{n}.example" for n in range(4, 20)]
    home.clock.forward(hours=2)
    await token(home, ada)
    assert [access.audience for access in home.store.kept_links[ADA.key].access] == [AUDIENCE]


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


@pytest.mark.parametrize("whose", [BOB, ADA_ELSEWHERE], ids=["another person", "another workspace"])
async def test_t34_a_token_copied_from_somebody_else_does_not_open(home: House, whose: SlackUser) -> None:
    """Mallory puts Ada's sealed tokens into another link, Bob's or that of her own name in another workspace: both are
    refused, each with an entry, and nothing is called (guards: `Link.record`, and the entries in `Broker._at_hand` and
    `Refresher._renewed`)."""
    ada, other = await home.link(ADA), await home.link(whose)
    await token(home, ada)
    stolen, own = home.store.kept_links[ADA.key], home.store.kept_links[whose.key]
    access = tuple(replace(one, sealed=renamed(home, one, other)) for one in stolen.access)
    for forged in (
        replace(own, access=stolen.access),
        replace(own, access=access),
        replace(own, sealed_refresh=stolen.sealed_refresh),
    ):
        await refused_and_on_record(home, forged, other)
    home.store.kept_links[whose.key] = own
    assert (await token(home, other)).scopes == READ


def renamed(home: House, access: SealedAccess, whose: Principal) -> str:
    """Ada's token as it would be sealed for this link's version, were the version the only difference."""
    link = home.store.kept_links[ADA.key]
    name, made_for = (access_field(one.version, access.audience, access.scopes) for one in (link.principal, whose))
    plain = home.vault.open(access.sealed, record=link.record, name=name)
    return home.vault.seal(plain, record=link.record, name=made_for)


async def refused_and_on_record(home: House, forged: Link, whose: Principal) -> None:
    """One entry, the error, and not a call."""
    home.store.kept_links[whose.slack.key] = forged
    refreshes, entries = home.provider.refreshes, len(home.observer.recorded)
    with pytest.raises(SealBroken):
        await token(home, whose)
    assert home.observer.entries()[entries:] == [("token.refused", "denied", "seal_broken")]
    assert home.observer.recorded[-1].principal == whose
    assert home.provider.refreshes == refreshes


async def test_t34_a_secret_of_another_field_does_not_open(home: House) -> None:
    """The refresh token in the place of an access token would go out to an API, and the other way round to the provider
    (guard: the comparison of the field in `Vault.open`)."""
    ada = await home.link()
    await token(home, ada)
    kept = home.store.kept_links[ADA.key]
    (access,) = kept.access
    await refused_and_on_record(home, replace(kept, access=(replace(access, sealed=kept.sealed_refresh),)), ada)
    await refused_and_on_record(home, replace(kept, access=(), sealed_refresh=access.sealed), ada)


async def test_t35_without_its_key_a_link_is_closed(home: House) -> None:
    """A replica that lacks the key: nothing is sent, each try is on record, and with the key all is as it was."""
    ada = await home.link()
    given = await token(home, ada)
    later = replace(home, vault=Vault(token_keys("k2"))).replica()
    kept = home.store.kept_links[ADA.key]
    for forged in (kept, replace(kept, access=())):
        await refused_and_on_record(replace(later, provider=home.provider), forged, ada)
    home.store.kept_links[ADA.key] = replace(kept, lease=None)
    assert await token(home, ada) == given


@pytest.mark.parametrize("change", ["scopes", "audience", "version"])
async def test_t34_a_token_is_sealed_for_what_it_was_made_for(home: House, change: str) -> None:
    """Whoever writes the database cannot pass a wider token, another API's or a former link's off as this call's."""
    ada = await home.link()
    await token(home, ada, REFUND)
    kept = home.store.kept_links[ADA.key]
    if change == "version":
        await home.rooms.links.unlink(ADA, "unlink")
        ada = await home.link()
        kept = replace(home.store.kept_links[ADA.key], access=kept.access)
    asked = READ if change == "scopes" else REFUND
    audience = "https://other.example" if change == "audience" else AUDIENCE
    (access,) = kept.access
    home.store.kept_links[ADA.key] = replace(kept, access=(replace(access, scopes=asked, audience=audience),))
    refreshes = home.provider.refreshes
    with pytest.raises(SealBroken):
        await home.rooms.broker.token(ada, asked, audience)
    assert home.provider.refreshes == refreshes
    assert home.observer.entries()[-1] == ("token.refused", "denied", "seal_broken")
