"""Sessions that end, and what the application is told of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.sandbox.tenant import Browser
from oauth.errors import ProviderUnavailable
from oauth.keys import SigningKeys
from oauth.verify import Expected, Verifier


class Ears:
    """The application's back-channel logout address: hears tokens, answers `status`."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.status = 200

    async def hear(self, request: web.Request) -> web.Response:
        """One logout token."""
        self.heard.append(str((await request.post())["logout_token"]))
        return web.Response(status=self.status)


@pytest.fixture
async def ears(app: Any) -> AsyncIterator[Ears]:
    """An application that listens."""
    them, server = Ears(), web.Application()
    server.router.add_post("/bye", them.hear)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    app.tenant.application.backchannel_logout_uri = f"http://127.0.0.1:{runner.addresses[0][1]}/bye"
    yield them
    await runner.cleanup()


@pytest.fixture
def verifier(app: Any, clock: Any) -> Verifier:
    """The product's own verifier."""

    async def keys() -> dict[str, Any]:
        status, found = await app.get(".well-known/jwks.json")
        if status != 200:
            raise ProviderUnavailable
        return dict(found)

    return Verifier(Expected(app.tenant.issuer, "countersign"), SigningKeys(keys, clock), clock)


async def test_each_session_gets_a_logout_token_that_the_product_accepts(
    app: Any, ears: Ears, verifier: Verifier, claims_of: Any
) -> None:
    """`logout+jwt` with subject and session, one for each, each with its own `jti`; nobody else is touched."""
    sids = {claims_of((await app.tokens("ada"))["id_token"])[0]["sid"] for _ in range(2)}
    await app.tokens("bob")
    assert await app.tenant.logout("ada") == [200, 200]
    logouts = [await verifier.logout_token(token) for token in ears.heard]
    assert {logout.sub for logout in logouts} == {"auth0|ada"}
    assert {logout.sid for logout in logouts} == sids
    assert len({logout.jti for logout in logouts}) == 2
    assert all(claims_of(token)[1]["typ"] == "logout+jwt" for token in ears.heard)


async def test_without_a_session_the_subject_alone_is_named(app: Any, ears: Ears, verifier: Verifier) -> None:
    """Which stands for every session of that person."""
    assert await app.tenant.logout("carol") == [200]
    (logout,) = [await verifier.logout_token(token) for token in ears.heard]
    assert (logout.sub, logout.sid) == ("auth0|carol", None)


async def test_offline_refresh_tokens_outlive_a_logout(app: Any, ears: Ears) -> None:
    """As at Auth0: to revoke them is the application's part."""
    token = (await app.tokens())["refresh_token"]
    await app.tenant.logout("ada")
    assert len(ears.heard) == 1
    assert (await app.refresh(token))[0] == 200


async def test_an_application_that_refuses_or_is_away_changes_nothing(app: Any, ears: Ears) -> None:
    """The statuses come back as they are, 0 for no answer at all, and the session is over all the same."""
    await app.tokens()
    ears.status = 400
    assert await app.tenant.logout("ada") == [400]
    await app.tokens()
    app.tenant.application.backchannel_logout_uri = "http://127.0.0.1:1/bye"
    assert await app.tenant.logout("ada") == [0]
    assert app.tenant.state.sessions == {}


async def test_without_an_address_nobody_is_told(app: Any) -> None:
    """Back-channel logout is the application's to ask for."""
    await app.tokens()
    assert await app.tenant.logout("ada") == []


async def test_leaving_in_the_browser_ends_that_session_alone(app: Any, ears: Ears, claims_of: Any) -> None:
    """`/v2/logout` knows the session by its cookie, tells the application, and goes where it is allowed to."""
    home = "http://127.0.0.1:8300/"
    app.tenant.application.logout_uris.add(home)
    await app.tokens("ada")
    async with Browser() as browser:
        await browser.sign_in(app.url(), "ada")
        async with aiohttp.ClientSession(cookie_jar=browser.cookies) as session:
            address = f"{app.tenant.issuer}v2/logout"
            async with session.get(address, params={"returnTo": home}, allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (302, home)
            async with session.get(address) as answer:
                assert answer.status == 200
    assert len(ears.heard) == 1
    assert list(app.tenant.state.sessions.values()) == ["ada"]


async def test_leaving_goes_nowhere_unknown(app: Any, ears: Ears) -> None:
    """An unregistered `returnTo` is refused before anything ends."""
    async with Browser() as browser:
        await browser.sign_in(app.url(), "ada")
        async with aiohttp.ClientSession(cookie_jar=browser.cookies) as session:
            params = {"returnTo": "https://evil.example/"}
            async with session.get(f"{app.tenant.issuer}v2/logout", params=params, allow_redirects=False) as answer:
                assert answer.status == 400
    assert ears.heard == []
    assert len(app.tenant.state.sessions) == 1
