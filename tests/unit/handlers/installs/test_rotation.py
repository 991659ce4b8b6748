"""Bot tokens that end: renewed once among all replicas, in time, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from bot.database import Database
from handlers.installs import App, ManyWorkspaces, keeper
from handlers.installs.rotation import AHEAD, Rotation
from handlers.installs.store import MongoInstallationStore
from handlers.post import client
from handlers.workspace import NotInstalled
from oauth import SlackUser, Vault
from tests.conftest import HandClock
from tests.unit.handlers.installs.granted import granted
from tests.unit.handlers.slack_api import SlackApi

ADA = SlackUser("T1", "U0ADA")


@dataclass
class Exchange:
    """Slack's side of rotation: each refresh token works once, and its use ends nothing else."""

    clock: HandClock
    live: str = "xoxe-0"
    spent: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    lifetime: int = 43_200

    def __call__(self, given: dict[str, Any]) -> dict[str, Any] | web.Response:
        """`oauth.v2.access` with `grant_type=refresh_token`."""
        if given.get("refresh_token") != self.live:
            return {"ok": False, "error": "invalid_refresh_token"}
        self.spent.append(self.live)
        self.asked.set()
        self.live = f"xoxe-{len(self.spent)}"
        return {"ok": True, "token_type": "bot", "access_token": f"xoxb-{len(self.spent)}", "refresh_token": self.live,
                "expires_in": self.lifetime}  # fmt: skip


@pytest.fixture
def clock() -> HandClock:
    """Starts at the true time: Slack's own rotator looks there."""
    return HandClock(datetime.now(UTC))


@pytest.fixture
async def exchange(clock: HandClock) -> Exchange:
    """Slack, with the refresh token of the installation below."""
    return Exchange(clock)


@pytest.fixture
async def api(exchange: Exchange) -> AsyncIterator[SlackApi]:
    """Slack on a port of its own."""
    found = SlackApi(oauth_v2_access=exchange)
    await found.server.start_server()
    yield found
    await found.server.close()


def rotation(store: MongoInstallationStore, api: SlackApi, vault: Vault, clock: HandClock) -> Rotation:
    """One replica's."""
    rotator = AsyncTokenRotator(client_id="1.2", client_secret="hush", client=client("", api.url))
    return Rotation(store, rotator, vault, clock)


def replica(database: Database, vault: Vault, api: SlackApi, clock: HandClock) -> ManyWorkspaces:
    """One replica's view of all workspaces."""
    return keeper(App("1.2", "hush", "", ()), database, vault, api.url, clock)


async def save(store: MongoInstallationStore, clock: HandClock, left: float) -> None:
    """An installation whose token ends in `left` seconds."""
    ends = int(clock().timestamp() + left)
    await store.async_save(granted(bot_token="xoxb-0", bot_refresh_token="xoxe-0", bot_token_expires_at=ends))


async def test_thirty_callers_at_three_replicas_renew_once(
    store: MongoInstallationStore, api: SlackApi, vault: Vault, clock: HandClock, exchange: Exchange
) -> None:
    """One exchange, and everybody gets its token (guard: `MongoInstallationStore.lease`)."""
    await save(store, clock, -10)
    replicas = [rotation(store, api, vault, clock) for _ in range(3)]
    found = await asyncio.gather(*(one.renewed("T1", timedelta(minutes=1)) for one in replicas for _ in range(10)))
    assert {one and one.token(vault) for one in found} == {"xoxb-1"}
    assert exchange.spent == ["xoxe-0"]


async def test_tokens_are_renewed_before_anybody_has_to_wait(
    store: MongoInstallationStore, api: SlackApi, vault: Vault, clock: HandClock, exchange: Exchange
) -> None:
    """The round renews what ends within two hours and leaves the rest alone."""
    await save(store, clock, AHEAD.total_seconds() + 60)
    one = rotation(store, api, vault, clock)
    await one.see_to()
    assert exchange.spent == []
    clock.forward(minutes=2)
    await one.see_to()
    await one.see_to()
    assert exchange.spent == ["xoxe-0"]


async def test_a_refused_exchange_ends_nothing_that_lives(
    store: MongoInstallationStore, api: SlackApi, vault: Vault, clock: HandClock, exchange: Exchange
) -> None:
    """While the token at hand is good it is used; after its end the workspace cannot be reached."""
    await save(store, clock, 60)
    exchange.live = "xoxe-of-somebody-else"
    one = rotation(store, api, vault, clock)
    found = await one.renewed("T1", AHEAD)
    assert found is not None
    assert found.token(vault) == "xoxb-0"
    clock.forward(minutes=2)
    assert await one.renewed("T1", AHEAD) is None


async def test_tokens_that_slack_lets_end_soon_are_exchanged_once_a_round(
    store: MongoInstallationStore, api: SlackApi, vault: Vault, clock: HandClock, exchange: Exchange
) -> None:
    """A lifetime shorter than our two hours does not make one round spend token after token."""
    await save(store, clock, -10)
    exchange.lifetime = 600
    assert await rotation(store, api, vault, clock).renewed("T1", AHEAD) is not None
    assert exchange.spent == ["xoxe-0"]


