"""A third party's token out of Token Vault: asked for under the link's lease, kept sealed, gone with the link."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oauth.errors import AccountNotConnected, GrantDead, NotLinked, ProviderUnavailable
from oauth.models import TokenSet
from oauth.provider import Provider
from tests.fakes.endpoint import Endpoint
from tests.fakes.house import ADA, BOB, House, token

EVENTS = frozenset({"events:read"})
GIVEN = {
    "access_token": "theirs-1",
    "scope": "events:read events:write",
    "expires_in": 1800,
    "issued_token_type": "http://auth0.com/oauth/token-type/federated-connection-access-token",
    "token_type": "Bearer",
}


async def test_the_exchange_says_what_it_is_for(provider: Provider, endpoint: Endpoint) -> None:
    """The form of Auth0's page "Refresh Token Exchange with Token Vault"; no scope, since it cannot be narrowed."""
    endpoint.will(GIVEN)
    given = await provider.connected("refresh-1", connection="almanac", scopes=EVENTS)
    assert endpoint.forms == [
        {
            "path": "/token",
            "grant_type": "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token",
            "subject_token": "refresh-1",
            "subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token",
            "requested_token_type": "http://auth0.com/oauth/token-type/federated-connection-access-token",
            "connection": "almanac",
            "client_id": "client-1",
            "client_secret": "s3cret",
        }
    ]
    assert (given.access_token, given.expires_in) == ("theirs-1", 1800.0)
    assert given.scopes == {"events:read", "events:write"}


async def test_what_comes_beside_a_third_partys_token_is_not_ours(provider: Provider, endpoint: Endpoint) -> None:
    """A refresh token in the answer must never stand in the place of the link's own."""
    endpoint.will(GIVEN | {"refresh_token": "theirs-2", "id_token": "theirs-3"})
    given = await provider.connected("refresh-1", connection="almanac", scopes=EVENTS)
    assert (given.refresh_token, given.id_token) == (None, None)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, "federated_connection_refresh_token_not_found"), (401, "federated_connection_refresh_token_flow_failed"),
        (400, "invalid_request"), (403, "invalid_grant"), (401, "anything_else"),
    ],
)  # fmt: skip
async def test_an_account_that_is_not_connected(
    provider: Provider, endpoint: Endpoint, status: int, error: str
) -> None:
    """401 is about the account here, unless it names our credentials; the error says which one is to be connected."""
    endpoint.will({"error": error, "error_description": "…"}, status)
    with pytest.raises(AccountNotConnected) as missing:
        await provider.connected("refresh-1", connection="almanac", scopes=EVENTS)
    assert (missing.value.connection, missing.value.scopes) == ("almanac", EVENTS)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, "invalid_client"), (401, "access_denied"), (403, "unauthorized_client"), (503, "invalid_grant"),
        (429, "too_many_requests"),
    ],
)  # fmt: skip
async def test_what_is_our_own_fault_or_an_outage_is_not_the_persons(
    provider: Provider, endpoint: Endpoint, status: int, error: str
) -> None:
    """Wrong credentials, a grant type that the application may not use, overload: nobody is sent to connect."""
    endpoint.will({"error": error}, status)
    with pytest.raises(ProviderUnavailable):
        await provider.connected("refresh-1", connection="almanac", scopes=EVENTS)


# through the broker


async def test_a_third_partys_token_is_kept_like_any_other(home: House) -> None:
    """One exchange, then one read; sealed in the link; the person's other tokens are not touched."""
    ada = await home.link()
    home.provider.accounts[ada.sub, "almanac"] = EVENTS
    own = await token(home, ada)
    given = await home.rooms.broker.connected(ada, "almanac", EVENTS)
    assert (given.audience, given.scopes) == ("connection:almanac", EVENTS)
    home.store.calls.clear()
    assert await home.rooms.broker.connected(ada, "almanac", EVENTS) == given
    assert home.store.calls.total() == 1
    assert await token(home, ada) == own
    assert (home.provider.vaulted, home.provider.refreshes) == (1, 1)
    assert given.value not in home.store.dump()
    assert home.observer.entries()[-1] == ("token.refreshed", "ok", None)


