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
