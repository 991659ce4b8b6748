"""The rig itself: what these servers promise, before anything of ours is tried on them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.foreign import client as clients
from tests.foreign import rig
from tests.foreign.client import CALLBACK, Answer, Client, claims


async def call(shop: rig.Shop, method: str, path: str, token: str | None) -> tuple[int, Answer]:
    """Ask the shop."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.request(method, shop.url + path, headers=headers) as answer:
        return answer.status, await answer.json()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of a provider of this test alone."""
    async with clients.client() as made:
        yield made


async def test_a_login_names_the_person(client: Client) -> None:
    """The ID token carries the verified address, the access token the audience and the scopes, both the subject."""
    given = await client.tokens("ada")
    identity, access = claims(given["id_token"]), claims(given["access_token"])
    assert (identity["sub"], identity["email"], identity["email_verified"]) == ("person-ada", "ada@example.com", True)
    assert (access["sub"], access["aud"], access["iss"]) == ("person-ada", rig.AUDIENCE, client.provider.issuer)
    assert access["scope"].split() == list(rig.SCOPES)


async def test_no_login_without_pkce(client: Client) -> None:
    """A request that names no challenge is sent back with an error."""
    back, _ = await client.login("ada", pkce=False)
    assert back["error"] == "invalid_request"
    assert "code" not in back


async def test_a_person_can_say_no(client: Client) -> None:
    """Cancelling comes back as `access_denied`."""
    back, _ = await client.login("ada", choice="cancel")
    assert back["error"] == "access_denied"


async def test_a_refresh_rotates_and_narrows(client: Client) -> None:
    """Each refresh token is a new one, each access token has the asked scope alone, and the grant stays whole."""
    first = await client.tokens("ada")
    _, second = await client.refresh(first["refresh_token"], "orders:read")
    assert second["refresh_token"] != first["refresh_token"]
    assert claims(second["access_token"])["scope"] == "orders:read"
    _, third = await client.refresh(second["refresh_token"], "orders:refund")
    assert claims(third["access_token"])["scope"] == "orders:refund"
    states = [each["state"] for each in await client.provider.issued("person-ada")]
    assert states == ["spent", "spent", "live"]


async def test_reuse_ends_the_family(client: Client) -> None:
    """A refresh token used twice is refused, and so is the one that took its place."""
    first = await client.tokens("ada")
    _, second = await client.refresh(first["refresh_token"])
    for token in (first["refresh_token"], second["refresh_token"]):
        assert (await client.refresh(token))[1]["error"] == "invalid_grant"
    assert {each["state"] for each in await client.provider.issued()} == {"gone"}


async def test_revocation_ends_one_grant(client: Client) -> None:
    """The revoked person's token is refused, another person's lives on."""
    hers, his = await client.tokens("ada"), await client.tokens("bob")
    assert await client.revoke(hers["refresh_token"]) == 200
    assert (await client.refresh(hers["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await client.refresh(his["refresh_token"]))[0] == 200


async def test_the_shop_wants_the_right_scope(client: Client) -> None:
    """Reading is not refunding; what was refused is in the journal and did nothing."""
    given = await client.tokens("ada")
    _, narrowed = await client.refresh(given["refresh_token"], "orders:read")
    async with rig.shop(client.provider.issuer) as shop:
        assert await call(shop, "GET", "/orders/A-1", narrowed["access_token"]) == (
            200,
            {"id": "A-1", "customer": "Countess", "total": 1200, "refunded": 0},
        )
        assert (await call(shop, "POST", "/orders/A-1/refund", narrowed["access_token"]))[0] == 403
        assert await shop.refunds() == []
        assert [(c["sub"], c["scope"], c["status"]) for c in await shop.calls()] == [
            ("person-ada", "orders:read", 200),
            ("person-ada", "orders:read", 403),
        ]


async def test_the_shop_refuses_what_is_not_for_it(client: Client) -> None:
    """No token, a foreign audience, an expired one, an ID token, and one whose claims were changed are all 401."""
    given = await client.tokens("ada")
    token = given["access_token"]
    head, _, signature = token.split(".")
    altered = json.dumps(claims(token) | {"sub": "person-bob"}).encode()
    forged = ".".join([head, base64.urlsafe_b64encode(altered).decode().rstrip("="), signature])
    issuer = client.provider.issuer
    async with (
        rig.shop(issuer) as shop,
        rig.shop(issuer, audience="https://elsewhere.example.com") as elsewhere,
        rig.shop(issuer, ahead=3600) as later,
    ):
        assert (await call(shop, "GET", "/orders/A-1", token))[0] == 200
        refused = {
            "no token": await call(shop, "GET", "/orders/A-1", None),
            "aud": await call(elsewhere, "GET", "/orders/A-1", token),
            "exp": await call(later, "GET", "/orders/A-1", token),
            "typ": await call(shop, "GET", "/orders/A-1", given["id_token"]),
            "ERR_JWS_SIGNATURE_VERIFICATION_FAILED": await call(shop, "GET", "/orders/A-1", forged),
        }
        assert {name: (status, body["reason"]) for name, (status, body) in refused.items()} == {
            name: (401, name) for name in refused
        }
        assert [c["sub"] for c in await shop.calls()] == ["person-ada"]


async def test_the_shop_trusts_one_issuer(client: Client) -> None:
    """A token of another provider with the same audience, scopes and names is refused."""
    given = await client.tokens("ada")
    async with rig.provider(CALLBACK) as other, rig.shop(other.issuer) as shop:
        assert (await call(shop, "GET", "/orders/A-1", given["access_token"]))[0] == 401


async def test_a_closed_gate_keeps_the_answer_not_the_effect(client: Client) -> None:
    """Behind the gate a refund has happened, and its answer comes when the gate opens."""
    given = await client.tokens("ada")
    async with rig.shop(client.provider.issuer) as shop:
        await shop.gate(open_=False)
        asked = asyncio.create_task(call(shop, "POST", "/orders/A-1/refund", given["access_token"]))
        while not await shop.refunds():
            assert not asked.done()
        await shop.gate(open_=True)
        assert (await asked)[0] == 200
        assert len(await shop.refunds()) == 1


async def test_servers_end_with_their_parent() -> None:
    """A server whose standard input is closed is gone, so no test leaves one behind."""
    async with rig.provider(CALLBACK) as provider:
        issuer = provider.issuer
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(issuer)
