"""The rig's token endpoint: what tests of ours may count on when they change its mood."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from joserfc.jwk import ECKey

from tests.foreign import rig
from tests.foreign.client import Answer, Client, claims, client
from tests.foreign.token_endpoint import TokenEndpoint, reached

ADA = "person-ada"


async def grants(who: Client, sub: str = ADA) -> list[str]:
    """What has become of each refresh token of a person."""
    return [each["state"] for each in await who.provider.issued(sub)]


async def refused(who: Client, token: str, **fields: Any) -> Any:
    """The error of a refresh, if it is one."""
    return (await who.refresh(token, **fields))[1].get("error")


async def test_a_spent_refresh_token_ends_its_family_to_the_last_one() -> None:
    """Used once more after two rotations, the first token takes the newest with it, and another person's lives on: so
    whoever refreshes twice with one token loses the grant here."""
    async with client() as who:
        first, his = await who.tokens("ada"), await who.tokens("bob")
        _, second = await who.refresh(first["refresh_token"])
        _, third = await who.refresh(second["refresh_token"])
        assert await grants(who) == ["spent", "spent", "live"]
        assert await refused(who, first["refresh_token"]) == "invalid_grant"
        assert await grants(who) == ["gone"] * 3
        assert await refused(who, third["refresh_token"]) == "invalid_grant"
        assert (await who.refresh(his["refresh_token"]))[0] == 200


async def test_two_refreshes_at_once_end_the_family() -> None:
    """Of ten with one token at the same moment at most one gets anything, and what it got is dead."""
    async with client() as who:
        given = await who.tokens("ada")
        answers = await asyncio.gather(*(who.refresh(given["refresh_token"]) for _ in range(10)))
        assert sum(status == 200 for status, _ in answers) <= 1
        assert set(await grants(who)) == {"gone"}


async def test_an_overlap_forgives_one_person() -> None:
    """Ada's spent token gives another pair and ends nothing, and Bob's ends his."""
    async with client() as who:
        await TokenEndpoint(who.provider.issuer).forgives(ADA, 60)
        hers, his = await who.tokens("ada"), await who.tokens("bob")
        for given, again in ((hers, 200), (his, 400)):
            await who.refresh(given["refresh_token"])
            assert (await who.refresh(given["refresh_token"]))[0] == again
        assert await grants(who) == ["spent", "live", "live"]
        assert await grants(who, "person-bob") == ["gone", "gone"]


async def test_one_refresh_token_is_good_for_each_api_of_the_policy() -> None:
    """A refresh gives a token for the audience that it names, with scopes of that one; a login is for the first."""
    async with client(apis={rig.PARCELS: rig.PARCEL_SCOPES}) as who:
        given = await who.tokens("ada")
        assert (claims(given["access_token"])["aud"], given["scope"]) == (rig.AUDIENCE, " ".join(rig.SCOPES))

        async def refreshed(scope: str, audience: str) -> Answer:
            _, answer = await who.refresh(given["refresh_token"], scope=scope, audience=audience)
            given.update(answer)
            return claims(answer["access_token"])

        for audience, scope in ((rig.PARCELS, "parcels:read"), (rig.AUDIENCE, "orders:read")):
            found = await refreshed(scope, audience)
            assert (found["aud"], found["scope"]) == (audience, scope)
        assert "scope" not in await refreshed("orders:read", rig.PARCELS)
        elsewhere = await refused(who, given["refresh_token"], audience="https://elsewhere.example.com")
        assert elsewhere == "invalid_target"


async def test_access_tokens_live_as_long_as_they_are_told() -> None:
    """The next ones, and the shop knows when they are over."""
    async with client() as who, rig.shop(who.provider.issuer) as shop:
        await TokenEndpoint(who.provider.issuer).gives_for(1)
        given = await who.tokens("ada")
        found = claims(given["access_token"])
        assert (given["expires_in"], found["exp"] - found["iat"]) == (1, 1)
        await reached(found["exp"])
        async with who.session.get(
            f"{shop.url}/orders/A-1", headers={"Authorization": f"Bearer {given['access_token']}"}
        ) as answer:
            assert (answer.status, (await answer.json())["reason"]) == (401, "exp")


async def test_an_outage_is_an_answer_that_spends_nothing() -> None:
    """The status and `Retry-After` that it was told, whose token it was, and then all is as before."""
    async with client() as who:
        endpoint, given = TokenEndpoint(who.provider.issuer), await who.tokens("ada")
        await endpoint.fails(429, retry_after=7)
        async with who.session.post(
            f"{who.provider.issuer}/token",
            data={"grant_type": "refresh_token", "refresh_token": given["refresh_token"]},
        ) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        await endpoint.works()
        assert (await who.refresh(given["refresh_token"], scope="orders:read"))[0] == 200
        assert [(each["status"], each.get("scope")) for each in await endpoint.refreshes(ADA)] == [
            (429, None),
            (200, "orders:read"),
        ]


async def test_a_held_answer_has_spent_the_token() -> None:
    """While it is held the token is rotated and nobody has the new one; let go, it arrives."""
    async with client() as who:
        endpoint, given = TokenEndpoint(who.provider.issuer), await who.tokens("ada")
        await endpoint.holds(True)
        waiting = asyncio.create_task(who.refresh(given["refresh_token"]))
        await endpoint.spent(ADA)
        assert not waiting.done()
        assert await grants(who) == ["spent", "live"]
        await endpoint.holds(False)
        assert (await waiting)[0] == 200


async def test_a_lost_answer_has_spent_the_token() -> None:
    """The connection breaks, the token is rotated all the same, and the next answer arrives."""
    async with client() as who:
        endpoint, given = TokenEndpoint(who.provider.issuer), await who.tokens("ada")
        await endpoint.loses(1)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await who.refresh(given["refresh_token"])
        assert await grants(who) == ["spent", "live"]
        assert (await who.refresh(given["refresh_token"]))[0] == 400


async def test_a_secret_is_of_no_use_where_a_key_is_wanted() -> None:
    """A provider that knows the client by its key takes no secret, neither for tokens nor for revocation."""
    key = ECKey.generate_key("P-256", private=False)
    async with client(client_key=dict(key.as_dict(private=False))) as who:
        status, answer = await who.refresh("whatever")
        assert (status, answer["error"]) == (401, "invalid_client")
        assert await who.revoke("whatever") == 401
