"""Refresh tokens: rotation, narrowing, reuse, and their end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

AUDIENCE = "https://shop.example.com"
BILLING = "https://billing.example.com"
DEAD = {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}


async def test_each_use_gives_a_new_token(app: Any) -> None:
    """Rotation: the new one works, and the grant is still one."""
    first = (await app.tokens())["refresh_token"]
    _, second = await app.refresh(first)
    _, third = await app.refresh(second["refresh_token"])
    assert len({first, second["refresh_token"], third["refresh_token"]}) == 3
    assert len(app.tenant.families("ada")) == 1


async def test_scope_narrows_this_token_and_not_the_grant(app: Any, claims_of: Any) -> None:
    """The next refresh may have it all again."""
    token = (await app.tokens())["refresh_token"]
    _, narrow = await app.refresh(token, scope="orders:read", audience=AUDIENCE)
    claims, _ = claims_of(narrow["access_token"])
    assert narrow["scope"] == claims["scope"] == "orders:read"
    assert claims["aud"] == AUDIENCE
    assert "id_token" not in narrow
    _, whole = await app.refresh(narrow["refresh_token"])
    assert whole["scope"].split()[-2:] == ["orders:read", "orders:refund"]
    assert "id_token" in whole


async def test_scope_never_widens(app: Any, claims_of: Any) -> None:
    """What is not in the grant is left out in silence, so the caller must look at what came back."""
    token = (await app.tokens(scope="openid offline_access orders:read"))["refresh_token"]
    status, given = await app.refresh(token, scope="orders:read orders:refund email admin")
    assert status == 200
    assert given["scope"] == claims_of(given["access_token"])[0]["scope"] == "orders:read"
    _, nothing = await app.refresh(given["refresh_token"], scope="orders:refund")
    assert nothing["scope"] == ""


async def test_an_unknown_audience_is_passed_over(app: Any, claims_of: Any) -> None:
    """As Auth0 does, the token is for the API of the grant: the caller must look at `aud`."""
    token = (await app.tokens())["refresh_token"]
    status, given = await app.refresh(token, audience="https://unknown.example.com", scope="orders:read")
    assert status == 200
    assert claims_of(given["access_token"])[0]["aud"] == AUDIENCE


async def test_another_api_of_the_policy_can_be_asked_for(tenants: Any, app_at: Any, claims_of: Any) -> None:
    """Multi-resource refresh tokens: that API's scopes and no others."""
    app = app_at(await tenants(other_apis={BILLING: ("invoices:read",)}))
    token = (await app.tokens())["refresh_token"]
    _, given = await app.refresh(token, audience=BILLING, scope="invoices:read orders:read")
    claims, _ = claims_of(given["access_token"])
    assert claims["aud"] == BILLING
    assert claims["scope"] == "invoices:read"


async def test_a_refreshed_id_token_has_neither_nonce_nor_amr(app: Any, claims_of: Any) -> None:
    """As Auth0's: it tells of the old login, in the same session."""
    tokens = await app.tokens(acr_values="http://schemas.openid.net/pape/policies/2007/06/multi-factor")
    before, _ = claims_of(tokens["id_token"])
    after, _ = claims_of((await app.refresh(tokens["refresh_token"]))[1]["id_token"])
    assert not after.keys() & {"nonce", "amr", "acr"}
    assert (after["sid"], after["auth_time"], after["sub"]) == (before["sid"], before["auth_time"], before["sub"])


async def test_reuse_ends_the_whole_family(app: Any) -> None:
    """Also the newest token is dead then, and the answer says no more than that."""
    first = (await app.tokens())["refresh_token"]
    _, second = await app.refresh(first)
    assert await app.refresh(first) == (403, DEAD)
    assert await app.refresh(second["refresh_token"]) == (403, DEAD)
    assert [family.ended for family in app.tenant.families("ada", ended=True)] == ["reuse_detected"]


async def test_reuse_of_an_early_token_is_recognised_too(app: Any) -> None:
    """Not only of the one before the last."""
    first = token = (await app.tokens())["refresh_token"]
    for _ in range(5):
        token = (await app.refresh(token))[1]["refresh_token"]
    assert (await app.refresh(first))[0] == 403
    assert (await app.refresh(token))[0] == 403


async def test_reuse_leaves_other_grants_alone(app: Any) -> None:
    """Neither somebody else's nor the same person's other login ends with it."""
    first, other, bobs = [(await app.tokens(person))["refresh_token"] for person in ("ada", "ada", "bob")]
    await app.refresh(first)
    await app.refresh(first)
    assert (await app.refresh(other))[0] == 200
    assert (await app.refresh(bobs))[0] == 200


async def test_two_at_once_are_reuse(app: Any) -> None:
    """Of two simultaneous refreshes one is answered, and the grant is gone: why a client must hold a lease."""
    token = (await app.tokens())["refresh_token"]
    answers = await asyncio.gather(app.refresh(token), app.refresh(token))
    assert sorted(status for status, _ in answers) == [200, 403]
    assert app.tenant.families() == []


async def test_within_the_reuse_interval_a_rotated_token_still_answers(tenants: Any, app_at: Any, clock: Any) -> None:
    """The overlap in which a crash between answer and save is survived; one second later it is reuse."""
    app = app_at(await tenants(reuse_interval_seconds=10))
    first = (await app.tokens())["refresh_token"]
    await app.refresh(first)
    clock.forward(seconds=9)
    status, again = await app.refresh(first)
    assert status == 200
    clock.forward(seconds=1)
    assert await app.refresh(first) == (403, DEAD)
    assert await app.refresh(again["refresh_token"]) == (403, DEAD)


