"""The product as a stranger runs it: a process of its own, told everything by its environment."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiohttp
from bson import decode
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient

from tests.foreign import actions, people, rig
from tests.foreign.browser import Browser, Page
from tests.foreign.token_endpoint import TokenEndpoint

_ROOT = Path(__file__).parents[2]


class Product:
    """`python -m bot` with one environment; its log is kept."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        self._environment = {**kept, "PYTHONPATH": str(_ROOT), **environment}
        self._directory = directory
        self._log = directory / "bot.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where this process listens, whatever its `PUBLIC_URL` says."""
        return f"http://127.0.0.1:{self._environment['PORT']}"

    @property
    def said(self) -> str:
        """Everything that it has logged so far."""
        return self._log.read_text(encoding="utf-8")

    async def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "run",
                env=self._environment, cwd=self._directory, stdout=log, stderr=log,
            )  # fmt: skip
        await rig.until(self._ready)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; its exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await asyncio.wait_for(self._process.wait(), 60)

    async def command(self, *words: str, **changed: str) -> tuple[int, str]:
        """Another command with the same environment, or one `changed`; its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *words,
            env=self._environment | changed, cwd=self._directory,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, said.decode()

    async def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.said
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@dataclass(frozen=True, slots=True)
class World:
    """The product among foreign servers. Browsers and the provider reach its first replica, Slack any."""

    replicas: tuple[Product, ...]
    workspace: people.Workspace
    provider: rig.Provider
    shop: rig.Shop
    environment: Mapping[str, str] = field(repr=False)
    slack_openid: rig.Provider | None = None
    parcels: rig.Shop | None = None

    @property
    def product(self) -> Product:
        """The first replica, often the only one."""
        return self.replicas[0]

    @property
    def token_endpoint(self) -> TokenEndpoint:
        """The provider's, from behind."""
        return TokenEndpoint(self.provider.issuer)

    def spread(self, name: str, count: int) -> list[people.Person]:
        """Somebody so many times, reaching one replica after the other, each with answers of their own."""
        urls = [self.replicas[at % len(self.replicas)].url for at in range(count)]
        return [self.workspace.reached_at(url).person(name) for url in urls]

    def everywhere(self, name: str) -> list[people.Person]:
        """Somebody as many times as there are replicas; each one's words reach another replica."""
        return self.spread(name, len(self.replicas))

    async def login_link(self, person: people.Person) -> str:
        """What `/agent link` sends into their direct messages."""
        seen = await person.messages()
        assert "direct messages" in await person.types("link")
        card = await person.sees_control("link.open", after=seen[-1]["ts"] if seen else "")
        return str(people.control(card, "link.open")["url"])

    async def signs_in(self, link: str, account: str, browser: Browser | None = None) -> Page:
        """A login, up to the last page, in this browser or one of its own."""
        async with AsyncExitStack() as stack:
            used = await stack.enter_async_context(Browser()) if browser is None else browser
            return await used.sign_in(await used.open(link), account)

    async def links(self, person: people.Person, browser: Browser | None = None) -> tuple[str, str]:
        """Link somebody by the code, since this workspace confirms no address; the link and the code."""
        link = await self.login_link(person)
        page = await self.signs_in(link, person.name, browser)
        assert page.code, page.text
        assert "you are linked" in await person.types(f"code {page.code}")
        return link, page.code

    async def stored(self) -> bytes:
        """Every byte of every document in the product's database."""
        client: AsyncIOMotorClient[RawBSONDocument] = AsyncIOMotorClient(
            self.environment["MONGODB_URI"], document_class=RawBSONDocument
        )
        try:
            database = client[self.environment["MONGODB_DATABASE"]]
            found = [
                document.raw
                for name in await database.list_collection_names()
                async for document in database[name].find({})
            ]
        finally:
            client.close()
        assert all(decode(each) for each in found)
        return b"\n".join(found)


