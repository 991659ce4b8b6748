"""What a kill of a refresh needs: a strict tenant, replicas that stay alive, a process that forks those that do not."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot import keyring
from bot.audit.store import MongoAuditStore
from bot.sandbox.tenant import Family, Person, SandboxTenant
from bot.sandbox.tenant.state import hashed
from oauth import Identity, LinkVersion, Principal, SlackUser, Subject, Vault, utc_now
from oauth.models import Link
from tests.faults.doomed import Fate, Order
from tests.faults.replica import Given
from tests.faults.standing import Standing, standing

_ROOT = Path(__file__).parents[2]
AUDIENCE = "https://shop.example.com"
READ = frozenset({"orders:read"})
SCOPES = ("orders:read", "orders:refund")
PEOPLE = tuple(Person(name, name.title(), f"{name}@corp.example") for name in ("ada", "bob", "carol", "dan", "eve"))
SURVIVORS, ROUND = 2, 2.0  # seconds, as the bot's
DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Linked:
    """A person's link without an access token, and the grant behind it. Neighbours share a workspace.

    It is `left` where one process has died over it already, between the provider's answer and its save.
    """

    principal: Principal
    family: Family
    left: bool

    @property
    def key(self) -> str:
        """The key of the link."""
        return self.principal.slack.key

    @property
    def spent(self) -> bool:
        """Whether the provider has answered a refresh, or refused one for reuse; whoever died before is left out."""
        return len(self.family.tokens) > (2 if self.left else 1) or self.family.ended is not None


@dataclass(slots=True)
class Scene:
    """One tenant, one database, and who works on it. `overlap` is in seconds."""

    given: Given
    tenant: SandboxTenant
    survivors: tuple[Standing, ...]
    vault: Vault
    overlap: int
    _nursery: asyncio.subprocess.Process
    _count: int = 0

    async def link(self, *, left: bool = False) -> Linked:
        """One more person who is linked."""
        number, self._count = self._count, self._count + 1
        person, state, store = PEOPLE[number % len(PEOPLE)], self.tenant.state, self.survivors[0].rooms.store
        now, scopes = state.clock(), ("openid", "profile", "email", "offline_access", *SCOPES)
        family = Family(secrets.token_hex(8), person.id, AUDIENCE, scopes, secrets.token_hex(8), now, now)
        state.families[family.id] = family
        refresh_token = state.next_token(family)
        slack = SlackUser(f"T{number // len(PEOPLE):03}", f"U{person.id.upper()}")
        identity = Identity(self.tenant.issuer, Subject(person.sub), person.email, person.name)
        version = LinkVersion(secrets.token_hex(12))
        principal = Principal(slack, identity, version, frozenset(SCOPES), utc_now())
        sealed = self.vault.seal(refresh_token.encode(), record=f"link:{slack.key}", name="refresh")
        await store.add_link(Link(principal, sealed))
        if left:
            state.next_token(family, hashed(refresh_token))
            await store.lease(principal, DEAD)
            await store.leave(principal, DEAD)
        return Linked(principal, family, left)

    async def carry_out(self, order: Order) -> Fate:
        """One refresh in a process of its own."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(order.as_line())
        await self._nursery.stdin.drain()
        line = await self._nursery.stdout.readline()
        assert line, "the process that forks has ended"
        return Fate.from_line(line)

    def order(self, linked: Linked) -> Order:
        """A refresh that is left alone."""
        slack = linked.principal.slack
        return Order(slack.team, slack.user, tuple(sorted(READ)), AUDIENCE)


@asynccontextmanager
async def scene(mongo_uri: str, directory: Path, overlap: int) -> AsyncIterator[Scene]:
    """On a database of its own, while it is needed."""
    tenant = SandboxTenant(
        directory / secrets.token_hex(6),
        client_id="countersign",
        client_secret=secrets.token_hex(16),
        audience=AUDIENCE,
        scopes=SCOPES,
        people=PEOPLE,
        reuse_interval_seconds=overlap,
    )
    async with AsyncExitStack() as stack:
        await tenant.start()
        stack.push_async_callback(tenant.stop)
        given = Given(
            mongo_uri=mongo_uri,
            database=f"test_{secrets.token_hex(6)}",
            public_url="https://bot.example",
            issuer=tenant.issuer,
            client_id=tenant.application.client_id,
            client_secret=tenant.application.secret,
            audience=AUDIENCE,
            scopes=SCOPES,
            token_keys=keyring.new_token_keys(),
            audit_key=keyring.new_audit_key(),
        )
        nursery = await stack.enter_async_context(_nursery(given))
        survivors = [await stack.enter_async_context(standing(given)) for _ in range(SURVIVORS)]
        await survivors[0].rooms.start()
        await MongoAuditStore(survivors[0].database).ensure_indexes()
        for survivor in survivors:
            survivor.tasks.every(ROUND, survivor.rooms.recover, "left leases")
        yield Scene(given, tenant, tuple(survivors), Vault(given.token_keys), overlap, nursery)


@asynccontextmanager
async def _nursery(given: Given) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.doomed", cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C reaches the tests alone
    )  # fmt: skip
    assert process.stdin is not None
    try:
        process.stdin.write(given.as_line())
        await process.stdin.drain()
        yield process
    finally:
        process.stdin.close()
        await process.wait()