async def test_a_grant_lies_idle_only_so_long(tenants: Any, app_at: Any, clock: Any) -> None:
    """Each refresh starts that time anew, but not the lifetime of the whole."""
    app = app_at(await tenants(idle_seconds=100, refresh_seconds=250))
    token = (await app.tokens())["refresh_token"]
    for _ in range(2):
        clock.forward(seconds=99)
        status, given = await app.refresh(token)
        assert status == 200
        token = given["refresh_token"]
    other = (await app.tokens("bob"))["refresh_token"]
    clock.forward(seconds=52)
    assert await app.refresh(token) == (403, DEAD)
    clock.forward(seconds=48)
    assert await app.refresh(other) == (403, DEAD)


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"refresh_token": "v1.unknown"}, 403, "invalid_grant"),
        ({"refresh_token": None}, 400, "invalid_request"),
        ({"client_secret": "wrong"}, 401, "access_denied"),
    ],
)
async def test_a_bad_request_is_refused(app: Any, changes: dict[str, str | None], status: int, error: str) -> None:
    """And does not spend the token."""
    token = (await app.tokens())["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token} | changes
    got, body = await app.post("oauth/token", **form)
    assert (got, body["error"]) == (status, error)
    assert (await app.refresh(token))[0] == 200


async def test_revoking_ends_the_family(app: Any) -> None:
    """By the newest token or an old one; the answer is an empty 200 (RFC 7009 section 2.2)."""
    first = (await app.tokens())["refresh_token"]
    _, second = await app.refresh(first)
    assert await app.post("oauth/revoke", token=first, token_type_hint="refresh_token") == (200, {})
    assert await app.refresh(second["refresh_token"]) == (403, DEAD)
    assert [family.ended for family in app.tenant.families(ended=True)] == ["revoked"]


async def test_revoking_twice_or_the_unknown_is_no_error(app: Any) -> None:
    """What does not live need not be ended."""
    token = (await app.tokens())["refresh_token"]
    for value in (token, token, "v1.unknown"):
        assert (await app.post("oauth/revoke", token=value))[0] == 200


@pytest.mark.parametrize(
    ("changes", "status"), [({"client_secret": "wrong"}, 401), ({"client_id": "another"}, 401), ({"token": None}, 400)]
)
async def test_a_stranger_revokes_nothing(app: Any, changes: dict[str, str | None], status: int) -> None:
    """The grant lives on."""
    token = (await app.tokens())["refresh_token"]
    assert (await app.post("oauth/revoke", **{"token": token} | changes))[0] == status
    assert (await app.refresh(token))[0] == 200


async def test_an_administrator_ends_the_grants_of_one_person(app: Any) -> None:
    """All of that person's, none of another's."""
    adas, bobs = (await app.tokens("ada"))["refresh_token"], (await app.tokens("bob"))["refresh_token"]
    assert await app.tenant.revoke_grants("ada") == 1
    assert await app.refresh(adas) == (403, DEAD)
    assert (await app.refresh(bobs))[0] == 200


async def test_calls_are_counted_and_tokens_noted_without_their_values(app: Any) -> None:
    """What a test or an audit wants to know of the tenant's log."""
    tokens = await app.tokens()
    _, given = await app.refresh(tokens["refresh_token"], scope="orders:read")
    await app.refresh("v1.unknown")
    await app.post("oauth/revoke", token=given["refresh_token"])
    tenant = app.tenant
    assert (tenant.grants, tenant.refresh_calls, tenant.revoke_calls) == (1, 2, 1)
    assert [(one.grant_type, one.sub, one.scopes[-1]) for one in tenant.issued] == [
        ("authorization_code", "auth0|ada", "orders:refund"),
        ("refresh_token", "auth0|ada", "orders:read"),
    ]
    log = repr(list(tenant.issued))
    assert tenant.issued[0].jti in log
    assert not any(answer[name] in log for answer in (tokens, given) for name in ("access_token", "refresh_token"))


class TestUserinfo:
    """`/userinfo`: the person behind an access token."""

    async def test_it_says_what_the_scopes_open(self, app: Any) -> None:
        """With `profile` and `email` the name and the address, without them the subject alone."""
        token = (await app.tokens())["access_token"]
        status, found = await app.get("userinfo", Authorization=f"Bearer {token}")
        assert status == 200
        assert (found["sub"], found["email"], found["name"]) == ("auth0|ada", "ada@example.com", "Ada Lindqvist")
        token = (await app.tokens(scope="openid"))["access_token"]
        assert (await app.get("userinfo", Authorization=f"Bearer {token}"))[1] == {"sub": "auth0|ada"}

    async def test_it_wants_a_live_access_token_with_openid(self, app: Any, clock: Any) -> None:
        """No token, an ID token, one for the API alone, and an expired one are all 401."""
        tokens = await app.tokens()
        _, narrow = await app.refresh(tokens["refresh_token"], scope="orders:read")
        assert (await app.get("userinfo"))[0] == 401
        for token in (tokens["id_token"], narrow["access_token"], tokens["access_token"] + "x", "nonsense"):
            assert (await app.get("userinfo", Authorization=f"Bearer {token}"))[0] == 401
        clock.forward(seconds=3_600)
        assert (await app.get("userinfo", Authorization=f"Bearer {tokens['access_token']}"))[0] == 401