@asynccontextmanager
async def world(
    mongo_uri: str,
    directory: Path,
    *,
    replicas: int = 1,
    organization: str | None = None,
    slack: Literal["token", "proof", "install"] = "token",
    parcels: bool = False,
    client_key: Mapping[str, Any] | None = None,
) -> AsyncIterator[World]:
    """Everything, running, with so many processes of the product on one database.

    With `organization` only its members may link, and the provider says that all are. The bot has a token of the
    workspace; with "proof" people also show who they are by Sign in with Slack; with "install" it has no token yet.
    With `parcels` there is a second API beside the shop. With `client_key`, a private JWK, there is no client secret.
    """
    apis = {rig.PARCELS: rig.PARCEL_SCOPES} if parcels else {}
    public_url = f"http://127.0.0.1:{_free_port()}"
    redirect_uri = f"{public_url}/oauth/callback"
    async with (
        people.workspace(f"{public_url}/slack/oauth_redirect") as workspace,
        rig.provider(redirect_uri, organization=organization, apis=apis, client_key=_public(client_key)) as provider,
        rig.shop(provider.issuer) as shop,
        AsyncExitStack() as more,
    ):
        workspace.bot_url = public_url
        second = await more.enter_async_context(rig.shop(provider.issuer, audience=rig.PARCELS)) if parcels else None
        file = directory / "actions.toml"
        file.write_text(actions.file(shop, second), encoding="utf-8")
        environment = {
            "PUBLIC_URL": public_url,
            "PORT": public_url.rpartition(":")[2],
            "SLACK_API_URL": workspace.api_url,
            "SLACK_SIGNING_SECRET": people.SIGNING_SECRET,
            "AUTH0_ISSUER": provider.issuer,
            "AUTH0_CLIENT_ID": rig.CLIENT_ID,
            "AUTH0_AUDIENCE": rig.AUDIENCE,
            "AUTH0_SCOPES": " ".join(rig.SCOPES),
            "MONGODB_URI": mongo_uri,
            "MONGODB_DATABASE": f"test_{secrets.token_hex(6)}",
            "DATA_DIR": str(directory / "data"),
            "ACTIONS_FILE": str(file),
        }
        if client_key is None:
            environment["AUTH0_CLIENT_SECRET"] = rig.CLIENT_SECRET
        else:
            environment["AUTH0_CLIENT_KEY"] = json.dumps(client_key)
        if organization is not None:
            environment["AUTH0_ORGANIZATION"] = organization
        openid = None
        if slack == "proof":
            openid = await more.enter_async_context(_slack_openid(workspace, f"{public_url}/oauth/slack"))
            environment |= {"LINK_PROOF": "slack", "SLACK_OIDC_ISSUER": openid.issuer}
        elif slack == "install":
            environment["SLACK_OIDC_ISSUER"] = workspace.url
        if slack != "install":
            environment["SLACK_BOT_TOKEN"] = people.BOT_TOKEN
        if slack != "token":
            environment |= {"SLACK_CLIENT_ID": people.CLIENT_ID, "SLACK_CLIENT_SECRET": people.CLIENT_SECRET}
        code, keys = await Product({}, directory).command("keys", "new")
        assert code == 0, keys
        environment |= dict(line.split("=", 1) for line in shlex.split(keys))
        products = tuple(_replica(number, environment, directory) for number in range(replicas))
        try:
            async with asyncio.TaskGroup() as starts:
                for product in products:
                    starts.create_task(product.start())
            yield World(products, workspace, provider, shop, environment, openid, second)
        finally:
            await asyncio.gather(*(product.end() for product in products))


def _public(key: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The part of a client's RSA or EC key that the provider is given (RFC 7518 section 6)."""
    return key and {name: value for name, value in key.items() if name not in {"d", "p", "q", "dp", "dq", "qi"}}


def _slack_openid(workspace: people.Workspace, redirect_uri: str) -> AbstractAsyncContextManager[rig.Provider]:
    """Sign in with Slack for the people of this workspace; Carol's account there is one with Ada's id elsewhere."""
    user, team = "https://slack.com/user_id", "https://slack.com/team_id"
    claims = {name: {user: id_, team: people.TEAM} for name, id_ in workspace.people.items()}
    claims["carol"] = {user: workspace.people["ada"], team: "T0ELSEWHERE"}
    return rig.slack_openid(redirect_uri, client_id=people.CLIENT_ID, client_secret=people.CLIENT_SECRET, claims=claims)


def _replica(number: int, environment: Mapping[str, str], directory: Path) -> Product:
    """One of several: its folder and port are its own, all else it shares. The first has what `environment` says."""
    if number == 0:
        return Product(environment, directory)
    own = directory / f"replica-{number}"
    own.mkdir()
    return Product({**environment, "PORT": str(_free_port()), "DATA_DIR": str(own / "data")}, own)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
