"""`countersign keys rotate`: the operator changes the key that seals, beside bots that go on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import keyring
from bot.approvals import Approval, Origin
from bot.approvals.store import MongoApprovalStore
from bot.audit.store import MongoAuditStore
from bot.cli.rotation import told
from bot.database import Database, EmbeddedServer, connect
from handlers.installs.store import MongoInstallationStore
from oauth import (
    Identity,
    MongoAccountStore,
    MongoLinkStore,
    MongoStepUpStore,
    Principal,
    Resealed,
    SlackProfile,
    SlackUser,
    Subject,
    Vault,
)
from oauth.accounts.tickets import AccountTicket
from oauth.accounts.tickets import Stage as AccountStage
from oauth.models import Link, LinkVersion
from oauth.step_up.model import Stage as StepUpStage
from oauth.step_up.model import StepUpTicket
from tests.unit.handlers.installs.granted import granted

AUDIT_KEY = keyring.new_audit_key()
OLD_KEYS, NEW_KEYS = keyring.new_token_keys(), keyring.new_token_keys()
BOTH_KEYS = {"keys": NEW_KEYS["keys"] + OLD_KEYS["keys"]}
OLD, NEW, BOTH = Vault(OLD_KEYS), Vault(NEW_KEYS), Vault(BOTH_KEYS)
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
MANY = 600

Run = tuple[int, str, str]


@dataclass
class House:
    """A database in which everything is sealed under the old key, and the settings of its bot."""

    database: Database
    environment: dict[str, str]
    cwd: Path

    async def begin(self, stderr: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
        """Begin the command."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "keys", "rotate",
            cwd=self.cwd, env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=stderr,
        )  # fmt: skip

    async def run(self) -> Run:
        """Run the command: exit code, stdout, stderr."""
        return await ending(await self.begin())

    async def link(self, user: str, vault: Vault) -> None:
        """Somebody is linked; the sealing is the vault's."""
        slack = SlackUser("T1", user)
        who = Identity("https://tenant.example.com/", Subject(f"auth0|{user}"))
        principal = Principal(slack, who, LinkVersion("v1"), frozenset({"orders:read"}), NOON)
        sealed = vault.seal(f"refresh-of-{user}".encode(), record=f"link:{slack.key}", name="refresh")
        await MongoLinkStore(self.database).add_link(Link(principal, sealed))

    async def ask(self, id_: str, vault: Vault) -> None:
        """Ada asks for something; the sealing is the vault's."""
        approval = Approval(
            id=id_, requester=SlackUser("T1", "UADA"), sub="auth0|ada", link_version="1", action="refund_order",
            description="Refund one order", arguments={"order_id": id_}, scopes=frozenset(), digest="d", run="r",
            origin=Origin("C1"), created_at=NOON, expires_at=NOON + timedelta(minutes=15),
        )  # fmt: skip
        await MongoApprovalStore(self.database, vault).add(approval)

    async def connect(self, vault: Vault) -> None:
        """Ada is at a third party, about to connect an account; the sealing is the vault's."""
        ticket = AccountTicket(
            SlackUser("T1", "UADA"), SlackProfile("Corp", "Ada"), "almanac", frozenset(), LinkVersion("v1"), "hash",
            AccountStage.CONNECTING, NOON, NOON + timedelta(minutes=10),
        )  # fmt: skip
        sealed = vault.seal(b"session", record=ticket.record, name="session")
        await MongoAccountStore(self.database).claim(replace(ticket, sealed_session=sealed), NOON)

    async def step_up(self, vault: Vault) -> None:
        """Ada is at the provider, to sign in once more for a decision; the sealing is the vault's."""
        ticket = StepUpTicket(
            SlackUser("T1", "UADA"), Subject("auth0|UADA"), LinkVersion("v1"), "a1:C1", "Approve refund_order", "hash",
            StepUpStage.STARTED, NOON, NOON + timedelta(minutes=5),
        )  # fmt: skip
        sealed = vault.seal(b"login", record=ticket.record, name="login")
        await MongoStepUpStore(self.database).put(replace(ticket, sealed_login=sealed), since=NOON)

    async def owe(self, count: int) -> None:
        """That many more revocations are waiting, sealed under the old key."""
        names = [f"n{count}-{at}" for at in range(count)]
        sealed = {name: OLD.seal(b"refresh", record=f"revocation:{name}", name="refresh") for name in names}
        await self.database["revocations"].insert_many(
            [{"_id": name, "schema": 1, "sealed": sealed[name], "due": NOON} for name in names]
        )

    async def sealed(self) -> list[str]:
        """Every sealed value in the database, wherever it stands."""
        names = await self.database.list_collection_names()
        return [sealed for name in names async for found in self.database[name].find() for sealed in _sealed_in(found)]

    async def old(self) -> int:
        """How many of them are not under the first key."""
        return sum(not NEW.current(sealed) for sealed in await self.sealed())

    async def until_begun(self) -> None:
        """Wait until something is under the first key."""
        async with asyncio.timeout(60):
            while True:
                first = await self.database["links"].find_one({"_id": "T1:UADA"})
                if first is not None and NEW.current(first["refresh"]):
                    return

    async def recorded(self) -> list[tuple[Any, ...]]:
        """What the trail says."""
        names = ("chain", "type", "outcome", "reason")
        found = MongoAuditStore(self.database).entries()
        return [tuple(entry.get(name) for name in names) async for entry in found]


