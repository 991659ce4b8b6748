"""The connection: wrong settings are sentences, a server that is away is given up in time, and the child ends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from bot.approvals.executions import LEASE
from bot.database import EmbeddedServer, alive, connect
from bot.errors import ConfigurationError


@pytest.mark.parametrize("uri", ["http://canary", "mongodb://canary:x:y@", "mongodb://host:port/", ""])
def test_what_is_no_address_is_a_sentence(uri: str) -> None:
    """It names the setting and repeats nothing of it: an address holds a password."""
    with pytest.raises(ConfigurationError) as caught:
        connect(uri, "countersign")
    assert caught.value.problems[0].startswith("MONGODB_URI: ")
    assert "canary" not in caught.value.problems[0]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a$b", "a/b"])
async def test_what_is_no_name_of_a_database_is_a_sentence(name: str) -> None:
    """The driver's own error would be a traceback."""
    with pytest.raises(ConfigurationError) as caught:
        connect("mongodb://127.0.0.1:1/", name)
    assert caught.value.problems[0].startswith("MONGODB_DATABASE: ")


async def test_what_the_stores_rely_on_is_asked_for() -> None:
    """Writes wait for a majority, and no call outlives the leases that are kept in the database."""
    client, database = connect("mongodb://127.0.0.1:1/", "countersign")
    try:
        options = client.options
        assert options.write_concern.document == {"w": "majority", "wtimeout": 5_000}
        assert options.pool_options.socket_timeout is not None
        assert options.pool_options.socket_timeout < LEASE.total_seconds()
        assert database.codec_options.tz_aware
    finally:
        client.close()


async def test_a_server_that_is_away_is_not_alive(unused_tcp_port: int) -> None:
    """And the question is answered within the patience that was given."""
    client, database = connect(f"mongodb://127.0.0.1:{unused_tcp_port}/", "countersign", patience=0.1)
    try:
        assert not await alive(database)
    finally:
        client.close()


async def test_without_the_extra_it_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed is not tried twenty times."""
    monkeypatch.setitem(sys.modules, "secantus", None)
    with pytest.raises(ConfigurationError) as caught:
        await EmbeddedServer(tmp_path).start()
    assert "is not installed" in caught.value.problems[0]


async def test_t74_acknowledged_writes_survive_a_kill(tmp_path: Path) -> None:
    """The embedded server is killed after its answer: what it had acknowledged is there at the next start."""
    server = EmbeddedServer(tmp_path)
    client, database = connect(await server.start(), "countersign")
    try:
        await database.things.insert_many([{"_id": n} for n in range(50)])
        assert server._process is not None
        os.kill(server._process.pid, signal.SIGKILL)
        await server._process.wait()
    finally:
        client.close()
    client, database = connect(await server.start(), "countersign")
    try:
        assert await database.things.count_documents({}) == 50
    finally:
        client.close()
        await server.stop()


async def test_the_child_ends_when_its_parents_end_of_the_pipe_does(tmp_path: Path) -> None:
    """A bot that was killed cannot stop its database, so the database notices by itself."""
    server = EmbeddedServer(tmp_path)
    await server.start()
    process = server._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() is not None
    await server.stop()
