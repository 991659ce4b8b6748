"""`countersign demo`: the whole product on this machine, around the same bot that `countersign run` starts.

Five addresses, one beside the other: the Slack workspace, the bot, the tenant, and what there is to act on, a shop and
somebody else's calendar. The bot gets settings and nothing else; it cannot tell these servers from the real ones.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import tomllib
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.panel import Panel

from bot import config
from bot.config import Settings
from bot.database import opened
from bot.errors import ConfigurationError
from bot.sandbox.almanac import Almanac
from bot.sandbox.shop import SampleApi
from bot.sandbox.slack import CommandHint, Completion, SandboxSlack
from bot.sandbox.tenant import SandboxTenant
from bot.serving import serving

HOST = "127.0.0.1"
AUDIENCE = "https://shop.example.com"
SCOPES = ("orders:read", "orders:refund")
_ACTIONS = Path(__file__).parent / "actions.toml"
_SHOP_IN_FILE = "http://127.0.0.1:8302"
_ALMANAC_IN_FILE = "http://127.0.0.1:8304"

AGENT = CommandHint(
    "/agent",
    "[link | run ACTION | status | help …]",
    "What the agent may do for you, and what it did",
    (
        Completion("link", "", "Link your account"),
        Completion("status", "", "Who you are here"),
        Completion("actions", "", "What the agent may do"),
        Completion("run list_orders", "", "See the orders of the shop"),
        Completion("run show_order", "order_id=A-1001", "See one order"),
        Completion("run refund_order", "order_id=A-1001 amount=500", "Refund an order; asks for your approval"),
        Completion("run take_stock", "", "Count the shelves: takes a while, shows its steps, can be stopped"),
        Completion("run list_events", "", "See your calendar, once you have connected it"),
        Completion("run add_event", "title=Lunch date=2026-12-01", "Put an event there; asks for your approval"),
        Completion("approvals", "", "What waits for you"),
        Completion("audit", "", "What was done under your name"),
        Completion("code", "XXXX-XXXX", "The code from the login page"),
        Completion("unlink", "", "Unlink your account"),
        Completion("help", "", "All commands"),
    ),
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the bot deals with, and the environment that tells it so; addresses are without a trailing slash."""

    slack: SandboxSlack
    tenant: SandboxTenant
    shop: SampleApi
    shop_url: str
    almanac: Almanac
    public_url: str
    environment: Mapping[str, str]


