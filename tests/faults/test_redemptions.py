"""Each ticket at most once, however many replicas are asked at once (THREATS.md, row 10)."""

from __future__ import annotations

import asyncio
import secrets
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from bot import keyring
from bot.audit.chain import first_bad
from bot.audit.store import MongoAuditStore
from bot.database import Database, EmbeddedServer, connect
from bot.sandbox.tenant import SandboxTenant
from oauth import Vault
from tests.faults.fleet import Fleet, fleet
from tests.faults.race import PEOPLE, RACERS, Heat, Race, Tally
from tests.faults.replica import Given

REPLICAS, HEATS, AT_ONCE, CROWD = 3, 100, 2, 60
SECONDS = 240
PUBLIC_URL = "https://bot.example"
ON_PAGES = {"state_unknown", "ticket_unknown", "ticket_used", "wrong_browser"}
OF_CODES = {"code_expired", "no_code_pending", "ticket_used"}
STEPS = ("link.started", "link.completed")


@dataclass(frozen=True, slots=True)
class Ground:
    """What runs: replicas on one database, and the tenant."""

    given: Given
    database: Database
    tenant: SandboxTenant
    fleet: Fleet


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """Three processes, one database server of their own, one tenant."""
    server = EmbeddedServer(tmp_path / "database")
    mongo_uri = await server.start()
    tenant = SandboxTenant(
        tmp_path / "tenant",
        client_id="countersign",
        client_secret=secrets.token_hex(16),
        audience="https://shop.example.com",
        scopes=("orders:read", "orders:refund"),
        redirect_uris=(f"{PUBLIC_URL}/oauth/callback",),
        people=PEOPLE,
    )
    await tenant.start()
    given = Given(
        mongo_uri=mongo_uri,
        database=f"test_{secrets.token_hex(6)}",
        public_url=PUBLIC_URL,
        issuer=tenant.issuer,
        client_id=tenant.application.client_id,
        client_secret=tenant.application.secret,
        audience="https://shop.example.com",
        scopes=("orders:read", "orders:refund"),
        token_keys=keyring.new_token_keys(),
        audit_key=keyring.new_audit_key(),
    )
    client, database = connect(mongo_uri, given.database)
    try:
        async with fleet(REPLICAS, given, tmp_path) as replicas:
            yield Ground(given, database, tenant, replicas)
    finally:
        client.close()
        await tenant.stop()
        await server.stop()


def heats() -> list[Heat]:
    """Half are decided at the callback, half by the code; to some a browser comes late, to a few nobody honest."""
    return [
        Heat(number, "code", late=number % 10 == 1)
        if number % 2
        else Heat(number, "email", honest=number % 50 != 4, late=number % 10 == 0)
        for number in range(HEATS)
    ]


async def raced(ground: Ground, all_heats: Sequence[Heat]) -> Tally:
    """Run them, a few at a time."""
    connector = TCPConnector(limit=CROWD, limit_per_host=0)
    async with ClientSession(connector=connector, cookie_jar=DummyCookieJar(), timeout=ClientTimeout(60)) as session:
        race, waiting = Race(ground.fleet.addresses, session, ground.database), iter(all_heats)

        async def lane() -> None:
            for heat in waiting:
                await race.run(heat)

        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as lanes:
            for _ in range(AT_ONCE):
                lanes.create_task(lane())
        return race.tally


async def test_t10_ten_thousand_racing_redemptions_over_three_processes(
    ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a hundred at once one wins, and links with one entry (guard: `stage` in `MongoTicketStore.advance`)."""
    all_heats, began = heats(), time.perf_counter()
    tally = await raced(ground, all_heats)
    took = time.perf_counter() - began
    with capsys.disabled():
        sys.stdout.write(f"\n{figures(tally, took, ground.tenant)}\n")

    winners = {heat.key: 1 for heat in all_heats if heat.honest}
    assert len(tally.redemptions) == HEATS * RACERS == 10_000
    assert {key: len(how) for key, how in tally.linked.items()} == winners, ground.fleet.said
    assert set(tally.pages) <= ON_PAGES
    assert set(tally.commands) <= OF_CODES

    links = [link async for link in ground.database["links"].find()]
    assert {link["_id"]: link["version"] for link in links} == {key: tally.version(key) for key in winners}
    assert [t async for t in ground.database["tickets"].find({"sealed_grant": {"$ne": None}})] == []
    assert await ground.database["revocations"].count_documents({}) == 0
    assert_trail([e async for e in MongoAuditStore(ground.database).entries()], all_heats, tally)
    assert_tenant(ground.tenant, ground.given, links)


def assert_trail(entries: list[dict[str, Any]], all_heats: Sequence[Heat], tally: Tally) -> None:
    """Every link was begun once and completed once, every refusal has its entry, and the chains hold."""
    assert first_bad(entries) is None
    people = {type_: Counter(f"{e['team']}:{e['user']}" for e in entries if e["type"] == type_) for type_ in STEPS}
    assert people["link.started"] == Counter(heat.key for heat in all_heats)
    assert people["link.completed"] == Counter(heat.key for heat in all_heats if heat.honest)
    assert Counter(e["reason"] for e in entries if e["type"] == "link.refused") == tally.pages + tally.commands
    assert {e["type"] for e in entries} == {*STEPS, "link.refused"}


def assert_tenant(tenant: SandboxTenant, given: Given, links: list[dict[str, Any]]) -> None:
    """No code was brought twice, and each grant that lives is the one of a link."""
    assert tenant.grants == sum(code.used for code in tenant.state.codes.values())
    vault = Vault(given.token_keys)
    tokens = [vault.open(link["refresh"], record=f"link:{link['_id']}", name="refresh").decode() for link in links]
    owned = [family.id for found in map(tenant.state.family_of, tokens) if found for family in found[:1]]
    assert sorted(owned) == sorted(family.id for family in tenant.families())
    assert len(owned) == len(links)


def figures(tally: Tally, took: float, tenant: SandboxTenant) -> str:
    """One line for a report; nothing here is promised."""
    slow = statistics.quantiles(tally.redemptions, n=100)
    count = len(tally.redemptions)
    return (
        f"{count} redemptions of {len(tally.secrets)} tickets at {REPLICAS} processes in {took:.1f} s "
        f"({count / took:.0f}/s, median {slow[49] * 1000:.0f} ms, p99 {slow[98] * 1000:.0f} ms), "
        f"{len(tally.linked)} links, {tenant.grants} codes exchanged, {tenant.revoke_calls} grants revoked, "
        f"refused: {dict(tally.pages + tally.commands)}"
    )
