"""Three replicas where a refresh goes wrong: a stolen token, an end in the midst of it, an outage, a killed process."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from motor.motor_asyncio import AsyncIOMotorClient

from oauth import Vault
from tests.foreign.client import claims
from tests.foreign.deadline import Deadline
from tests.foreign.people import Message, Person, has_control, words
from tests.foreign.product import World, world
from tests.foreign.test_whole_job import asked, assert_trail_holds, card_for_refund
from tests.foreign.token_endpoint import over, reached

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOW = "run show_order order_id=A-1"
AWAY = "The identity provider does not answer, so nothing was done. Please try again in a minute."
OVER = "Your login is no longer valid at the identity provider, so I can no longer act for you."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Three replicas; each test has people of its own."""
    async with world(mongo_uri, tmp_path_factory.mktemp("ends"), replicas=3) as made:
        yield made
        await assert_trail_holds(made)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _as_ever(built: World) -> AsyncIterator[None]:
    """No test leaves the provider in another mood."""
    yield
    await built.token_endpoint.works()


async def arrive(built: World, name: str, lifetime: int = 1) -> list[Person]:
    """Somebody links and acts, with a token that lives so long; the next ones last. They reach a replica each."""
    person = built.everywhere(name)
    await built.links(person[0])
    await built.token_endpoint.gives_for(lifetime)
    await asked(person[0], SHOW)  # the shop may find the token to be over already
    await built.token_endpoint.gives_for(300)
    return person


async def newest(built: World, name: str) -> dict[str, str]:
    """What the provider gave last for this person."""
    found: dict[str, str] = (await built.provider.issued(f"person-{name}"))[-1]
    return found


async def expired(built: World, name: str) -> None:
    """Wait until the person's token is over."""
    await over((await newest(built, name))["access_token"])


async def told(person: Person) -> list[str]:
    """The direct messages that say that their link has ended."""
    return [said for message in await person.messages() if OVER in (said := words(message))]


async def trail(built: World, name: str, *kinds: str) -> list[tuple[str, str, str]]:
    """(type, outcome, reason) of the person's entries of these types."""
    code, printed = await built.product.command("audit", "export", "--user", f"person-{name}")
    assert code == 0, printed
    found = [json.loads(line) for line in printed.splitlines()]
    return [(each["type"], each["outcome"], each["reason"]) for each in found if each["type"] in kinds]


async def stolen(built: World, person: Person) -> str:
    """The refresh token, as somebody takes it who has the database and the bot's own keys."""
    client: AsyncIOMotorClient[dict[str, str]] = AsyncIOMotorClient(built.environment["MONGODB_URI"])
    try:
        found = await client[built.environment["MONGODB_DATABASE"]]["links"].find_one({"user": person.id})
    finally:
        client.close()
    assert found is not None
    keys = Vault(json.loads(built.environment["TOKEN_KEYS"]))
    return keys.open(found["refresh"], record=f"link:{found['_id']}", name="refresh").decode()


async def is_cancelled(person: Person, card: Message) -> bool:
    """Whether the card of a request says so and can be agreed to no more."""
    now = await person.stands(card)
    return not has_control(now, "approval.approve") and "Cancelled" in words(now)


async def test_t38_a_stolen_refresh_token_ends_the_link_once(built: World) -> None:
    """Somebody else has spent Ada's token: at her next commands, at all replicas, the provider is asked once and ends
    the family, the thief's part too. She is told once, what waited is cancelled, and nobody asks again (guards:
    `remove_link` in `Endings.bury`, the lease)."""
    ada = await arrive(built, "ada")
    card = await card_for_refund(ada[1])
    await expired(built, "ada")
    token = await stolen(built, ada[0])
    taken = await built.provider.asked("token_endpoint", grant_type="refresh_token", refresh_token=token)
    assert await built.provider.active(taken["refresh_token"])
    before = len(await built.token_endpoint.refreshes("person-ada"))

    answers = await asyncio.gather(*(asked(person, SHOW) for person in built.spread("ada", 9)))
    assert [said for said in answers if not re.search("no longer valid|not linked", said)] == []
    assert any("no longer valid" in said for said in answers)

    async def cancelled() -> bool:
        return await is_cancelled(ada[0], card)

    async def heard() -> bool:
        return bool(await told(ada[0]))

    await Deadline(5.0).holds({"the card is cancelled": cancelled, "she is told": heard})
    for person in ada:
        assert "not linked" in await asked(person, SHOW)
        await person.clicks(card, "approval.approve")
        await person.hears("not linked")
    assert len(await told(ada[0])) == 1
    attempts = await built.token_endpoint.refreshes("person-ada", before)
    assert [(each["status"], each["error"]) for each in attempts] == [(400, "invalid_grant")]
    assert not await built.provider.active(taken["refresh_token"])
    assert await trail(built, "ada", "token.refused", "link.revoked", "approval.cancelled") == [
        ("token.refused", "denied", "grant_dead"),
        ("link.revoked", "ok", "grant_dead"),
        ("approval.cancelled", "denied", "unlinked"),
    ]
    assert await built.shop.refunds() == []