async def test_what_never_ends_is_never_exchanged(
    store: MongoInstallationStore, api: SlackApi, vault: Vault, clock: HandClock
) -> None:
    """Without rotation at Slack, nothing is asked there."""
    await store.async_save(granted())
    one = rotation(store, api, vault, clock)
    await one.see_to()
    assert await one.renewed("T1", AHEAD) is not None
    assert api.calls == []


async def test_a_cancelled_caller_loses_no_token(
    store: MongoInstallationStore, api: SlackApi, vault: Vault, clock: HandClock, exchange: Exchange
) -> None:
    """Between Slack's answer and the save nothing is cancelled (guard: the shield in `Rotation.renewed`)."""
    await save(store, clock, -10)
    one = rotation(store, api, vault, clock)
    caller = asyncio.create_task(one.renewed("T1", AHEAD))
    await exchange.asked.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    latest = await one.renewed("T1", timedelta(minutes=1))
    assert latest is not None
    assert latest.token(vault) == "xoxb-1"
    assert exchange.spent == ["xoxe-0"]


async def test_a_client_has_the_token_of_its_workspace(
    store: MongoInstallationStore, mongo_database: Database, api: SlackApi, vault: Vault, clock: HandClock
) -> None:
    """Each call goes out under the bot token of the person's own workspace, renewed where it had ended."""
    await save(store, clock, -10)
    await store.async_save(granted("T2", token="xoxb-two"))
    here = replica(mongo_database, vault, api, clock)
    assert (await here.client(ADA)).token == "xoxb-1"
    assert (await here.client(SlackUser("T2", "U0ADA"))).token == "xoxb-two"
    with pytest.raises(NotInstalled):
        await here.client(SlackUser("T3", "U0ADA", "E3"))
    assert await here.name(ADA) == "Work"


async def test_installed_anew_the_new_token_counts_at_once(
    store: MongoInstallationStore, mongo_database: Database, api: SlackApi, vault: Vault, clock: HandClock
) -> None:
    """What was read a moment ago of the former installation is no token to call with (guard: `_read` in `client`)."""
    await store.async_save(granted())
    here = replica(mongo_database, vault, api, clock)
    assert (await here.client(ADA)).token == granted().bot_token
    await store.leave("T1", clock(), clock())
    await store.async_save(granted(token="xoxb-newer"))
    assert (await here.client(ADA)).token == "xoxb-newer"


async def test_a_workspace_is_known_as_soon_as_it_is_installed(
    store: MongoInstallationStore, mongo_database: Database, api: SlackApi, vault: Vault, clock: HandClock
) -> None:
    """What was not there a moment ago is looked for again (guard: `None` is not kept in `_installed`)."""
    here = replica(mongo_database, vault, api, clock)
    assert await here.find("T1", None) is None
    await store.async_save(granted())
    assert await here.find("T1", None) is not None


async def test_slack_is_asked_nothing_to_know_a_workspace(
    store: MongoInstallationStore, mongo_database: Database, api: SlackApi, vault: Vault, clock: HandClock
) -> None:
    """No auth.test, however many payloads come."""
    await store.async_save(granted())
    here = replica(mongo_database, vault, api, clock)
    for _ in range(50):
        found = await here.find("T1", None)
        assert found is not None
        assert (found.team, found.bot_user, found.app) == ("T1", "UBOT", "A1")
    assert api.calls == []


async def test_t09_a_workspace_that_did_not_install_is_foreign(
    store: MongoInstallationStore, mongo_database: Database, api: SlackApi, vault: Vault, clock: HandClock
) -> None:
    """No installation but its own is found for it (guard: the keys in `ManyWorkspaces._installed`)."""
    await store.async_save(granted())
    here = replica(mongo_database, vault, api, clock)
    assert await here.find("T2", None) is None
    assert await here.find("T2", "E1") is None
    assert await here.find(None, None) is None


async def test_t61_every_replica_sees_within_two_seconds_that_a_workspace_was_left(
    store: MongoInstallationStore, mongo_database: Database, api: SlackApi, vault: Vault, clock: HandClock
) -> None:
    """What was read lately is used for two seconds and then read anew (guard: `_FRESH`)."""
    await store.async_save(granted())
    replicas = [replica(mongo_database, vault, api, clock) for _ in range(3)]
    assert all([await one.find("T1", None) for one in replicas])
    await store.leave("T1", clock(), clock())
    clock.forward(seconds=2)
    assert not any([await one.find("T1", None) for one in replicas])
    with pytest.raises(NotInstalled):
        await replicas[0].client(ADA)


async def test_t34_a_token_that_does_not_open_reaches_nobody(
    store: MongoInstallationStore, mongo_database: Database, api: SlackApi, clock: HandClock
) -> None:
    """Under another key there is no client at all."""
    await store.async_save(granted())
    other = Vault({"keys": [{"kty": "oct", "k": "B" * 42 + "E", "kid": "two"}]})
    with pytest.raises(NotInstalled):
        await replica(mongo_database, other, api, clock).client(ADA)
