"""Three replicas at a provider that ends the family when a refresh token is used twice: one refresh, least token."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from tests.foreign import rig
from tests.foreign.people import Person
from tests.foreign.product import World, world
from tests.foreign.test_whole_job import asked, assert_trail_holds
from tests.foreign.token_endpoint import over

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS, PARCELS = rig.AUDIENCE, rig.PARCELS
# Each needs a token of its own: what is typed, what the answer holds, and the token's audience and scopes.
READING = {
    "show_order order_id=A-1": ("Countess", ORDERS, {"orders:read"}),
    "show_refund order_id=A-1": ("refunded", ORDERS, {"orders:refund"}),
    "review_order order_id=A-1": ("Countess", ORDERS, {"orders:read", "orders:refund"}),
    "see_hours": ("day and night", ORDERS, set()),
    "show_parcel order_id=P-1": ("Lovelace Road", PARCELS, {"parcels:read"}),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Three replicas, two APIs; each test has people of its own."""
    async with world(mongo_uri, tmp_path_factory.mktemp("tokens"), replicas=3, parcels=True) as made:
        yield made
        await assert_trail_holds(made)


async def arrive(built: World, *names: str, texts: Sequence[str]) -> None:
    """They link, and run these; then the tokens of all that are over, and the next ones will last."""
    await built.token_endpoint.gives_for(1)
    for name in names:
        await built.links(built.workspace.person(name))
    await asyncio.gather(*(asked(built.workspace.person(name), f"run {text}") for name in names for text in texts))
    subs = {f"person-{name}" for name in names}
    await over(*(each["access_token"] for each in await built.provider.issued() if each["sub"] in subs))
    await built.token_endpoint.gives_for(300)


async def alive(built: World, name: str) -> None:
    """Of all refresh tokens that were given for the person the newest alone is good, and the link stands."""
    states = [each["state"] for each in await built.provider.issued(f"person-{name}")]
    assert states == ["spent"] * (len(states) - 1) + ["live"]
    assert "you are linked to" in await built.workspace.person(name).types("status")


async def test_t36_fifty_commands_on_an_expired_token_are_one_refresh(built: World) -> None:
    """Fifty orders that Ada asks for in one moment at three replicas: the provider is asked once, and each command is
    answered with its own order (guards: the lease, `_under_way` in the broker)."""
    await arrive(built, "ada", texts=["show_order order_id=A-1"])
    before = len(await built.token_endpoint.refreshes("person-ada"))
    ada = built.spread("ada", 50)
    answers = await asyncio.gather(
        *(asked(person, f"run show_order order_id=B-{at}") for at, person in enumerate(ada, 1))
    )
    wrong = [answer for at, answer in enumerate(answers, 1) if f"Customer {at} of 60" not in answer]
    assert wrong == []
    assert [each["status"] for each in await built.token_endpoint.refreshes("person-ada", before)] == [200]
    calls = [call for call in await built.shop.calls("person-ada") if call["path"].startswith("/orders/B-")]
    assert (len(calls), len({call["jti"] for call in calls})) == (50, 1)
    await alive(built, "ada")


async def test_t36_one_refresh_in_each_round_of_expiry(built: World) -> None:
    """Several people at all replicas, five times in a row on a token that is over: one refresh a person and round
    (guards: as above)."""
    names = ("bob", "carol", "dan")
    await arrive(built, *names, texts=list(READING))
    for number, (text, (shown, *_)) in enumerate(READING.items(), 1):
        before = {name: len(await built.token_endpoint.refreshes(f"person-{name}")) for name in names}
        people: list[Person] = [person for name in names for person in built.spread(name, 6)]
        answers = await asyncio.gather(*(asked(person, f"run {text}") for person in people))
        assert [answer for answer in answers if shown not in answer] == []
        for name in names:
            refreshes = await built.token_endpoint.refreshes(f"person-{name}", before[name])
            assert [each["status"] for each in refreshes] == [200], (number, name)
    for name in names:
        await alive(built, name)


async def test_t40_each_call_has_exactly_its_scopes_and_its_audience(built: World) -> None:
    """Five actions of two APIs at once at all replicas: each reaches its API under a token for that and no more, made
    from one refresh token in one refresh each (guards: `scope` and `audience` of the refresh, the lease)."""
    await arrive(built, "eve", texts=[])
    before = len(await built.token_endpoint.refreshes("person-eve"))
    eve = built.spread("eve", 3 * len(READING))
    texts = [text for text in READING for _ in range(3)]
    answers = await asyncio.gather(*(asked(who, f"run {text}") for who, text in zip(eve, texts, strict=True)))
    assert [(text, said) for text, said in zip(texts, answers, strict=True) if READING[text][0] not in said] == []

    assert built.parcels is not None
    calls = [*await built.shop.calls("person-eve"), *await built.parcels.calls("person-eve")]
    had = Counter((call["aud"], frozenset((call["scope"] or "").split())) for call in calls)
    assert had == Counter({(audience, frozenset(scopes)): 3 for _, audience, scopes in READING.values()})

    refreshes = await built.token_endpoint.refreshes("person-eve", before)
    assert {each["status"] for each in refreshes} == {200}
    wanted = Counter((each["audience"], frozenset(each["scope"].split()) - {"openid"}) for each in refreshes)
    assert wanted == Counter({(audience, frozenset(scopes)): 1 for _, audience, scopes in READING.values()})
    await alive(built, "eve")
