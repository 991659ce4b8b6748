"""The connection to MongoDB, and the embedded server that stands in for one on a single machine.

SecantusDB speaks MongoDB's wire protocol and is GPL-2.0, so it is an optional extra and runs
as a process of its own.
"""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo.errors import PyMongoError

from bot.config import Settings
from bot.errors import ConfigurationError

Document = dict[str, Any]
Database = AsyncIOMotorDatabase[Document]


def connect(uri: str, name: str, *, patience: float = 5.0) -> tuple[AsyncIOMotorClient[Document], Database]:
    """A client and its database. Times come back aware; writes wait for a majority.

    `patience` in seconds is how long a server may be looked for; one that was found and says nothing is given up
    before any lease in the database is over. Raises ConfigurationError.
    """
    try:
        client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            uri,
            tz_aware=True,
            w="majority",
            wTimeoutMS=5_000,
            serverSelectionTimeoutMS=round(patience * 1000),
            connectTimeoutMS=round(patience * 1000),
            socketTimeoutMS=8_000,
            appname="countersign",
            uuidRepresentation="standard",
        )
    except (PyMongoError, ValueError) as error:
        raise ConfigurationError(
            [
                f"MONGODB_URI: is not an address of a MongoDB server ({type(error).__name__}). E.g. mongodb://127.0.0.1:27017"
            ]
        ) from None
    try:
        return client, client.get_database(name, codec_options=CodecOptions(tz_aware=True))
    except PyMongoError:
        client.close()
        raise ConfigurationError(
            ["MONGODB_DATABASE: is not a name of a database. Use letters, digits, - and _."]
        ) from None


async def alive(database: Database) -> bool:
    """Whether the server answers now."""
    try:
        await database.command("ping")
    except PyMongoError:
        return False
    return True


@asynccontextmanager
async def opened(settings: Settings, *, borrow: bool = False) -> AsyncIterator[Database]:
    """The database of these settings while it is needed; the embedded server runs for as long.

    Its files admit one server at a time, so the bot leaves its address beside them, and a command that works
    beside it borrows that server. Whoever outlives the bot must not borrow. Raises ConfigurationError.
    """
    async with _reachable(settings, borrow) as uri:
        client, database = connect(uri, settings.mongodb_database)
        try:
            if not await alive(database):
                raise ConfigurationError(["MONGODB_URI: no MongoDB server answers there, or not with this login."])
            yield database
        finally:
            client.close()


@asynccontextmanager
async def _reachable(settings: Settings, borrow: bool) -> AsyncIterator[str]:
    if settings.mongodb_uri is not None:
        yield settings.mongodb_uri.get_secret_value()
        return
    directory = settings.data_dir / "database"
    address = directory / "address"
    lent = await _lent(address) if borrow else None
    if lent is not None:
        yield lent
        return
    server = EmbeddedServer(directory)
    try:
        uri = await server.start()
        if borrow:  # ends with the command, so nobody else is told of it
            yield uri
        else:
            _leave(address, uri)
            try:
                yield uri
            finally:
                address.unlink(missing_ok=True)
    finally:
        await server.stop()


async def _lent(address: Path) -> str | None:
    """What a running bot has left there; None if it has gone since, even if its port is somebody else's now."""
    uri = _left(address)
    try:
        port = urlsplit(uri).port
    except ValueError:
        return None
    if not port or not await _listens(port):
        return None
    client, database = connect(uri, "admin", patience=1.0)
    try:
        return uri if await alive(database) else None
    finally:
        client.close()


def _left(address: Path) -> str:
    try:
        return address.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _leave(address: Path, uri: str) -> None:
    """Write it whole, readable by its owner only."""
    draft = address.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(uri, encoding="utf-8")
    draft.replace(address)


class EmbeddedServer:
    """SecantusDB as a child process on a free loopback port, with its data under `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> str:
        """Start it and return its URI.

        Raises ConfigurationError where the extra is not installed or another process keeps the directory.
        A server whose parent was killed needs a moment to let go of its files, so a failed start is repeated.
        """
        if importlib.util.find_spec("secantus") is None:
            hint = "Install it with pip install 'countersign[embedded]', or set MONGODB_URI."
            raise ConfigurationError([f"MONGODB_URI: not set, and the embedded database is not installed. {hint}"])
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for _ in range(20):
            uri = await self._try()
            if uri is not None:
                return uri
            await asyncio.sleep(0.5)
        hint = f"See that no other process uses {self._directory} and that it can be written, or set MONGODB_URI."
        raise ConfigurationError([f"MONGODB_URI: not set, and the embedded database did not start. {hint}"])

    async def _try(self) -> str | None:
        port = _free_port()
        # `--sync-on-commit`: an acknowledged write survives SIGKILL; without it the last ones are lost.
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.embedded", "--host", "127.0.0.1", "--port", str(port),
            "--storage-path", str(self._directory), "--sync-on-commit", "--log-level", "ERROR",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the bot alone, which then ends the server in order
        )  # fmt: skip
        while process.returncode is None:
            if await _listens(port):
                # Without retryable writes: on this machine nothing gets lost on the way, and the server walks through
                # all that it remembers of them at each write.
                uri = f"mongodb://127.0.0.1:{port}/?retryWrites=false"
                client, database = connect(uri, "admin")
                try:
                    if await alive(database):
                        return uri
                finally:
                    client.close()
            await asyncio.sleep(0.02)
        return None

    async def stop(self) -> None:
        """End the process and wait for it."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
