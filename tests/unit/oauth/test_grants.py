"""Grants that end: noted first, revoked at the provider, and tried until that is done."""

from __future__ import annotations

import pytest

from oauth import Vault
from oauth.errors import StoreUnavailable
from oauth.grants import Grant, Revoker
from oauth.models import Identity, Subject
from oauth.tickets import Stage
from tests.fakes.house import ADA, ADA_MAIL, BOB_MAIL, EVE_MAIL, House, token_keys

IDENTITY = Identity("https://tenant.example/", Subject("auth0|ada"), ADA_MAIL, "Ada", "org_1")


def revoker_of(home: House, vault: Vault | None = None) -> Revoker:
    """The revoker on its own."""
    return Revoker(home.store, vault or home.vault, home.provider, home.clock)


def test_a_grant_survives_its_sealing() -> None:
    """Every field comes back, and the token shows in no log line."""
    grant = Grant(IDENTITY, "refresh-1", frozenset({"a", "b"}), "session-1")
    assert Grant.from_bytes(grant.to_bytes()) == grant
    assert "refresh-1" not in repr(grant)


async def test_a_token_that_must_end_is_revoked_and_forgotten(home: House) -> None:
    """The provider hears of it once, and no note is left."""
    await revoker_of(home).discard("refresh-1")
    assert home.provider.revoked == ["refresh-1"]
    assert home.store.kept_revocations == {}


async def test_t33_a_note_holds_no_token(home: House) -> None:
    """What waits for the provider is sealed."""
    await revoker_of(home).queue("refresh-1")
    assert "refresh-1" not in home.store.dump()


async def test_no_token_is_nothing_to_end(home: House) -> None:
    """A login without a refresh token leaves nothing behind."""
    await revoker_of(home).discard(None)
    await revoker_of(home).discard("")
    assert (home.provider.revoked, home.store.kept_revocations) == ([], {})


async def test_an_outage_only_delays_a_revocation(home: House) -> None:
    """The note stays, is not tried again at once, and is done when the provider is back."""
    revoker = revoker_of(home)
    home.provider.away = True
    await revoker.discard("refresh-1")
    home.provider.away = False
    await revoker.sweep()
    assert home.provider.revoked == []
    home.clock.forward(minutes=1)
    await revoker.sweep()
    assert (home.provider.revoked, home.store.kept_revocations) == (["refresh-1"], {})


async def test_t74_a_note_outlives_whoever_wrote_it(home: House) -> None:
    """After a crash between note and revocation the sweep of any replica finishes it, and not before it is due."""
    await revoker_of(home).queue("refresh-1")
    await revoker_of(home).sweep()
    assert home.provider.revoked == []
    home.clock.forward(seconds=15)
    await revoker_of(home).sweep()
    assert home.provider.revoked == ["refresh-1"]


async def test_t71_a_provider_that_is_down_is_asked_once_a_round(home: House) -> None:
    """The first failure ends the round: a hundred notes must not wait for a hundred time-outs."""
    revoker = revoker_of(home)
    for n in range(5):
        await revoker.queue(f"refresh-{n}")
    home.clock.forward(minutes=1)
    home.provider.away = True
    home.store.calls.clear()
    await revoker.sweep()
    assert home.store.calls["put_off"] == 1


async def test_a_note_that_does_not_open_stops_no_other(home: House) -> None:
    """One whose key is gone is put off for a day; the next one is revoked."""
    await revoker_of(home, Vault(token_keys("k9"))).queue("lost")
    await revoker_of(home).queue("refresh-1")
    home.clock.forward(minutes=1)
    await revoker_of(home).sweep()
    assert home.provider.revoked == ["refresh-1"]
    assert len(home.store.kept_revocations) == 1
    assert await home.store.revocations(home.clock()) == []


async def test_the_grant_of_a_superseded_login_ends(home: House) -> None:
    """A new link, and beginning anew with the same link, revoke what the earlier login had brought."""
    await home.return_as(ADA, EVE_MAIL)
    secret = await home.start(ADA)
    assert home.provider.living == []
    await home.rooms.linking.returned(**await home.sign_in(secret, EVE_MAIL))
    await home.rooms.linking.go_on(secret, "browser-2")
    assert home.provider.living == []
    assert home.store.kept_tickets[ADA.key].stage is Stage.STARTED


async def test_the_grant_of_an_expired_login_ends(home: House) -> None:
    """Nobody typed the code: the sweep revokes, and does so once."""
    await home.return_as(ADA, EVE_MAIL)
    await home.rooms.sweep()
    assert len(home.provider.living) == 1
    home.clock.forward(minutes=10)
    await home.rooms.sweep()
    await home.rooms.sweep()
    assert (home.provider.living, len(home.provider.revoked)) == ([], 1)


@pytest.mark.parametrize("step", ["advance", "queue_revocation", "revoked"])
async def test_t74_a_crash_while_a_grant_ends_is_made_good(home: House, step: str) -> None:
    """It leaves the ticket only when it is noted: killed before any step, the sweep of another replica finishes."""
    await home.return_as(ADA, BOB_MAIL)

    async def killed() -> None:
        raise SystemExit

    home.store.first[step] = killed
    with pytest.raises(SystemExit):
        await revoker_of(home).end_ticket(home.store.kept_tickets[ADA.key])
    home.clock.forward(minutes=11)
    await home.replica().rooms.sweep()
    assert home.provider.living == []
    assert home.store.kept_revocations == {}


async def test_without_the_store_a_grant_is_revoked_directly(home: House) -> None:
    """What cannot be noted is tried at once; only if the provider is away too, the caller hears of it."""
    home.store.away = True
    await revoker_of(home).discard("refresh-1")
    assert home.provider.revoked == ["refresh-1"]
    home.provider.away = True
    with pytest.raises(StoreUnavailable):
        await revoker_of(home).discard("refresh-2")
