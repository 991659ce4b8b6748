"""Things that go wrong on purpose, so that the bot can be seen to bear them."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest


async def test_an_endpoint_fails_as_often_as_told(app: Any) -> None:
    """Then it is well again, and nothing was done in between."""
    token = (await app.tokens())["refresh_token"]
    app.tenant.fail("token", status=503, times=2)
    assert [(await app.refresh(token))[0] for _ in range(3)] == [503, 503, 200]


async def test_overload_is_said_as_auth0_says_it(app: Any) -> None:
    """429 with its error and, where it is set, `Retry-After`."""
    app.tenant.fail("token", status=429, retry_after=7)
    async with app.http.post(f"{app.tenant.issuer}oauth/token", data={}) as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "7"
        assert (await answer.json())["error"] == "too_many_requests"


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("discovery", ".well-known/openid-configuration"),
        ("jwks", ".well-known/jwks.json"),
        ("authorize", "authorize"),
        ("revoke", "oauth/revoke"),
        ("userinfo", "userinfo"),
    ],
)
async def test_each_endpoint_can_fail_by_itself(app: Any, endpoint: Any, path: str) -> None:
    """And the others do not."""
    app.tenant.fail(endpoint, status=502)
    method = "POST" if endpoint == "revoke" else "GET"
    async with app.http.get(f"{app.tenant.issuer}u/style.css") as answer:
        assert answer.status == 200
    async with app.http.request(method, app.tenant.issuer + path) as answer:
        assert answer.status == 502


async def test_a_lost_answer_was_carried_out(app: Any) -> None:
    """The token is rotated, and nobody knows the new one: the case that a reuse interval is for."""
    token = (await app.tokens())["refresh_token"]
    app.tenant.fail("token", lost=True)
    with pytest.raises(aiohttp.ClientError):
        await app.refresh(token)
    assert app.tenant.refresh_calls == 1
    assert (await app.refresh(token))[0] == 403


async def test_a_lost_answer_is_survived_within_the_reuse_interval(tenants: Any, app_at: Any) -> None:
    """The old token is tried again and goes on."""
    app = app_at(await tenants(reuse_interval_seconds=30))
    token = (await app.tokens())["refresh_token"]
    app.tenant.fail("token", lost=True)
    with pytest.raises(aiohttp.ClientError):
        await app.refresh(token)
    assert (await app.refresh(token))[0] == 200


async def test_a_held_request_waits_before_anything_is_done(app: Any) -> None:
    """Until it is released the token is not spent; then it is answered, and later requests do not wait."""
    token = (await app.tokens())["refresh_token"]
    hold = app.tenant.hold("token")
    waiting = asyncio.create_task(app.refresh(token))
    await hold.arrival()
    assert app.tenant.refresh_calls == 0
    assert not waiting.done()
    hold.release()
    status, given = await waiting
    assert status == 200
    assert (await app.refresh(given["refresh_token"]))[0] == 200


@pytest.mark.parametrize(
    ("endpoint", "method", "path"),
    [
        ("connect", "POST", "me/v1/connected-accounts/connect"),
        ("complete", "POST", "me/v1/connected-accounts/complete"),
        ("accounts", "GET", "me/v1/connected-accounts/accounts"),
        ("ticket", "GET", "connected-accounts/connect"),
        ("callback", "GET", "login/callback"),
    ],
)
async def test_each_step_of_connecting_can_fail_by_itself(vault: Any, endpoint: Any, method: str, path: str) -> None:
    """As often as told."""
    vault.tenant.fail(endpoint, status=502)
    for status in (True, False):
        async with vault.app.http.request(method, vault.tenant.issuer + path) as answer:
            assert (answer.status == 502) is status


async def test_an_exchange_at_the_vault_can_fail_by_itself(vault: Any) -> None:
    """While a refresh at the same address goes well; what hits that address hits both."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    vault.tenant.fail("vault")
    assert (await vault.app.refresh(ada.refresh))[0] == 200
    assert [(await vault.exchange(ada.refresh))[0] for _ in range(2)] == [503, 200]
    vault.tenant.fail("token")
    assert [(await vault.exchange(ada.refresh))[0] for _ in range(2)] == [503, 200]


async def test_a_completion_whose_answer_is_lost_was_carried_out(vault: Any) -> None:
    """The account is connected, and nobody was told."""
    ada = await vault.signs_in()
    session, link = await vault.link(ada)
    code = (await vault.agrees(link))["connect_code"]
    vault.tenant.fail("complete", lost=True)
    with pytest.raises(aiohttp.ClientError):
        await vault.complete(ada, session, code)
    assert (await vault.exchange(ada.refresh))[0] == 200


async def test_exchanges_can_be_held(vault: Any) -> None:
    """And refreshes go on meanwhile."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    hold = vault.tenant.hold("vault")
    waiting = asyncio.create_task(vault.exchange(ada.refresh))
    await hold.arrival()
    assert (await vault.app.refresh(ada.refresh))[0] == 200
    hold.release()
    assert (await waiting)[0] == 200