async def test_t39_what_is_refreshed_during_unlink_comes_to_nothing(built: World) -> None:
    """Bob unlinks at one replica while the provider's answer is on its way to another: no call, no link, and the token
    in that answer is revoked like the one before it (guards: `generation` and `version` in `save`, `discard`)."""
    bob = await arrive(built, "bob")
    await expired(built, "bob")
    before = len(await built.token_endpoint.refreshes("person-bob"))
    calls = await built.shop.calls("person-bob")
    (former,) = [each["refresh_token"] for each in await built.provider.issued("person-bob") if each["state"] == "live"]
    await built.token_endpoint.holds(True)
    waiting = [asyncio.create_task(asked(person, SHOW)) for person in (bob[1], *built.everywhere("bob"))]
    await built.token_endpoint.spent("person-bob", before)
    assert "You are unlinked" in await bob[2].types("unlink")
    await built.token_endpoint.holds(False)
    for said in await asyncio.gather(*waiting):
        assert "not linked" in said

    latest = (await newest(built, "bob"))["refresh_token"]
    assert latest != former
    revoked = [each["token"] for each in await built.token_endpoint.asked("person-bob", "revocation")]
    assert sorted(revoked) == sorted([former, latest])
    assert {each["state"] for each in await built.provider.issued("person-bob")} == {"gone"}
    for person in bob:
        assert "not linked" in await asked(person, SHOW)
    assert await built.shop.calls("person-bob") == calls
    assert len(await built.token_endpoint.refreshes("person-bob", before)) == 1
    assert await trail(built, "bob", "token.refused", "link.revoked") == [("link.revoked", "ok", "unlink")]


async def test_t71_an_outage_ends_nobody_and_a_good_token_goes_on(built: World) -> None:
    """While the provider answers 503 or 429, Carol, whose token is over, is told so after a few attempts, or at once
    where she would have to wait; Dan's, which should be renewed and is still good, goes on being used. Afterwards all
    is as before (guards: `Retries`, `still_good` in the refresher, 5xx and 429 in `answered`)."""
    endpoint = built.token_endpoint
    carol, dan = await arrive(built, "carol"), await arrive(built, "dan", lifetime=24)
    # Good for ten seconds and a margin of six until eight seconds have gone by, and for ten and two until twelve have.
    renewable = float(claims((await newest(built, "dan"))["access_token"])["iat"]) + 9.0
    await expired(built, "carol")
    before = {name: len(await endpoint.refreshes(f"person-{name}")) for name in ("carol", "dan")}

    async def statuses(name: str) -> list[int]:
        """What came of the refreshes for this action; the rounds of the replicas ask for a token without scopes."""
        found = await endpoint.refreshes(f"person-{name}", before[name])
        return [each["status"] for each in found if each["scope"] == "orders:read"]

    await endpoint.fails(429, retry_after=30)
    assert AWAY in await asked(carol[0], SHOW)
    assert await statuses("carol") == [429]

    await endpoint.fails(503)
    waiting = asyncio.create_task(asked(carol[1], SHOW))
    await reached(renewable)
    for person in dan:
        assert "Countess" in await asked(person, SHOW)
    assert AWAY in await waiting
    assert await statuses("carol") == [429] + [503] * 4
    assert set(await statuses("dan")) == {503}
    assert len({call["jti"] for call in await built.shop.calls("person-dan")}) == 1

    await endpoint.works()
    await reached(time.time() + 5.5)  # for five seconds a replica whose attempt failed makes no other for a good token
    for name, people in (("carol", carol), ("dan", dan)):
        for person in people:
            assert "Countess" in await asked(person, SHOW)
        assert (await statuses(name)).count(200) == 1
        assert (await newest(built, name))["state"] == "live"
        assert await told(people[0]) == []
        assert await trail(built, name, "link.revoked") == []


