"""Whom the shop lets in: nobody but the bearer of a genuine token, and nobody further than its scopes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from bot.sandbox.shop import SampleApi
from bot.sandbox.tenant.keys import Signer


async def test_a_good_token_opens_the_door(call: Any, issuer: Any) -> None:
    """Of any of the forms in which a tenant may issue it."""
    for token in (
        issuer.token(),
        issuer.token(typ="at+jwt"),
        issuer.token(aud=["https://shop.example.com", f"{issuer.name}userinfo"]),
    ):
        assert (await call("GET", "/orders", token))[0] == 200


async def test_without_a_token_only_the_scheme_is_named(call: Any) -> None:
    """RFC 6750 section 3.1: no error code where no credentials were sent."""
    status, body, challenge = await call("GET", "/orders")
    assert status == 401
    assert challenge == 'Bearer realm="shop"'
    assert "orders" not in body


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://127.0.0.1:1/"},
        {"iss": None},
        {"aud": "https://other.example.com"},
        {"aud": None},
        {"aud": ["https://other.example.com"]},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"sub": None},
        {"sub": ""},
        {"scope": 7},
        {"typ": "logout+jwt"},
    ],
)
async def test_each_claim_counts(call: Any, issuer: Any, claims: dict[str, Any]) -> None:
    """A wrong or missing one is 401 invalid_token, and the journal names nobody."""
    status, _, challenge = await call("GET", "/orders", issuer.token(**claims))
    assert status == 401
    assert 'error="invalid_token"' in challenge
    assert call.shop.journal[-1].sub is None


async def test_the_issuer_counts_to_the_letter(call: Any, issuer: Any) -> None:
    """Without its slash it is another."""
    assert (await call("GET", "/orders", issuer.token(iss=issuer.name.rstrip("/"))))[0] == 401


async def test_a_token_expires_on_time(call: Any, issuer: Any, clock: Any) -> None:
    """At the second that it says."""
    token = issuer.token()
    clock.forward(seconds=59)
    assert (await call("GET", "/orders", token))[0] == 200
    clock.forward(seconds=1)
    assert (await call("GET", "/orders", token))[0] == 401


async def test_the_signature_counts(call: Any, issuer: Any) -> None:
    """Neither another's key, nor a changed payload, nor none, nor a key that is a public one used as a secret."""
    other = Signer()
    other.restore(issuer.signer.snapshot())
    other.rotate(keep_former=False)
    head, payload, signature = issuer.token().split(".")
    changed = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"sub": "auth0|bob"}
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    hs256 = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    for token in (
        issuer.token(signer=other),
        f"{head}.{forged}.{signature}",
        f"{none}.{payload}.",
        f"{hs256}.{payload}.{signature}",
        "nonsense",
        "a.b.c",
    ):
        assert (await call("GET", "/orders", token))[0] == 401


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "Bearer  ", "token x"])
async def test_another_scheme_is_no_token(call: Any, value: str) -> None:
    """invalid_request, as RFC 6750 names it."""
    status, _, challenge = await call("GET", "/orders", Authorization=value)
    assert status == 401
    assert 'error="invalid_request"' in challenge


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/orders", "orders:read"),
        ("GET", "/orders/A-1001", "orders:read"),
        ("POST", "/orders/A-1001/refund", "orders:refund"),
    ],
)
async def test_each_route_needs_its_scope(call: Any, issuer: Any, method: str, path: str, scope: str) -> None:
    """Another scope, a longer one, or none is 403 with the name of what is missing, and nothing happens."""
    other = {"orders:read": "orders:refund", "orders:refund": "orders:read"}[scope]
    for carried in (other, f"{scope}:all", ""):
        status, _, challenge = await call(method, path, issuer.token(carried), body={"amount": 1})
        assert status == 403
        assert f'error="insufficient_scope", error_description="This call needs the scope {scope}."' in challenge
        assert challenge.endswith(f'scope="{scope}"')
    assert call.shop.orders["A-1001"].refunded == 0
    body = {"amount": 1} if method == "POST" else None
    assert (await call(method, path, issuer.token(scope), body=body))[0] == 200


async def test_scope_is_asked_before_existence(call: Any, issuer: Any) -> None:
    """Who may not read does not learn which orders there are."""
    assert (await call("GET", "/orders/A-9999", issuer.token("orders:refund")))[0] == 403


async def test_keys_are_fetched_once(call: Any, issuer: Any) -> None:
    """Not for every call."""
    for _ in range(5):
        await call("GET", "/orders", issuer.token())
    assert issuer.fetches == 1


async def test_a_new_key_is_found_after_a_rotation(call: Any, issuer: Any, clock: Any) -> None:
    """An unknown key makes the shop look again."""
    await call("GET", "/orders", issuer.token())
    issuer.signer.rotate(keep_former=False)
    clock.forward(seconds=5)
    assert (await call("GET", "/orders", issuer.token()))[0] == 200
    assert issuer.fetches == 2


async def test_a_revoked_key_is_forgotten(call: Any, issuer: Any, clock: Any) -> None:
    """Known keys are looked at anew after ten minutes."""
    old = issuer.token(exp=int(clock().timestamp()) + 3_600)
    await call("GET", "/orders", old)
    issuer.signer.rotate(keep_former=False)
    clock.forward(minutes=9)
    assert (await call("GET", "/orders", old))[0] == 200
    clock.forward(minutes=1)
    assert (await call("GET", "/orders", old))[0] == 401


async def test_invented_keys_do_not_hammer_the_issuer(call: Any, issuer: Any) -> None:
    """Anybody can send tokens with unknown ids: at most one look every five seconds."""
    await call("GET", "/orders", issuer.token())
    other = Signer()
    for _ in range(3):
        other.rotate(keep_former=False)
        assert (await call("GET", "/orders", issuer.token(signer=other)))[0] == 401
    assert issuer.fetches == 1


async def test_an_issuer_that_is_away_is_not_the_callers_fault(call: Any, issuer: Any, clock: Any) -> None:
    """503 while no key is known; then the known ones carry on through an outage."""
    issuer.away = True
    assert (await call("GET", "/orders", issuer.token()))[0] == 503
    issuer.away = False
    clock.forward(seconds=5)
    assert (await call("GET", "/orders", issuer.token()))[0] == 200
    issuer.away = True
    clock.forward(minutes=11)
    assert (await call("GET", "/orders", issuer.token()))[0] == 200


async def test_the_shop_and_the_tenant_understand_each_other(tmp_path: Any, call: Any, clock: Any) -> None:
    """A token that the sandbox tenant has issued to Bob is Bob's in the journal."""
    from bot.sandbox.tenant import SandboxTenant
    from bot.sandbox.tenant.claims import access_token

    tenant = SandboxTenant(
        tmp_path,
        client_id="c",
        client_secret="s",
        audience="https://shop.example.com",
        scopes=["orders:read"],
        clock=clock,
    )
    await tenant.start()
    shop = SampleApi(tmp_path, issuer=tenant.issuer, audience="https://shop.example.com", clock=clock)
    await shop.start()
    try:
        token = access_token(
            tenant._tenant,
            tenant.state.people["bob"],
            audience="https://shop.example.com",
            scopes=("openid", "orders:read"),
            organization=None,
            grant_type="refresh_token",
            family=None,
        )
        call.shop = shop
        assert (await call("GET", "/orders", token))[0] == 200
        assert (shop.journal[0].sub, shop.journal[0].jti) == ("auth0|bob", tenant.issued[0].jti)
    finally:
        await shop.stop()
        await tenant.stop()
