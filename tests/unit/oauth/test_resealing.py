"""Key rotation: everything comes under the first key, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from oauth import StoredSecret, Vault
from oauth.resealing import Resealer
from tests.conftest import HandClock
from tests.fakes.house import ADA, BOB, EVE_MAIL, House, house, token_keys
from tests.fakes.link_store import MemoryLinkStore
from tests.fakes.provider import AUDIENCE, SCOPES

ONE = frozenset({SCOPES[0]})


async def full(home: House) -> None:
    """A link with an access token, a ticket that waits for its code, and a note for the provider."""
    principal = await home.link(ADA)
    await home.rooms.broker.token(principal, ONE, AUDIENCE)
    await home.return_as(BOB, EVE_MAIL)
    home.provider.away = True
    await home.rooms.links.unlink(BOB, "unlink")
    home.provider.away = False
    await home.return_as(BOB, EVE_MAIL)


async def old(home: House, vault: Vault) -> int:
    """How many secrets are not under the vault's first key."""
    return len([s async for s in home.store.secrets() if not vault.current(s.sealed)])


async def test_t35_everything_comes_under_the_first_key(home: House) -> None:
    """Afterwards the old key is not needed, and link, code and note work."""
    await full(home)
    both, new = Vault(token_keys("k2", "k1")), Vault(token_keys("k2"))
    assert await old(home, both) == 5
    assert (await Resealer([home.store], both).run()).done == 5
    assert await old(home, both) == 0
    home.vault = new
    later = home.replica()
    principal = await later.rooms.links.principal(ADA)
    assert principal is not None
    assert (await later.rooms.broker.token(principal, ONE, AUDIENCE)).scopes == ONE
    home.clock.forward(minutes=30)
    await later.rooms.sweep()
    assert len(home.provider.living) == 1


async def test_t35_a_rotation_that_was_killed_goes_on(home: House) -> None:
    """Killed after each single step and begun anew, it ends with every secret under the first key."""
    await full(home)
    both = Vault(token_keys("k2", "k1"))
    for left in (4, 3, 2, 1, 0):

        async def one_step() -> None:
            async def killed() -> None:
                raise SystemExit

            home.store.first["swap"] = killed

        home.store.first["swap"] = one_step
        if left == 0:
            await Resealer([home.store], both).run()
        else:
            with pytest.raises(SystemExit):
                await Resealer([home.store], both).run()
        assert await old(home, both) == left


async def test_t35_a_refresh_in_between_is_not_undone(home: House) -> None:
    """A token that was saved after the old one was read stays, and the next pass seals it anew."""
    principal = await home.link(ADA)
    broker = home.replica().rooms.broker
    home.store.first["swap"] = lambda: broker.token(principal, ONE, AUDIENCE)
    both = Vault(token_keys("k2", "k1"))
    await Resealer([home.store], both).run()
    assert await old(home, both) == 0
    home.vault = Vault(token_keys("k2"))
    home.clock.forward(hours=2)
    await home.replica().rooms.broker.token(principal, ONE, AUDIENCE)
    assert len(home.provider.living) == 1


async def test_t35_what_no_key_opens_is_named_and_left(home: House) -> None:
    """The operator learns which record it is; the others are done."""
    await home.link(ADA)
    await home.link(BOB)
    home.store.kept_links[BOB.key] = replace(home.store.kept_links[BOB.key], sealed_refresh="lost")
    resealed = await Resealer([home.store], Vault(token_keys("k2", "k1"))).run()
    assert (resealed.done, resealed.broken) == (1, (("links", BOB.key),))


async def test_t35_what_is_sealed_behind_a_pass_is_met_by_the_next(home: House) -> None:
    """A replica that still seals under the old key writes among what was passed; it is not left so.

    (guard: `if not met` in `Resealer.run`)
    """
    await home.link(BOB)
    home.store.first["swap"] = lambda: home.link(ADA)
    both = Vault(token_keys("k2", "k1"))
    resealed = await Resealer([home.store], both).run()
    assert (resealed.left, await old(home, both)) == (0, 0)


async def test_t35_who_goes_on_under_the_old_key_is_noticed(home: House) -> None:
    """The operator must not be told that nothing is left while something comes up in each pass.

    (guard: `met` in the `Resealed` of `Resealer.run`)
    """
    await home.link(BOB)
    former = home.store.kept_links[BOB.key]

    class Undone:
        """A keeper beside a replica that puts the old form back each time."""

        def secrets(self) -> AsyncIterator[StoredSecret]:
            """What is kept."""
            return home.store.secrets()

        async def swap(self, secret: StoredSecret, sealed: str) -> bool:
            """Swapped, and back at once."""
            done = bool(await home.store.swap(secret, sealed))
            home.store.kept_links[BOB.key] = former
            return done

    resealed = await Resealer([Undone()], Vault(token_keys("k2", "k1"))).run()
    assert (resealed.left, resealed.broken) == (1, ())


async def test_t35_every_keeper_is_gone_over(home: House, clock: HandClock) -> None:
    """Each of several, and what they have in all is counted (guard: the loop over the keepers in `Resealer.run`)."""
    other = house(MemoryLinkStore(clock), home.provider, home.observer, home.vault, clock)
    heard: list[tuple[int, int]] = []
    await home.link(ADA)
    await other.link(BOB)
    both = Vault(token_keys("k2", "k1"))
    resealed = await Resealer([home.store, other.store], both).run(lambda done, seen: heard.append((done, seen)))
    assert (resealed.done, resealed.left, resealed.broken) == (2, 0, ())
    assert (await old(home, both), await old(other, both)) == (0, 0)
    assert heard == [(1, 1), (2, 2), (2, 1), (2, 2)]


async def test_the_rooms_reseal_what_they_keep(home: House) -> None:
    """The operator's command is one call, and with nothing to do it does nothing."""
    await home.link(ADA)
    home.vault = Vault(token_keys("k2", "k1"))
    assert (await home.replica().rooms.reseal()).done == 1
    assert (await home.replica().rooms.reseal()).done == 0


async def test_t35_a_refresh_under_way_brings_nothing_back_under_the_old_key(home: House) -> None:
    """It read its link before everything was sealed anew, and saves it after (guards: `current` in `Refresher._with`
    and in `Shelf.keep`)."""
    ada = await home.link()
    await home.rooms.broker.token(ada, ONE, AUDIENCE)
    both = Vault(token_keys("k2", "k1"))

    async def rotated() -> None:
        await Resealer([home.store], both).run()

    home.provider.hold = rotated
    writing = replace(home, vault=both).replica()
    assert await writing.rooms.broker.token(ada, frozenset({SCOPES[1]}), AUDIENCE)
    assert await old(home, both) == 0


async def test_t35_a_token_that_is_not_rotated_is_not_brought_back_under_the_old_key(home: House) -> None:
    """An exchange for a third party's token leaves the refresh token as it is, and saves it again after everything was
    sealed anew (guard: `current` in `Refresher._with`)."""
    ada = await home.link()
    home.provider.accounts[ada.sub, "almanac"] = ONE
    both = Vault(token_keys("k2", "k1"))

    async def rotated() -> None:
        await Resealer([home.store], both).run()

    home.store.first["save"] = rotated
    assert await replace(home, vault=both).replica().rooms.broker.connected(ada, "almanac", ONE)
    assert await old(home, both) == 0