async def test_t37_a_replica_dies_between_answer_and_save(built: World) -> None:
    """Killed while the provider's answer to it is on its way, for Eve and for Mallory. The provider forgives Eve's
    spent token for a while, so the other replicas keep her link, though she does not ask; Mallory's is over: one
    message, one entry, and a new login that works (guards: `recover` in the round, `left` of a lease)."""
    endpoint = built.token_endpoint
    eve, mallory = await arrive(built, "eve"), await arrive(built, "mallory")
    await expired(built, "mallory")
    await endpoint.forgives("person-eve", 60)
    await endpoint.holds(True)
    before = {name: len(await endpoint.refreshes(f"person-{name}")) for name in ("eve", "mallory")}
    for name, people in (("eve", eve), ("mallory", mallory)):
        await people[2].types(SHOW)
        await endpoint.spent(f"person-{name}", before[name])
    await built.replicas[2].end(signal.SIGKILL)
    within = Deadline(15.0)
    await endpoint.holds(False)

    async def kept() -> bool:
        return len(await endpoint.refreshes("person-eve", before["eve"])) == 2

    async def heard() -> bool:
        return bool(await told(mallory[0]))

    await within.holds({"Eve's token is asked for again": kept, "Mallory is told": heard})
    for person in eve[:2]:
        assert "Countess" in await asked(person, SHOW)
    assert {each["status"] for each in await endpoint.refreshes("person-eve", before["eve"])} == {200}
    assert (await newest(built, "eve"))["state"] == "live"
    assert await told(eve[0]) == []

    attempts = await endpoint.refreshes("person-mallory", before["mallory"])
    assert [each["status"] for each in attempts] == [200, 400]
    assert {each["state"] for each in await built.provider.issued("person-mallory")} == {"gone"}
    assert "not linked" in await asked(mallory[0], SHOW)
    await built.links(mallory[0])
    await built.replicas[2].start()
    for person in (*mallory, eve[2]):
        assert "Countess" in await asked(person, SHOW)
    assert len(await told(mallory[0])) == 1
    assert await trail(built, "mallory", "token.refused", "link.revoked") == [
        ("token.refused", "denied", "grant_dead"),
        ("link.revoked", "ok", "grant_dead"),
    ]


async def test_t37_an_answer_is_lost_on_its_way(built: World) -> None:
    """The provider's answer to one refresh of Eve's and one of Mallory's gets lost. Where the spent token is forgiven
    Eve has what she asked for and never hears of it; Mallory's link ends, once, with the way to a new one (guards: a
    second attempt in `Retries`, `bury`)."""
    endpoint = built.token_endpoint
    await endpoint.forgives("person-eve", 60)
    for name in ("eve", "mallory"):
        person = await arrive(built, name)
        heard, entries = len(await told(person[0])), len(await trail(built, name, "token.refused", "link.revoked"))
        before = len(await endpoint.refreshes(f"person-{name}"))
        await expired(built, name)
        await endpoint.loses(1)
        answer = await asked(person[1], SHOW)
        statuses = [each["status"] for each in await endpoint.refreshes(f"person-{name}", before)]
        ended = (await trail(built, name, "token.refused", "link.revoked"))[entries:]
        if name == "eve":
            assert "Countess" in answer
            assert (statuses, ended) == ([200, 200], [])
            assert (await newest(built, name))["state"] == "live"
        else:
            assert "no longer valid" in answer
            assert "not linked" in await asked(person[2], SHOW)
            assert statuses == [200, 400]
            assert [kind for kind, *_ in ended] == ["token.refused", "link.revoked"]
            await person[0].sees(OVER)
        assert len(await told(person[0])) == heard + (name == "mallory")
