"""`countersign links`: the operator sees who is linked and ends a link, at the provider too."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot import keyring
from bot.audit.store import MongoAuditStore
from bot.database import Database
from oauth import Identity, Principal, SlackUser, Subject, Vault
from oauth.models import Link, LinkVersion
from oauth.store import MongoLinkStore
from tests.unit.handlers.slack_api import SlackApi

ADA, BOB, CAROL = SlackUser("T1", "U1"), SlackUser("T2", "U2"), SlackUser("T3", "U3", enterprise="E1")
TOKEN_KEYS, AUDIT_KEY = keyring.new_token_keys(), keyring.new_audit_key()


@dataclass
class RevokingProvider:
    """A provider that ends grants (RFC 7009) for its own client only, or is away."""

    revoked: list[str] = field(default_factory=list)
    away: bool = False
    issuer: str = ""

    async def discovery(self, _: web.Request) -> web.Response:
        """What OpenID Connect Discovery asks for."""
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "revocation_endpoint")
        return web.json_response({"issuer": self.issuer, **{name: f"{self.issuer}/{name}" for name in names}})

    async def revoke(self, request: web.Request) -> web.Response:
        """Ends one refresh token."""
        form = await request.post()
        if self.away:
            return web.Response(status=503)
        if request.headers.get("Authorization", "").partition(" ")[0] != "Basic" and "client_secret" not in form:
            return web.Response(status=401)
        self.revoked.append(str(form["token"]))
        return web.Response()


@dataclass
class House:
    """Three people are linked: Ada and Bob to one identity in two workspaces, Carol in an organization."""

    database: Database
    provider: RevokingProvider
    slack: SlackApi
    environment: dict[str, str]
    cwd: Path

    async def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command; the provider goes on meanwhile."""
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "bot", "links", *arguments],
            cwd=self.cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    async def linked(self) -> list[str]:
        """The keys of the links that are left."""
        return [found["_id"] async for found in self.database["links"].find({}).sort("_id", 1)]

    async def recorded(self) -> list[tuple[Any, ...]]:
        """What the trail says."""
        names = ("chain", "user", "sub", "type", "outcome", "reason")
        found = MongoAuditStore(self.database).entries()
        return [tuple(entry.get(name) for name in names) async for entry in found]


