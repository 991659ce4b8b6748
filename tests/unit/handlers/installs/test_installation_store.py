"""Installations and their tokens in the database; `state` of an installation under way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.database import Database, connect
from handlers.installs.records import installed
from handlers.installs.store import MongoInstallationStore, MongoStateStore
from oauth import StoredSecret, Vault
from oauth.errors import SealBroken, StoreUnavailable
from tests.conftest import HandClock
from tests.unit.handlers.installs.granted import granted


async def test_what_was_installed_is_found_by_its_workspace(store: MongoInstallationStore, vault: Vault) -> None:
    """By Slack's SDK and by us, with the token that was granted; another workspace is not there."""
    await store.async_save(granted())
    bot = await store.async_find_bot(enterprise_id=None, team_id="T1")
    assert bot is not None
    assert (bot.bot_token, bot.bot_user_id, bot.team_id) == ("xoxb-canary", "UBOT", "T1")
    found = await store.find(["T1", "E1"])
    assert found is not None
    assert found.token(vault) == "xoxb-canary"
    assert await store.find(["T2"]) is None
    assert await store.async_find_bot(enterprise_id=None, team_id="T2") is None


async def test_t33_no_bot_token_is_in_the_database(store: MongoInstallationStore, mongo_database: Database) -> None:
    """Neither the token nor the refresh token stands in the collection (guard: `Vault.seal` in `installed`)."""
    await store.async_save(granted(bot_refresh_token="xoxe-canary", bot_token_expires_at=1_700_043_200))
    (kept,) = [one async for one in mongo_database["installs"].find()]
    assert "canary" not in repr(kept)


async def test_t34_a_token_moved_to_another_workspace_does_not_open(
    store: MongoInstallationStore, mongo_database: Database, vault: Vault
) -> None:
    """Sealed for its own record (guard: the record's name in `Installed.token`)."""
    await store.async_save(granted())
    await store.async_save(granted("T2", token="xoxb-two"))
    first = await mongo_database["installs"].find_one({"_id": "T1"})
    assert first is not None
    await mongo_database["installs"].update_one({"_id": "T2"}, {"$set": {"token": first["token"]}})
    moved = await store.find(["T2"])
    assert moved is not None
    with pytest.raises(SealBroken):
        moved.token(vault)


async def test_an_organization_stands_for_its_workspaces(store: MongoInstallationStore) -> None:
    """Installed for a whole organization, it is found by that; a workspace's own installation comes first."""
    await store.async_save(granted(None, "E1", token="xoxb-org"))
    wide = await store.find(["T1", "E1"])
    assert wide is not None
    assert (wide.key, wide.here("T1").team, wide.here("T1").enterprise) == ("E1", "T1", "E1")
    await store.async_save(granted("T1", "E1"))
    own = await store.find(["T1", "E1"])
    assert own is not None
    assert own.key == "T1"


async def test_installed_again_it_is_another_installation(store: MongoInstallationStore, vault: Vault) -> None:
    """The newer token counts, and what began from the older one saves nothing."""
    await store.async_save(granted())
    former = await store.find(["T1"])
    await store.async_save(granted(token="xoxb-newer"))
    assert former is not None
    assert not await store.rotated(former, former.as_bot(vault))
    latest = await store.find(["T1"])
    assert latest is not None
    assert latest.token(vault) == "xoxb-newer"


async def test_t61_what_was_left_is_found_no_more(store: MongoInstallationStore, clock: HandClock) -> None:
    """From the mark on it is no installation; it waits for its end, and then is gone (guard: `left_at` in `find`)."""
    await store.async_save(granted())
    assert await store.leave("T1", clock(), datetime.fromtimestamp(1_700_000_005, UTC))
    assert await store.find(["T1"]) is None
    assert not await store.leave("T1", clock(), clock())
    (left,) = [one async for one in store.left()]
    await store.forget(left)
    assert [one async for one in store.left()] == []


async def test_t61_an_old_word_does_not_end_a_newer_installation(
    store: MongoInstallationStore, clock: HandClock
) -> None:
    """Slack repeats an event for an hour, and the bot may be back by then (guard: `installed_at` in `leave`)."""
    await store.async_save(granted(installed_at=1_700_000_100.0))
    assert not await store.leave("T1", clock(), datetime.fromtimestamp(1_700_000_005, UTC))
    assert await store.find(["T1"]) is not None


