"""The connection to MongoDB, and the embedded server that stands in for one on a single machine.

SecantusDB speaks MongoDB's wire protocol and is GPL-2.0, so it is an optional extra and runs
as a process of its own.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo.errors import PyMongoError

from bot.errors import ConfigurationError

Document = dict[str, Any]
Database = AsyncIOMotorDatabase[Document]


def connect(uri: str, name: str) -> tuple[AsyncIOMotorClient[Document], Database]:
    """A client and its database. Times come back aware; writes wait for a majority."""
    try:
        client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            uri,
            tz_aware=True,
            w="majority",
            serverSelectionTimeoutMS=5000,
            appname="countersign",
            uuidRepresentation="standard",
        )
    except (PyMongoError, ValueError) as error:
        raise ConfigurationError(
            [
                f"MONGODB_URI: is not an address of a MongoDB server ({type(error).__name__}). E.g. mongodb://127.0.0.1:27017"
            ]
        ) from None
    return client, client.get_database(name, codec_options=CodecOptions(tz_aware=True))


async def alive(database: Database) -> bool:
    """Whether the server answers now."""
    try:
        await database.command("ping")
    except PyMongoError:
        return False
    return True


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
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for _ in range(20):
            uri = await self._try()
            if uri is not None:
                return uri
            await asyncio.sleep(0.5)
        hint = (
            "MONGODB_URI: not set, and the embedded database did not start. Install it with "
            "pip install 'countersign[embedded]', see that no other process uses "
            f"{self._directory}, or set MONGODB_URI."
        )
        raise ConfigurationError([hint])

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
                client, database = connect(f"mongodb://127.0.0.1:{port}/", "admin")
                try:
                    if await alive(database):
                        return f"mongodb://127.0.0.1:{port}/"
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
