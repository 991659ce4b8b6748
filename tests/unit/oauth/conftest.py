"""An empty house for every test, and its pages."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from oauth import Vault
from oauth.provider import Provider
from oauth.verify import Verifier
from tests.conftest import HandClock
from tests.fakes.browser import Site, serve
from tests.fakes.claims import verifier_for
from tests.fakes.endpoint import Endpoint, provider_for
from tests.fakes.house import House, house, token_keys
from tests.fakes.link_store import MemoryLinkStore
from tests.fakes.observer import ListObserver
from tests.fakes.provider import FakeProvider
from tests.fakes.slack_openid import FakeSlackOpenId, slack_openid


@pytest.fixture
def home(clock: Any) -> House:
    """An empty house."""
    return house(MemoryLinkStore(clock), FakeProvider(clock), ListObserver(), Vault(token_keys("k1")), clock)


@pytest.fixture
async def site(home: House) -> AsyncIterator[Site]:
    """The pages as they are behind https."""
    async for found in serve(home):
        yield found


@pytest.fixture
async def slack(clock: HandClock) -> AsyncIterator[FakeSlackOpenId]:
    """Slack's OpenID endpoints."""
    async with slack_openid(clock) as found:
        yield found


@pytest.fixture
async def home_with_slack(home: House, slack: FakeSlackOpenId) -> AsyncIterator[House]:
    """An empty house where people show who they are by signing in to Slack."""
    found = home.replica(**slack.settings)
    yield found
    await found.rooms.close()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint on a port of its own."""
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", endpoint)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    endpoint.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield endpoint
    await runner.cleanup()


@pytest.fixture
async def provider(endpoint: Endpoint, clock: HandClock) -> AsyncIterator[Provider]:
    """A provider that speaks to it."""
    provider = provider_for(endpoint, clock)
    yield provider
    await provider.close()


@pytest.fixture
def verifier(clock: HandClock) -> Verifier:
    """A verifier of the fake provider's tokens."""
    return verifier_for(clock)


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