@pytest.fixture
async def provider() -> AsyncIterator[RevokingProvider]:
    """On a free port, gone after the test."""
    made = RevokingProvider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.discovery)
    app.router.add_post("/revocation_endpoint", made.revoke)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    """Takes direct messages."""
    sent = {"ok": True, "channel": "D1", "ts": "1.1"}
    made = SlackApi(
        conversations_open={"ok": True, "channel": {"id": "D1"}},
        chat_postMessage=sent,
        users_info={"ok": True, "user": {"real_name": "Ada"}},
        views_publish={"ok": True, "view": {"id": "V1", "hash": "h"}},
    )
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.fixture
async def house(
    provider: RevokingProvider, slack: SlackApi, mongo_uri: str, mongo_database: Database, tmp_path: Path
) -> House:
    """Configured as an operator would."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "PUBLIC_URL": "https://bot.example.com",
        "SLACK_SIGNING_SECRET": "s",
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_API_URL": slack.url,
        "AUTH0_ISSUER": provider.issuer,
        "AUTH0_CLIENT_ID": "client",
        "AUTH0_CLIENT_SECRET": "hush",
        "AUTH0_AUDIENCE": "https://api.example.com",
        "MONGODB_URI": mongo_uri,
        "MONGODB_DATABASE": mongo_database.name,
        "TOKEN_KEYS": json.dumps(TOKEN_KEYS),
        "AUDIT_KEY": json.dumps(AUDIT_KEY),
        "DATA_DIR": str(tmp_path),
    }
    links, vault = MongoLinkStore(mongo_database), Vault(TOKEN_KEYS)
    await links.ensure_indexes()
    await MongoAuditStore(mongo_database).ensure_indexes()
    for person, name in ((ADA, "ada"), (BOB, "ada"), (CAROL, "carol\x1b[2J")):
        who = Identity(provider.issuer, Subject(f"auth0|{name[:5]}"), email=f"{name}@example.com")
        at = datetime(2030, 1, 2, 12, tzinfo=UTC)
        principal = Principal(person, who, LinkVersion("v1"), frozenset({"orders:refund", "orders:read"}), at)
        sealed = vault.seal(f"refresh-of-{person.user}".encode(), record=f"link:{person.key}", name="refresh")
        await links.add_link(Link(principal, sealed))
    return House(mongo_database, provider, slack, environment, tmp_path)


async def test_everybody_who_is_linked_is_listed(house: House) -> None:
    """A line each that `cut` can take apart, and nothing in it that a terminal would obey."""
    done = await house.run("list")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        ["E1:U3", "auth0|carol", "carol?[2J@example.com", "2030-01-02T12:00:00Z", "orders:read orders:refund"],
        ["T1:U1", "auth0|ada", "ada@example.com", "2030-01-02T12:00:00Z", "orders:read orders:refund"],
        ["T2:U2", "auth0|ada", "ada@example.com", "2030-01-02T12:00:00Z", "orders:read orders:refund"],
    ]


async def test_one_person_is_cut_off(house: House) -> None:
    """The grant ends at the provider, the link is gone, the trail says who did it, and others stay linked."""
    done = await house.run("revoke", "--user", "T1:U1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "T1:U1: no longer linked to auth0|ada\n"
    assert house.provider.revoked == ["refresh-of-U1"]
    assert await house.linked() == ["E1:U3", "T2:U2"]
    assert await house.recorded() == [("T1", "U1", "auth0|ada", "link.revoked", "ok", "operator")]


async def test_whoever_is_cut_off_is_told(house: House) -> None:
    """In their direct messages, and nobody else is (guard: the bot in `_telling`)."""
    await house.run("revoke", "--user", "T1:U1")
    opened, (said,) = (
        [given for name, given in house.slack.calls if name == wanted]
        for wanted in ("conversations.open", "chat.postMessage")
    )
    assert {given["users"] for given in opened} == {"U1"}
    assert "Whoever runs the bot has ended your link" in said["text"]


async def test_a_slack_that_is_away_keeps_nobody_linked(house: House) -> None:
    """The end of the link waits for no message."""
    await house.slack.server.close()
    done = await house.run("revoke", "--user", "T1:U1")
    assert (done.returncode, done.stdout) == (0, "T1:U1: no longer linked to auth0|ada\n")
    assert house.provider.revoked == ["refresh-of-U1"]


async def test_a_broken_actions_file_keeps_nobody_linked(house: House) -> None:
    """The operator cuts off all the same, and is told that the person is not."""
    broken = house.cwd / "actions.toml"
    broken.write_text("[[action]]\nname = 1")
    house.environment["ACTIONS_FILE"] = str(broken)
    done = await house.run("revoke", "--user", "T1:U1")
    assert done.returncode == 0
    assert done.stderr.startswith("Nobody will be told in Slack:")
    assert await house.linked() == ["E1:U3", "T2:U2"]


async def test_an_identity_is_cut_off_everywhere(house: House) -> None:
    """`--sub` ends the links of all workspaces."""
    done = await house.run("revoke", "--sub", "auth0|ada")
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["T1:U1: no longer linked to auth0|ada", "T2:U2: no longer linked to auth0|ada"]
    assert house.provider.revoked == ["refresh-of-U1", "refresh-of-U2"]
    assert await house.linked() == ["E1:U3"]


@pytest.mark.parametrize("name", ["T3:U3", "E1:U3"])
async def test_a_person_of_an_organization_goes_by_either_name(house: House, name: str) -> None:
    """In an Enterprise Grid the link belongs to the organization; the operator may know the team only."""
    done = await house.run("revoke", "--user", name)
    assert (done.returncode, done.stdout) == (0, "E1:U3: no longer linked to auth0|carol\n")
    assert await house.linked() == ["T1:U1", "T2:U2"]


@pytest.mark.parametrize("option", [("--user", "T1:U2"), ("--sub", "auth0|eve")])
async def test_nobody_of_that_name_is_a_failed_check(house: House, option: tuple[str, str]) -> None:
    """A slip of the pen must not look like a person cut off; a member of one team is not that of another."""
    done = await house.run("revoke", *option)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Nobody is linked as {option[1]}. “countersign links list” names everybody.\n"
    assert len(await house.linked()) == 3


async def test_a_provider_that_is_away_is_said(house: House) -> None:
    """The link ends all the same, the revocation is kept for the bot, and the command does not claim success."""
    house.provider.away = True
    done = await house.run("revoke", "--user", "T1:U1")
    assert done.returncode == 1
    assert done.stdout == "T1:U1: no longer linked to auth0|ada\n"
    assert done.stderr.startswith("The provider could not be told yet.")
    assert await house.linked() == ["E1:U3", "T2:U2"]
    assert await house.database["revocations"].count_documents({}) == 1


async def test_without_an_entry_nobody_is_cut_off(house: House) -> None:
    """No audit, no act: where the trail cannot be written the link stays, and the command says so."""
    await house.database["audit"].create_index([("type", 1)], unique=True, name="full")
    await house.database["audit"].insert_one({"chain": "other", "seq": 1, "type": "link.revoked"})
    done = await house.run("revoke", "--user", "T1:U1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The database does not answer")
    assert house.provider.revoked == []
    assert len(await house.linked()) == 3
