"""The provider's public keys: few fetches, and known keys that outlive an outage."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oauth.errors import ProviderUnavailable, TokenInvalid
from oauth.keys import SigningKeys
from tests.conftest import HandClock
from tests.fakes.provider import public_jwk, signing_key


class Published:
    """A JWK Set behind a counter; `away` for an outage, `gate` for a fetch that hangs."""

    def __init__(self, *kids: str) -> None:
        self.keys: list[Any] = [public_jwk(signing_key(), kid) for kid in kids]
        self.fetches = 0
        self.away = False
        self.gate: asyncio.Event | None = None

    async def __call__(self) -> dict[str, Any]:
        self.fetches += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise ProviderUnavailable
        return {"keys": self.keys}


async def test_a_key_is_fetched_once(clock: HandClock) -> None:
    """A hundred tokens at once cost one fetch."""
    published = Published("a")
    keys = SigningKeys(published, clock)
    found = await asyncio.gather(*(keys.get("a") for _ in range(100)))
    assert published.fetches == 1
    assert {key.key_id for key in found} == {"a"}


async def test_t31_invented_ids_cause_few_fetches(clock: HandClock) -> None:
    """10,000 unknown ids in a minute cost a dozen fetches (guard: `_PATIENCE` in `SigningKeys.get`)."""
    published = Published("a")
    keys = SigningKeys(published, clock)
    for n in range(10_000):
        with pytest.raises(TokenInvalid):
            await keys.get(f"invented-{n}")
        clock.forward(seconds=60 / 10_000)
    assert published.fetches <= 13


async def test_t31_rotation_recovers_in_seconds(clock: HandClock) -> None:
    """A new key is found as soon as the patience is over, even while invented ids keep coming (guard: an unknown id
    renews the set in `SigningKeys.get`)."""
    published = Published("a")
    keys = SigningKeys(published, clock)
    await keys.get("a")
    published.keys = [public_jwk(signing_key(), "b")]
    with pytest.raises(TokenInvalid):
        await keys.get("b")
    for n in range(50):
        with pytest.raises(TokenInvalid):
            await keys.get(f"invented-{n}")
        clock.forward(seconds=5 / 50)
    assert (await keys.get("b")).key_id == "b"
    assert published.fetches == 2


async def test_t31_known_keys_outlive_an_outage(clock: HandClock) -> None:
    """Keys that are due for renewal go on while the provider cannot be reached, and while it hangs (guards: what
    `SigningKeys._renew` keeps, and `locked` in `SigningKeys.get`)."""
    published = Published("a")
    keys = SigningKeys(published, clock)
    await keys.get("a")
    clock.forward(hours=7)
    published.away = True
    assert (await keys.get("a")).key_id == "a"
    assert published.fetches == 2
    clock.forward(seconds=6)
    published.gate = asyncio.Event()
    hanging = asyncio.create_task(keys.get("a"))
    await asyncio.sleep(0)
    assert (await asyncio.wait_for(keys.get("a"), 5)).key_id == "a"  # a deadlock should fail, and not hang
    published.gate.set()
    assert (await hanging).key_id == "a"


@pytest.mark.parametrize("listed", [[], None, [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]])
async def test_t31_known_keys_outlive_a_set_without_keys(clock: HandClock, listed: object) -> None:
    """An outage may look like an answer; the set is asked for again after five seconds, and no sooner (guard: `if keys`
    in `SigningKeys._renew`)."""
    published = Published("a")
    keys = SigningKeys(published, clock)
    await keys.get("a")
    published.keys = listed  # type: ignore[assignment]
    clock.forward(hours=7)
    for _ in range(3):
        assert (await keys.get("a")).key_id == "a"
    assert published.fetches == 2
    clock.forward(seconds=5)
    assert (await keys.get("a")).key_id == "a"
    assert published.fetches == 3


async def test_t71_a_fetch_that_hangs_is_not_repeated_by_all_who_wait(clock: HandClock) -> None:
    """The patience counts from the end of a fetch, so fifty callers share one that failed late."""
    published = Published()
    published.away, published.gate = True, asyncio.Event()
    keys = SigningKeys(published, clock)
    waiting = [asyncio.create_task(keys.get("a")) for _ in range(50)]
    await asyncio.sleep(0)
    clock.forward(seconds=10)
    published.gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ProviderUnavailable}
    assert published.fetches == 1


async def test_keys_are_renewed_after_hours(clock: HandClock) -> None:
    """A key that was withdrawn is not trusted for ever."""
    published = Published("a")
    keys = SigningKeys(published, clock)
    await keys.get("a")
    published.keys = [public_jwk(signing_key(), "b")]
    clock.forward(hours=6)
    with pytest.raises(TokenInvalid):
        await keys.get("a")


async def test_keys_for_other_uses_and_broken_ones_are_left_out(clock: HandClock) -> None:
    """A symmetric key, one for encryption, and nonsense of every kind do not stop the good one."""
    published = Published("a")
    good = published.keys[0]
    published.keys = [
        {"kty": "oct", "kid": "s", "k": "c2VjcmV0"},
        {**good, "kid": "e", "use": "enc"},
        {"kty": "RSA", "kid": "n"},
        {**good, "kid": "x", "n": 7},
        {**good, "kid": ["list"]},
        {**good, "kid": "l", "alg": ["RS256"]},
        {**good, "kid": "z", "alg": "none"},
        {"kty": "EC", "kid": "c", "crv": "P-256", "x": "AA", "y": "AA"},
        "text",
        None,
        good,
    ]
    keys = SigningKeys(published, clock)
    assert (await keys.get("a")).key_id == "a"
    for kid in ("s", "e", "n", "x", "c", "l", "z"):
        with pytest.raises(TokenInvalid):
            await keys.get(kid)


async def test_a_lone_key_serves_tokens_that_name_none(clock: HandClock) -> None:
    """With two keys published a token has to say which."""
    assert (await SigningKeys(Published("a"), clock).get(None)).key_id == "a"
    with pytest.raises(TokenInvalid):
        await SigningKeys(Published("a", "b"), clock).get(None)


@pytest.mark.parametrize("listed", [None, "text", {}, []])
async def test_a_set_without_keys_is_an_outage(clock: HandClock, listed: object) -> None:
    """Nothing usable was ever seen, so nobody's token is called false."""
    published = Published()
    published.keys = listed  # type: ignore[assignment]
    with pytest.raises(ProviderUnavailable):
        await SigningKeys(published, clock).get("a")
