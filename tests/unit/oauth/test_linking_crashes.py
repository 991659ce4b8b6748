"""Linking that breaks off: no grant is left behind, and no link that stands is undone."""

from __future__ import annotations

import pytest

from oauth import SlackProfile
from oauth.errors import (
    EmailDiffers,
    StoreUnavailable,
)
from tests.fakes.house import ADA, ADA_MAIL, EVE_MAIL, PUBLIC_URL, House, outcome


@pytest.mark.parametrize("step", ["advance", "holder", "add_link"])
@pytest.mark.parametrize("email", [ADA_MAIL, EVE_MAIL])
async def test_t74_a_store_that_fails_leaves_no_grant_behind(home: House, step: str, email: str) -> None:
    """Wherever linking breaks off after the exchange, nobody is linked and the grant ends."""
    answer = await home.sign_in(await home.start(), email)

    async def fails_from_now_on() -> None:
        home.store.fails[step] = 1

    home.provider.hold = fails_from_now_on
    if email == ADA_MAIL or step == "advance":
        with pytest.raises(StoreUnavailable):
            await home.rooms.linking.returned(**answer)
    else:
        returned = await home.rooms.linking.returned(**answer)
        with pytest.raises(StoreUnavailable):
            await home.rooms.linking.enter_code(ADA, str(returned.code))
    assert await home.rooms.links.principal(ADA) is None
    assert home.provider.living == []


async def test_t74_a_grant_ends_even_while_the_store_is_away(home: House) -> None:
    """What cannot be noted is revoked at once; if that fails too, the failure is told."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)

    async def store_away() -> None:
        home.store.away = True

    home.provider.hold = store_away
    with pytest.raises(StoreUnavailable):
        await home.rooms.linking.returned(**answer)
    assert home.provider.living == []


async def test_t74_a_link_that_stands_outlives_a_crash_right_after(home: House) -> None:
    """The grant is still in the ticket, but the sweep sees that it did become the link and revokes nothing."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    home.store.loses_answer_of.add("add_link")

    async def crash() -> None:
        raise SystemExit

    home.store.first["queue_revocation"] = crash
    with pytest.raises(SystemExit):
        await home.rooms.linking.returned(**answer)
    home.clock.forward(minutes=11)
    await home.replica().rooms.sweep()
    assert await home.rooms.links.principal(ADA) is not None
    assert len(home.provider.living) == 1
    assert home.store.kept_tickets[ADA.key].sealed_grant is None


async def test_t74_a_claim_without_a_link_is_made_good(home: House) -> None:
    """Killed between claiming the ticket and making the link: the sweep revokes what was left in it."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)

    async def crash() -> None:
        raise SystemExit

    home.store.first["holder"] = crash
    home.store.first["queue_revocation"] = crash
    with pytest.raises(SystemExit):
        await home.rooms.linking.returned(**answer)
    assert len(home.provider.living) == 1
    home.clock.forward(minutes=11)
    await home.replica().rooms.sweep()
    assert home.provider.living == []


async def test_old_names_and_addresses_do_not_stay(home: House) -> None:
    """A ticket is forgotten a day after its time."""
    await home.start()
    home.clock.forward(days=1, minutes=11)
    await home.rooms.sweep()
    assert home.store.kept_tickets == {}


async def test_the_link_is_built_on_the_configured_address(home: House) -> None:
    """Nothing of a request decides where a link points to."""
    started = await home.rooms.linking.start(ADA, SlackProfile("https://evil.example", "x"))
    assert started.url is not None
    assert started.url.startswith(f"{PUBLIC_URL}/link/")
    assert started.url not in repr(started)


async def test_with_proof_by_email_another_address_is_refused(home: House) -> None:
    """No code is offered, and the grant ends."""
    strict = home.replica(proof="email")
    assert await outcome(strict, await strict.sign_in(await strict.start(), EVE_MAIL)) is EmailDiffers
    assert home.provider.living == []