async def test_fifty_calls_at_three_replicas_are_one_exchange(home: House) -> None:
    """Under the lease: the same refresh token must not be on its way twice, should the provider rotate it after all."""
    ada = await home.link()
    home.provider.accounts[ada.sub, "almanac"] = EVENTS
    homes = [home, home.replica(), home.replica()]
    await asyncio.gather(*(homes[n % 3].rooms.broker.connected(ada, "almanac", EVENTS) for n in range(50)))
    assert home.provider.vaulted == 1


async def test_each_person_and_each_account_has_its_own(home: House) -> None:
    """Ada's is not Bob's, one connection's is not another's, and no API token is taken for one."""
    ada, bob = await home.link(ADA), await home.link(BOB)
    home.provider.accounts[ada.sub, "almanac"] = home.provider.accounts[ada.sub, "atlas"] = EVENTS
    given = [await home.rooms.broker.connected(ada, name, EVENTS) for name in ("almanac", "atlas")]
    assert given[0].value != given[1].value
    with pytest.raises(AccountNotConnected):
        await home.rooms.broker.connected(bob, "almanac", EVENTS)


async def test_scopes_that_the_account_lacks_are_asked_for_by_connecting_again(home: House) -> None:
    """What came is not used; the error names all that the call needs, and the trail has it."""
    ada = await home.link()
    home.provider.accounts[ada.sub, "almanac"] = EVENTS
    wanted = EVENTS | {"events:write"}
    with pytest.raises(AccountNotConnected) as short:
        await home.rooms.broker.connected(ada, "almanac", wanted)
    assert short.value.scopes == wanted
    assert home.observer.entries()[-1] == ("token.refused", "denied", "account_not_connected")
    assert (await home.rooms.broker.connected(ada, "almanac", EVENTS)).scopes == EVENTS


async def test_with_the_link_the_third_partys_token_goes_too(home: House) -> None:
    """A token that outlives its link's version is never used."""
    ada = await home.link()
    home.provider.accounts[ada.sub, "almanac"] = EVENTS
    await home.rooms.broker.connected(ada, "almanac", EVENTS)
    await home.rooms.links.unlink(ADA, "unlink")
    anew = await home.link()
    with pytest.raises(NotLinked):
        await home.rooms.broker.connected(ada, "almanac", EVENTS)
    await home.rooms.broker.connected(anew, "almanac", EVENTS)
    assert home.provider.vaulted == 2


async def test_a_dead_grant_is_not_buried_by_an_exchange(home: House) -> None:
    """Token Vault refuses for many reasons; that the grant is dead comes out at the next refresh, as ever."""
    ada = await home.link()
    home.provider.grants[0].alive = False
    with pytest.raises(AccountNotConnected):
        await home.rooms.broker.connected(ada, "almanac", EVENTS)
    assert await home.rooms.links.principal(ADA) == ada
    with pytest.raises(GrantDead):
        await token(home, ada)


async def test_a_third_partys_token_is_not_looked_into(home: House) -> None:
    """It may be a JWT of an issuer that we know nothing of, or look like one."""
    ada = await home.link()
    home.provider.accounts[ada.sub, "almanac"] = EVENTS
    connected = home.provider.connected

    async def foreign(refresh_token: str, *, connection: str, scopes: frozenset[str]) -> TokenSet:
        given = await connected(refresh_token, connection=connection, scopes=scopes)
        return replace(given, access_token="eyJhbGciOiJub25lIn0.e30.")

    home.provider.connected = foreign  # type: ignore[method-assign]
    assert (await home.rooms.broker.connected(ada, "almanac", EVENTS)).jti is None
