"""Commands and the embedded database: beside a running bot they use its server, else one of their own."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot import config, keyring
from bot.audit.store import MongoAuditStore
from bot.audit.writer import AuditWriter
from bot.cli.trail import verdict
from bot.database import Database, EmbeddedServer, opened
from oauth import SlackUser
from tests.conftest import HandClock

NEEDED = {
    "PUBLIC_URL": "https://bot.example.com",
    "SLACK_SIGNING_SECRET": "s",
    "SLACK_BOT_TOKEN": "xoxb-1",
    "AUTH0_DOMAIN": "tenant.eu.auth0.com",
    "AUTH0_CLIENT_ID": "client",
    "AUTH0_CLIENT_SECRET": "hush",
    "AUTH0_AUDIENCE": "https://api.example.com",
}


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    """A bot with nothing but a folder."""
    return config.load({**NEEDED, "DATA_DIR": str(tmp_path / "data")})


async def verify(settings: config.Settings) -> subprocess.CompletedProcess[str]:
    """`countersign audit verify` for these settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bot", "audit", "verify"],
        cwd=settings.data_dir.parent,
        env={**kept, **NEEDED, "DATA_DIR": str(settings.data_dir)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def write_entry(settings: config.Settings, database: Database, clock: HandClock) -> None:
    """One entry in the trail."""
    key = keyring.audit_key(None, settings.data_dir)
    await AuditWriter(MongoAuditStore(database), key, clock).append(
        "action.finished", "ok", slack=SlackUser("T1", "U1")
    )


async def test_a_command_works_beside_the_bot_and_after_it(settings: config.Settings, clock: HandClock) -> None:
    """The database's files admit one server; with the bot gone a command starts its own, and leaves no address."""
    address = settings.data_dir / "database" / "address"
    async with opened(settings) as database:
        await write_entry(settings, database, clock)
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        beside = await verify(settings)
    assert not address.exists()
    after = await verify(settings)
    assert not address.exists()
    for done in (beside, after):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "ok: 1 entry in 1 chain, 0 signed checkpoints\n"


@contextmanager
def _silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"mongodb://127.0.0.1:{other.getsockname()[1]}/"


@contextmanager
def _closed() -> Iterator[str]:
    with _silent() as uri:
        pass
    yield uri


@contextmanager
def _garbage() -> Iterator[str]:
    yield "mongodb://127.0.0.1:not-a-port/"


@pytest.mark.parametrize("left", [_silent, _closed, _garbage])
async def test_the_address_of_a_bot_that_was_killed_misleads_nobody(
    settings: config.Settings, clock: HandClock, left: object
) -> None:
    """A killed bot leaves its address behind; its port may be free by now, or somebody else's."""
    directory = settings.data_dir / "database"
    async with opened(settings) as database:
        await write_entry(settings, database, clock)
    with left() as uri:  # type: ignore[operator]
        (directory / "address").write_text(uri)
        assert await verdict(settings) == ("ok: 1 entry in 1 chain, 0 signed checkpoints", 0)


async def test_a_command_makes_no_database(settings: config.Settings) -> None:
    """In the wrong folder an empty trail would look like a good one."""
    done = await verify(settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("DATA_DIR: no bot has kept a database under ")
    assert not settings.data_dir.exists()


async def test_a_command_makes_no_key(settings: config.Settings) -> None:
    """A new audit key would fit none of the checkpoints, and the next start of the bot would sign with it."""
    (settings.data_dir / "database").mkdir(parents=True)
    done = await verify(settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("AUDIT_KEY: not set, and ")
    assert [path.name for path in settings.data_dir.iterdir()] == ["database"]


async def test_the_embedded_server_ends_in_order(tmp_path: Path) -> None:
    """Asked to stop it closes its files and exits with 0; an abort would leave that to chance."""
    server = EmbeddedServer(tmp_path / "database")
    await server.start()
    process = server._process
    assert process is not None
    await server.stop()
    assert process.returncode == 0