async def test_installed_anew_while_the_end_is_under_way(store: MongoInstallationStore, clock: HandClock) -> None:
    """What is forgotten is what was left, not what has come since."""
    await store.async_save(granted())
    await store.leave("T1", clock(), datetime.fromtimestamp(1_700_000_005, UTC))
    (left,) = [one async for one in store.left()]
    await store.async_save(granted(token="xoxb-newer"))
    await store.forget(left)
    assert await store.find(["T1"]) is not None


async def test_no_token_is_no_installation(store: MongoInstallationStore, vault: Vault) -> None:
    """A grant for a person alone, or one that names no workspace, is refused."""
    with pytest.raises(ValueError, match="no bot token"):
        await store.async_save(granted(token=""))
    with pytest.raises(ValueError, match="names a workspace"):
        installed(granted("", None, is_enterprise_install=False), vault)


async def test_one_of_many_gets_the_lease(store: MongoInstallationStore, clock: HandClock) -> None:
    """And once its time is over, the next one."""
    await store.async_save(granted())
    until = clock() + timedelta(seconds=15)
    got = await asyncio.gather(*(store.lease("T1", str(n), clock(), until) for n in range(20)))
    assert sum(one is not None for one in got) == 1
    assert await store.lease("T1", "late", until, until + timedelta(seconds=15)) is not None


async def test_t19_a_state_is_good_once_and_not_for_long(mongo_database: Database, clock: HandClock) -> None:
    """Of twenty at once one consumes it; ten minutes later, or made up, it is none (guard: `find_one_and_delete`)."""
    states = MongoStateStore(mongo_database, clock)
    state = await states.async_issue()
    assert state not in repr([one async for one in mongo_database["install_states"].find()])
    assert sum(await asyncio.gather(*(states.async_consume(state) for _ in range(20)))) == 1
    late = await states.async_issue()
    clock.forward(seconds=601)
    assert not await states.async_consume(late)
    assert not await states.async_consume("made-up")


async def test_t35_every_token_is_found_for_a_new_key(store: MongoInstallationStore, vault: Vault) -> None:
    """Bot token and refresh token, where there is one, each opening as what it is named (guard: `_SEALED`)."""
    await store.async_save(granted(bot_refresh_token="xoxe-canary", bot_token_expires_at=1_700_043_200))
    await store.async_save(granted(None, "E1", token="xoxb-org"))
    found = [secret async for secret in store.secrets()]
    assert [(*secret.place, vault.open(secret.sealed, record=secret.record, name=secret.name)) for secret in found] == [
        ("installs", "E1", "token", b"xoxb-org"),
        ("installs", "T1", "token", b"xoxb-canary"),
        ("installs", "T1", "refresh", b"xoxe-canary"),
    ]


async def test_t35_a_new_token_is_not_undone_by_a_new_key(store: MongoInstallationStore, vault: Vault) -> None:
    """Of two rotations at once one counts, and a token that came since it was read stays.

    (guard: the sealed value in the query of `MongoInstallationStore.swap`)
    """
    await store.async_save(granted())
    (secret,) = [secret async for secret in store.secrets()]
    anew = [vault.seal(b"xoxb-canary", record=secret.record, name=secret.name) for _ in range(2)]
    assert sorted(await asyncio.gather(*(store.swap(secret, one) for one in anew))) == [False, True]
    await store.async_save(granted(token="xoxb-newer"))
    assert not await store.swap(secret, anew[0])
    found = await store.find(["T1"])
    assert found is not None
    assert found.token(vault) == "xoxb-newer"


async def test_t35_a_database_that_is_away_is_said(vault: Vault) -> None:
    """In the words that whoever rotates the keys knows (guard: `StoreUnavailable` in `secrets` and `swap`)."""
    client, database = connect("mongodb://127.0.0.1:9", "away", patience=0.1)
    store = MongoInstallationStore(database, vault)
    with pytest.raises(StoreUnavailable):
        [secret async for secret in store.secrets()]
    with pytest.raises(StoreUnavailable):
        await store.swap(StoredSecret(("installs", "T1", "token"), "install:T1", "token", "s"), "t")
    client.close()