@asynccontextmanager
async def surroundings(
    data: Path, ports: Sequence[int] | None = None, *, overlap: int = 60, rotation: bool = True
) -> AsyncIterator[Surroundings]:
    """Everything but the bot while it runs, on free ports where none are given. Raises ConfigurationError.

    `ports` are those of workspace, bot, tenant and shop, and maybe of the calendar. The tenant's address is part of
    everybody's identity, so a start on other ports meets nobody linked. `overlap`, in seconds, is how long the tenant
    takes a rotated refresh token once more: a crash in mid-refresh then costs nobody their link. With `rotation` the
    tenant refuses what its Token Vault is asked, as Auth0 does; `tenant.application.rotation` may be changed later.
    """
    slack_port, bot_port, tenant_port, shop_port, *rest = ports or free_ports(5)
    public_url = f"http://{HOST}:{bot_port}"
    signing_secret, client_secret = secrets.token_hex(16), secrets.token_hex(16)
    bot_token = f"xoxb-{secrets.token_hex(16)}"
    almanac_secret = secrets.token_hex(16)
    async with AsyncExitStack() as stack:
        slack = SandboxSlack(
            data / "slack",
            signing_secret=signing_secret,
            bot_token=bot_token,
            events_url=f"{public_url}/slack/events",
            commands=(AGENT,),
        )
        almanac = Almanac(data / "almanac", client_id="tenant", client_secret=almanac_secret)
        stack.push_async_callback(almanac.stop)
        almanac_port = rest[0] if rest else 0
        await _started(almanac.start(HOST, almanac_port), almanac_port)
        tenant = SandboxTenant(
            data / "tenant",
            client_id="countersign",
            client_secret=client_secret,
            audience=AUDIENCE,
            scopes=SCOPES,
            redirect_uris=tuple(f"{public_url}/oauth/{way}" for way in ("callback", "connect", "step-up")),
            backchannel_logout_uri=f"{public_url}/oauth/backchannel-logout",
            reuse_interval_seconds=overlap,
            rotation=rotation,
            connections=(almanac.connection(),),
        )
        stack.push_async_callback(slack.stop)
        await _started(slack.start(HOST, slack_port), slack_port)
        stack.push_async_callback(tenant.stop)
        await _started(tenant.start(HOST, tenant_port), tenant_port)
        almanac.client.redirect_uris.add(tenant.vault.callback_url)
        shop = SampleApi(data / "shop", issuer=tenant.issuer, audience=AUDIENCE, receipts_from=public_url)
        stack.push_async_callback(shop.stop)
        shop_url = await _started(shop.start(HOST, shop_port), shop_port)
        environment = {
            "PUBLIC_URL": public_url,
            "HOST": HOST,
            "PORT": str(bot_port),
            "SLACK_SIGNING_SECRET": signing_secret,
            "SLACK_BOT_TOKEN": bot_token,
            "SLACK_API_URL": slack.api_url,
            "AUTH0_ISSUER": tenant.issuer,
            "AUTH0_CLIENT_ID": "countersign",
            "AUTH0_CLIENT_SECRET": client_secret,
            "AUTH0_AUDIENCE": AUDIENCE,
            "AUTH0_SCOPES": " ".join(SCOPES),
            "DATA_DIR": str(data),
            "ACTIONS_MODULES": "bot.sandbox.stock",
            "ACTIONS_FILE": str(_actions_file(data, shop_url, almanac.url)),
        }
        yield Surroundings(slack, tenant, shop, shop_url, almanac, public_url, environment)


@asynccontextmanager
async def running(
    data: Path, ports: Sequence[int] | None = None, *, rotation: bool = True, **more: str
) -> AsyncIterator[tuple[Surroundings, Settings]]:
    """The whole demo while it runs; `more` are further settings of the bot. Raises ConfigurationError."""
    async with surroundings(data, ports, rotation=rotation) as around:
        settings = config.load({**around.environment, **more})
        async with opened(settings) as database, serving(settings, database):
            yield around, settings


async def demo(*, port: int, data: Path, browser: bool) -> None:
    """Run until Ctrl-C. Raises ConfigurationError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ports = range(port, port + 5) if port else None
    async with running(data, ports, rotation=not connects(_ACTIONS)) as (around, _):
        Console().print(
            Panel(
                f"Open [bold]{around.slack.url}[/bold] and type [bold]/agent link[/bold].\n\n"
                f"The shop that the agent acts on: {around.shop_url}\n"
                f"Somebody else's calendar, to be connected: {around.almanac.url}\n"
                f"The bot itself: {around.public_url}\n"
                f"Everything is kept under {data}. Ctrl-C ends it.",
                title="Countersign demo",
                expand=False,
            )
        )
        if browser:
            await asyncio.to_thread(webbrowser.open, around.slack.url)
        await stop.wait()


async def _started(start: Awaitable[str], port: int) -> str:
    try:
        return await start
    except OSError as error:
        raise ConfigurationError(
            [f"--port: port {port} is in use ({os.strerror(error.errno or 0)}). Choose another, e.g. --port 8400."]
        ) from None


def connects(actions: Path) -> bool:
    """Whether an action of a file needs Auth0's Token Vault, which does not work beside refresh token rotation."""
    return any("connection" in action for action in tomllib.loads(actions.read_text(encoding="utf-8"))["action"])


def _actions_file(data: Path, shop_url: str, almanac_url: str) -> Path:
    text = _ACTIONS.read_text(encoding="utf-8")
    path = data / "actions.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = text.replace(_SHOP_IN_FILE, shop_url).replace(_ALMANAC_IN_FILE, almanac_url)
    path.write_text(text, encoding="utf-8")
    return path


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
