"""What the figures are measured on: a database server and a provider of their own, and replicas as processes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bot import keyring
from bot.audit.store import MongoAuditStore
from bot.database import Database, EmbeddedServer, connect
from oauth import MongoLinkStore, Vault
from tests.bench.orders import Child, child
from tests.bench.people import AUDIENCE, SCOPES, Registry, sub
from tests.faults.replica import Given

REPLICAS = 3


@dataclass(frozen=True, slots=True)
class Ground:
    """One database with its indexes, and the provider."""

    given: Given
    database: Database
    provider: Child
    directory: Path

    @property
    def registry(self) -> Registry:
        """Who makes links here."""
        return Registry(self.given.issuer, Vault(self.given.token_keys))

    async def add_expired(self, numbers: list[int]) -> None:
        """Links of new grants whose access tokens are over."""
        tokens = await self.provider("grants", subs=[sub(number) for number in numbers])
        await self.registry.add_expired(self.database, dict(zip(numbers, tokens, strict=True)))

    async def warm(self, replicas: list[Child], numbers: list[int]) -> None:
        """Let each refresh once for somebody who is of no other use: it knows the provider and its keys after that."""
        await self.add_expired(numbers)
        both = zip(replicas, numbers, strict=True)
        await asyncio.gather(*(replica("read", what="broker", numbers=[number]) for replica, number in both))


@asynccontextmanager
async def ground(directory: Path) -> AsyncIterator[Ground]:
    """While it is needed."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(child("tests.bench.provider"))
        client_id, client_secret = "countersign", secrets.token_hex(16)
        issuer = await provider("open", client_id=client_id, client_secret=client_secret)
        server = EmbeddedServer(directory / "database")
        stack.push_async_callback(server.stop)
        given = Given(
            mongo_uri=await server.start(),
            database=f"bench_{secrets.token_hex(6)}",
            public_url="https://bot.example",
            issuer=issuer,
            client_id=client_id,
            client_secret=client_secret,
            audience=AUDIENCE,
            scopes=SCOPES,
            token_keys=keyring.new_token_keys(),
            audit_key=keyring.new_audit_key(),
        )
        client, database = connect(given.mongo_uri, given.database)
        stack.callback(client.close)
        await MongoLinkStore(database).ensure_indexes()
        await MongoAuditStore(database).ensure_indexes()
        yield Ground(given, database, provider, directory)


@asynccontextmanager
async def replicas(given: Given, count: int = REPLICAS, *, sweeping: bool = True) -> AsyncIterator[list[Child]]:
    """So many processes with the rooms; `sweeping` as the bot does, every few seconds."""
    async with AsyncExitStack() as stack:
        children = [await stack.enter_async_context(child("tests.bench.replica")) for _ in range(count)]
        await asyncio.gather(*(one("open", given=asdict(given), sweeping=sweeping) for one in children))
        yield children
