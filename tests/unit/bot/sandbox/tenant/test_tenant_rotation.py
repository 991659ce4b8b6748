"""The application's setting "Allow Refresh Token Rotation": off, and changed while grants live."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

DEAD = {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}


@pytest.fixture
async def still(tenants: Any, app_at: Any) -> Any:
    """The application at a tenant that does not rotate."""
    return app_at(await tenants(rotation=False))


async def test_without_rotation_the_token_stays_the_same(still: Any) -> None:
    """No other one is in the answer, and many at once are no reuse."""
    token = (await still.tokens())["refresh_token"]
    answers = await asyncio.gather(*(still.refresh(token) for _ in range(5)))
    assert {status for status, _ in answers} == {200}
    assert not any("refresh_token" in answer for _, answer in answers)
    assert [len(family.tokens) for family in still.tenant.families("ada")] == [1]


async def test_without_rotation_a_grant_still_ends(still: Any, clock: Any) -> None:
    """By revocation, and by lying idle; each use begins that time anew."""
    token, other = (await still.tokens())["refresh_token"], (await still.tokens("bob"))["refresh_token"]
    await still.post("oauth/revoke", token=token)
    assert await still.refresh(token) == (403, DEAD)
    clock.forward(days=10)
    assert (await still.refresh(other))[0] == 200
    clock.forward(days=10)
    assert (await still.refresh(other))[0] == 200
    clock.forward(days=15)
    assert await still.refresh(other) == (403, DEAD)


async def test_switched_off_the_first_use_gives_one_that_stays(tenants: Any, app_at: Any, clock: Any) -> None:
    """The rotating one is superseded by it, and is reuse once the overlap is over."""
    app = app_at(await tenants(reuse_interval_seconds=10))
    rotating = (await app.tokens())["refresh_token"]
    app.tenant.application.rotation = False
    _, given = await app.refresh(rotating)
    lasting = given["refresh_token"]
    assert lasting != rotating
    assert "refresh_token" not in (await app.refresh(lasting))[1]
    _, again = await app.refresh(rotating)  # the answer was lost, so it is asked for once more
    assert "refresh_token" in again
    clock.forward(seconds=10)
    assert (await app.refresh(again["refresh_token"]))[0] == 200
    assert await app.refresh(rotating) == (403, DEAD)
    assert await app.refresh(again["refresh_token"]) == (403, DEAD)


async def test_switched_on_the_next_use_rotates(still: Any) -> None:
    """And the one that stayed is reuse from then on."""
    lasting = (await still.tokens())["refresh_token"]
    await still.refresh(lasting)
    still.tenant.application.rotation = True
    _, given = await still.refresh(lasting)
    assert given["refresh_token"] != lasting
    assert await still.refresh(lasting) == (403, DEAD)
    assert await still.refresh(given["refresh_token"]) == (403, DEAD)


async def test_of_which_kind_a_token_is_survives_a_restart(still: Any, tenants: Any, app_at: Any) -> None:
    """A token that stays is not replaced afterwards either."""
    token = (await still.tokens())["refresh_token"]
    port = urlsplit(still.tenant.issuer).port
    await tenants.stop(still.tenant)
    app = app_at(await tenants(port=port, rotation=False))
    assert "refresh_token" not in (await app.refresh(token))[1]