def _sealed_in(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("eyJ") and value.count(".") == 4:
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _sealed_in(one)


async def ending(process: asyncio.subprocess.Process) -> Run:
    """Wait for its end: exit code, stdout, stderr."""
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), (err or b"").decode()


async def furnished(database: Database, uri: str, directory: Path) -> House:
    """Ada is linked, has asked for something, and the bot is installed where tokens are rotated: five secrets."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ},
        "PUBLIC_URL": "https://bot.example.com",
        "SLACK_SIGNING_SECRET": "s",
        "SLACK_BOT_TOKEN": "xoxb-1",
        "AUTH0_DOMAIN": "tenant.example.com",
        "AUTH0_CLIENT_ID": "client",
        "AUTH0_CLIENT_SECRET": "hush",
        "AUTH0_AUDIENCE": "https://api.example.com",
        "MONGODB_URI": uri,
        "MONGODB_DATABASE": database.name,
        "TOKEN_KEYS": json.dumps(BOTH_KEYS),
        "AUDIT_KEY": json.dumps(AUDIT_KEY),
        "DATA_DIR": str(directory),
    }
    house = House(database, environment, directory)
    await MongoLinkStore(database).ensure_indexes()
    await MongoAuditStore(database).ensure_indexes()
    await house.link("UADA", OLD)
    await house.ask("a1", OLD)
    installation = granted(bot_refresh_token="xoxe-1", bot_token_expires_at=1_900_000_000)
    await MongoInstallationStore(database, OLD).async_save(installation)
    await house.owe(1)
    return house


@pytest.fixture
async def house(mongo_uri: str, mongo_database: Database, tmp_path: Path) -> House:
    """On the server of all tests."""
    return await furnished(mongo_database, mongo_uri, tmp_path)


async def test_t35_everything_comes_under_the_first_key(house: House) -> None:
    """Links, requests, installations, accounts, logins for a decision; then the old key may go, and the trail says what
    was done.

    (guard: each store in `sealed_stores` of `bot.app`)
    """
    await house.connect(OLD)
    await house.step_up(OLD)
    assert await house.old() == 7
    code, said, err = await house.run()
    assert (code, err) == (0, "")
    done, left, advice = said.splitlines()
    assert done == "7 secrets sealed anew under the first key of TOKEN_KEYS."
    assert left == "Nothing is left under another key."
    assert advice.startswith("The old key may be removed now, if every bot had these TOKEN_KEYS before")
    assert (await house.old(), len(await house.sealed())) == (0, 7)
    assert await house.recorded() == [("-", "keys.rotated", "ok", "begun"), ("-", "keys.rotated", "ok", "done")]
    found = await MongoInstallationStore(house.database, NEW).async_find_bot(enterprise_id=None, team_id="T1")
    assert found is not None
    assert (found.bot_token, found.bot_refresh_token) == ("xoxb-canary", "xoxe-1")


async def test_t35_bots_go_on_meanwhile(house: House) -> None:
    """What they write is neither undone nor left under the old key, even behind what was gone over already.

    (guard: `if not met` in `Resealer.run`)
    """
    await house.owe(MANY)
    process = await house.begin()
    await house.until_begun()
    for at in range(5):
        await house.link(f"U{at}", OLD)  # by a bot that does not seal under the first key yet
    ended, at = asyncio.ensure_future(ending(process)), 0
    installs = MongoInstallationStore(house.database, BOTH)
    while not ended.done():
        at += 1
        await house.ask(f"b{at}", BOTH)
        await installs.async_save(granted(token=f"xoxb-{at}"))
    code, _, _ = await ended
    assert (code, await house.old()) == (0, 0)
    bot = await MongoInstallationStore(house.database, NEW).async_find_bot(enterprise_id=None, team_id="T1")
    assert bot is not None
    assert bot.bot_token == f"xoxb-{at}"
    approvals = MongoApprovalStore(house.database, NEW)
    for id_ in ("a1", *(f"b{n + 1}" for n in range(at))):
        asked = await approvals.get("T1", id_)
        assert asked is not None
        assert asked.arguments == {"order_id": id_}


async def test_t35_a_killed_rotation_is_finished_by_the_next(house: House) -> None:
    """After `kill -9` in the middle nothing is lost, and a second run does what is left and no more.

    (guard: `Vault.current` in `Resealer.run`, by which what is done is left alone)
    """
    await house.owe(MANY)
    process = await house.begin()
    await house.until_begun()
    process.send_signal(signal.SIGKILL)
    assert (await ending(process))[0] == -signal.SIGKILL
    left = await house.old()
    assert 0 < left < MANY + 5
    kept = [sealed for sealed in await house.sealed() if NEW.current(sealed)]
    code, said, err = await house.run()
    assert (code, await house.old()) == (0, 0)
    assert said.splitlines()[0] == f"{left} secrets sealed anew under the first key of TOKEN_KEYS."
    assert set(kept) <= set(await house.sealed())
    assert f"500 secrets looked at, {500 - (MANY + 5 - left)} sealed anew" in err.splitlines()
    assert [entry[2:] for entry in await house.recorded()] == [("ok", "begun"), ("ok", "begun"), ("ok", "done")]


async def test_t35_what_no_key_opens_is_named_and_left(house: House) -> None:
    """The others are done; the operator learns how many records of what, and keeps the old key.

    (guard: `SealBroken` in `Resealer.run`)
    """
    lost = Vault(keyring.new_token_keys())
    await house.link("UBOB", lost)
    await house.link("UCAROL", lost)
    await house.ask("a2", lost)
    before = await house.sealed()
    code, said, err = await house.run()
    assert (code, said) == (1, "5 secrets sealed anew under the first key of TOKEN_KEYS.\n")
    assert err == (
        "No key at hand opens what is sealed in 1 record of approvals, 2 records of links; nothing of that was "
        "changed. Put the old key back, behind the first of TOKEN_KEYS, and run this command again.\n"
    )
    assert (await house.old(), len(set(before) & set(await house.sealed()))) == (3, 3)
    assert (await house.recorded())[-1] == ("-", "keys.rotated", "failed", "not_opened")


async def test_t33_no_key_is_shown(house: House) -> None:
    """Neither a key nor its name is printed or recorded (guard: the sentences of `told` name a setting alone)."""
    found = [*await house.run(), await house.recorded()]
    for key in BOTH_KEYS["keys"]:
        assert key["k"] not in repr(found)
        assert key["kid"] not in repr(found)


async def test_one_key_is_enough(house: House) -> None:
    """Then there is nothing to do, and no old key to remove."""
    house.environment["TOKEN_KEYS"] = json.dumps(OLD_KEYS)
    code, said, err = await house.run()
    assert (code, err) == (0, "")
    assert said.splitlines() == [
        "0 secrets sealed anew under the first key of TOKEN_KEYS.",
        "Nothing is left under another key.",
    ]


@pytest.mark.parametrize("given", [None, "{}"])
async def test_without_keys_nothing_is_begun(house: House, given: str | None) -> None:
    """Wrong settings are named, and the trail has nothing of it."""
    del house.environment["TOKEN_KEYS"]
    if given is not None:
        house.environment["TOKEN_KEYS"] = given
    code, said, err = await house.run()
    assert (code, said) == (2, "")
    assert err.startswith("TOKEN_KEYS: ")
    assert (await house.recorded(), await house.old()) == ([], 5)


async def test_no_key_is_made_for_a_rotation(house: House) -> None:
    """Beside the embedded database the keys are a file; if that is gone, a new one would open nothing.

    (guard: `is_file` in `rotate`)
    """
    for name in ("MONGODB_URI", "TOKEN_KEYS"):
        del house.environment[name]
    (house.cwd / "database").mkdir()
    code, said, err = await house.run()
    assert (code, said) == (2, "")
    assert err.startswith("TOKEN_KEYS: not set, and ")
    assert not (house.cwd / "token-keys.json").exists()


async def test_without_an_entry_nothing_is_sealed(house: House) -> None:
    """No audit, no act (guard: the first entry of `_rotated`)."""
    await house.database["audit"].create_index([("type", 1)], unique=True, name="full")
    await house.database["audit"].insert_one({"chain": "other", "seq": 1, "type": "keys.rotated"})
    code, said, err = await house.run()
    assert (code, said) == (1, "")
    assert err.startswith("The database does not answer")
    assert await house.old() == 5


async def test_a_database_that_goes_away_is_said(tmp_path: Path) -> None:
    """In the middle too; the operator is told to begin again (guard: `StoreUnavailable` in `rotate`)."""
    server = EmbeddedServer(tmp_path / "server")
    uri = await server.start()
    try:
        client, database = connect(uri, "bot")
        house = await furnished(database, uri, tmp_path)
        await house.owe(MANY)
        process = await house.begin()
        await house.until_begun()
        client.close()
    finally:
        await server.stop()
    code, said, err = await ending(process)
    assert (code, said) == (1, "")
    assert err == "The database does not answer. What was done stays done: run this command again.\n"


async def test_a_terminal_sees_how_far_it_is(house: House) -> None:
    """A bar, gone at the end; what is said at the end is on stdout alone (guard: `_bar`)."""
    house.environment |= {"TERM": "xterm", "COLUMNS": "80"}
    mine, its = pty.openpty()
    try:
        process = await house.begin(its)
        os.close(its)
        (code, said, _), shown = await asyncio.gather(ending(process), asyncio.to_thread(_all_of, mine))
    finally:
        os.close(mine)
    assert code == 0
    assert b"Sealing anew" in shown
    assert b"100%" in shown
    assert b"looked at" not in shown
    assert said.startswith("5 secrets sealed anew")


def _all_of(terminal: int) -> bytes:
    """What is written to it until its other end is closed."""
    shown = b""
    with contextlib.suppress(OSError):
        while read := os.read(terminal, 65536):
            shown += read
    return shown


def test_who_goes_on_under_another_key_keeps_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said of removing a key while a bot seals under it (guard: `left` in `told`)."""
    assert told(Resealed(done=10, left=1), others=1) == 1
    out, err = capsys.readouterr()
    assert out == "10 secrets sealed anew under the first key of TOKEN_KEYS.\n"
    assert err.startswith("Some bot goes on sealing under another key. Keep that key")
