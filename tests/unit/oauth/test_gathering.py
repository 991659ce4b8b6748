"""Reads that go out together: each caller gets its own answer, newer than its question."""

from __future__ import annotations

import asyncio

import pytest

from oauth.errors import StoreUnavailable
from oauth.gathering import Gathered


class Shop:
    """Answers a read when it is told to, with what is there at that moment."""

    def __init__(self) -> None:
        self.there = {"a": 1, "b": 2}
        self.reads: list[list[str]] = []
        self.go_on = asyncio.Event()
        self.away = False

    async def read(self, keys: list[str]) -> dict[str, int]:
        self.reads.append(keys)
        found = {key: self.there[key] for key in keys if key in self.there}
        await self.go_on.wait()
        if self.away:
            raise StoreUnavailable
        return found


async def turns(count: int = 5) -> None:
    """Let others come first."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_asked_in_one_moment_is_one_read() -> None:
    """Fifty callers for two keys, and one that is not there: one read that names each once."""
    shop = Shop()
    shop.go_on.set()
    gathered = Gathered(shop.read)
    found = await asyncio.gather(*(gathered.get(key) for key in ["a", "b", "c"] * 17))
    assert found == [1, 2, None] * 17
    assert shop.reads == [["a", "b", "c"]]


async def test_nobody_gets_what_was_read_before_they_asked() -> None:
    """A read that is on its way is not joined: a link that ends after its beginning would look alive."""
    shop = Shop()
    gathered = Gathered(shop.read)
    early = asyncio.create_task(gathered.get("a"))
    await turns()
    shop.there["a"] = 7
    late = asyncio.create_task(gathered.get("a"))
    await turns()
    shop.go_on.set()
    assert (await early, await late) == (1, 7)
    assert shop.reads == [["a"], ["a"]]


async def test_under_load_what_waits_goes_with_the_next_read() -> None:
    """No more than so many at once; what is asked meanwhile goes out as one when the first is back."""
    shop = Shop()
    gathered = Gathered(shop.read, at_once=2)
    first = []
    for key in ("a", "b"):
        first.append(asyncio.create_task(gathered.get(key)))
        await turns()
    waiting = [asyncio.create_task(gathered.get(key)) for key in ("a", "c", "b")]
    await turns()
    assert shop.reads == [["a"], ["b"]]
    shop.go_on.set()
    assert await asyncio.gather(*first, *waiting) == [1, 2, 1, None, 2]
    assert shop.reads[2:] == [["a", "c", "b"]]


async def test_a_failure_reaches_everybody_who_asked_and_nobody_else() -> None:
    """The next read is a new one."""
    shop = Shop()
    gathered = Gathered(shop.read)
    asked = [asyncio.create_task(gathered.get(key)) for key in ("a", "b", "a")]
    await turns()
    shop.away = True
    shop.go_on.set()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in outcomes] == [StoreUnavailable] * 3
    shop.away = False
    assert await gathered.get("a") == 1


async def test_who_goes_away_does_not_take_the_others_along() -> None:
    """A caller that is cancelled leaves the read and its neighbours alone."""
    shop = Shop()
    gathered = Gathered(shop.read)
    gone, stays = (asyncio.create_task(gathered.get("a")) for _ in range(2))
    await turns()
    gone.cancel()
    await turns()
    shop.go_on.set()
    assert await stays == 1
    with pytest.raises(asyncio.CancelledError):
        await gone
