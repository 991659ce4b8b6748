"""Token Vault: a refresh token of the tenant's for a third party's access token."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.sandbox.almanac import Almanac
from tests.unit.bot.sandbox.tenant.vault import GRANT, ISSUED, SCOPES

NOT_FOUND = (
    401,
    {
        "error": "federated_connection_refresh_token_not_found",
        "error_description": "Federated connection Refresh Token not found.",
    },
)
FLOW_FAILED = "federated_connection_refresh_token_flow_failed"


async def token_of(vault: Any, refresh_token: str, **changes: str) -> str:
    """The access token of an exchange that goes well."""
    status, given = await vault.exchange(refresh_token, **changes)
    assert status == 200, given
    return str(given["access_token"])


async def test_a_connected_account_gives_its_token(vault: Any) -> None:
    """The third party takes what the exchange gives; the answer is that of RFC 8693 with Auth0's token type."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    status, given = await vault.exchange(ada.refresh)
    assert status == 200
    assert given == {
        "access_token": given["access_token"],
        "scope": "events:read events:write",
        "expires_in": 600,
        "issued_token_type": ISSUED,
        "token_type": "Bearer",
    }
    status, found = await vault.events(given["access_token"])
    assert (status, [event["title"] for event in found["events"]]) == (200, ["Budget review", "Dentist"])


async def test_a_token_that_is_still_good_is_given_again(vault: Any, clock: Any) -> None:
    """With the seconds that are left, and without asking the third party."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    first = await token_of(vault, ada.refresh)
    clock.forward(seconds=599)
    calls = vault.almanac.token_calls
    _, given = await vault.exchange(ada.refresh)
    assert (given["access_token"], given["expires_in"]) == (first, 1)
    assert vault.almanac.token_calls == calls


async def test_a_token_that_is_over_is_refreshed_at_the_third_party(vault: Any, clock: Any) -> None:
    """Once, however many ask at the same time, with the same scopes, and as often as it is over."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    first = await token_of(vault, ada.refresh)
    clock.forward(seconds=600)
    calls = vault.almanac.token_calls
    given = await asyncio.gather(*(vault.exchange(ada.refresh) for _ in range(5)))
    assert len({answer["access_token"] for _, answer in given} | {first}) == 2
    assert {(answer["scope"], answer["expires_in"]) for _, answer in given} == {("events:read events:write", 600)}
    assert vault.almanac.token_calls == calls + 1
    assert (await vault.events(given[0][1]["access_token"]))[0] == 200
    clock.forward(seconds=600)
    assert (await vault.events(await token_of(vault, ada.refresh)))[0] == 200


async def test_who_has_connected_nothing_is_told_so(vault: Any) -> None:
    """401 with Auth0's own error, also where somebody else has, and where it was another connection."""
    ada, bob = await vault.signs_in("ada"), await vault.signs_in("bob")
    await vault.connects(bob)
    assert await vault.exchange(ada.refresh) == NOT_FOUND
    assert await vault.exchange(bob.refresh, connection="another") == NOT_FOUND
    assert (await vault.exchange(bob.refresh))[0] == 200


async def test_an_account_is_of_one_connection(vault_at: Any, almanac: Almanac, tenants: Any) -> None:
    """Not of another that the tenant has too; and of none, once the tenant has that connection no longer."""
    vault = await vault_at(connections=(almanac.connection(), almanac.connection("second")))
    ada = await vault.signs_in()
    await vault.connects(ada, connection="second")
    assert await vault.exchange(ada.refresh) == NOT_FOUND
    assert (await vault.exchange(ada.refresh, connection="second"))[0] == 200
    await tenants.stop(vault.tenant)
    vault = await vault_at()
    assert await vault.exchange(ada.refresh, connection="second") == NOT_FOUND


async def test_only_what_was_agreed_to_is_in_the_token(vault: Any) -> None:
    """The person has ticked less than was asked for: the answer names that, so the caller must look at it."""
    ada = await vault.signs_in()
    session, link = await vault.link(ada)
    back = await vault.agrees(link, without={"events:write"})
    _, account = await vault.complete(ada, session, back["connect_code"])
    assert account["scopes"] == ["events:read"]
    assert (await vault.exchange(ada.refresh))[1]["scope"] == "events:read"


async def test_a_grant_that_ended_at_the_third_party_shows_at_the_next_refresh(vault: Any, clock: Any) -> None:
    """Until then the vault gives what it has, which is dead; connecting anew mends it."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    token = await token_of(vault, ada.refresh)
    assert vault.almanac.disconnect("ada") == 1
    assert await token_of(vault, ada.refresh) == token
    assert (await vault.events(token))[0] == 401
    clock.forward(seconds=600)
    status, refused = await vault.exchange(ada.refresh)
    assert (status, refused["error"]) == (401, FLOW_FAILED)
    await vault.connects(ada)
    assert (await vault.events(await token_of(vault, ada.refresh)))[0] == 200


async def test_a_third_party_without_refresh_tokens_is_as_not_connected(
    vault_at: Any, almanac: Almanac, tmp_path: Path, clock: Any
) -> None:
    """Connecting seems to go well, and the exchange finds nothing that it could keep alive."""
    await almanac.stop()
    brief = Almanac(tmp_path, client_id="the tenant", client_secret="at almanac", offline=False, clock=clock)
    await brief.start(port=urlsplit(almanac.url).port or 0)
    vault = await vault_at()
    brief.client.redirect_uris.add(vault.tenant.vault.callback_url)
    ada = await vault.signs_in()
    assert (await vault.connects(ada))["access_type"] == "offline"
    assert await vault.exchange(ada.refresh) == NOT_FOUND
    await brief.stop()


async def test_while_the_third_party_is_away_the_tokens_stay(vault: Any, tmp_path: Path, clock: Any) -> None:
    """503, and once it is back, with what it remembers, everything goes on."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    first = await token_of(vault, ada.refresh)
    await vault.almanac.stop()
    assert await token_of(vault, ada.refresh) == first
    clock.forward(seconds=600)
    status, refused = await vault.exchange(ada.refresh)
    assert (status, refused["error"]) == (503, "temporarily_unavailable")
    back = Almanac(tmp_path / "almanac", client_id="the tenant", client_secret="at almanac", clock=clock)
    await back.start(port=urlsplit(vault.almanac.url).port or 0)
    assert await token_of(vault, ada.refresh) != first
    await back.stop()


async def test_an_application_whose_tokens_rotate_is_refused(vault_at: Any) -> None:
    """Token Vault does not support rotation; the grant does not suffer from the attempt."""
    vault = await vault_at(rotation=True)
    ada = await vault.signs_in()
    await vault.connects(ada)
    status, refused = await vault.exchange(ada.refresh)
    assert (status, refused["error"]) == (403, "unauthorized_client")
    assert "rotation" in refused["error_description"]
    vault.tenant.application.rotation = False
    assert (await vault.exchange(ada.refresh))[0] == 200


async def test_an_exchange_uses_the_refresh_token_up_as_little_as_a_refresh(vault_at: Any, clock: Any) -> None:
    """It stays the same, and the time that it may lie idle begins anew."""
    vault = await vault_at(idle_seconds=100)
    ada = await vault.signs_in()
    await vault.connects(ada)
    for _ in range(3):
        clock.forward(seconds=99)
        assert (await vault.exchange(ada.refresh))[0] == 200
    assert (await vault.app.refresh(ada.refresh))[0] == 200
    clock.forward(seconds=100)
    assert (await vault.exchange(ada.refresh))[1]["error"] == "invalid_grant"


async def test_a_dead_refresh_token_gives_nothing(vault: Any) -> None:
    """Unknown, or its grant revoked: as at a refresh, and whatever is connected."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    await vault.app.post("oauth/revoke", token=ada.refresh)
    for token in ("v1.unknown", ada.refresh):
        status, refused = await vault.exchange(token)
        assert (status, refused["error"]) == (403, "invalid_grant")


async def test_who_has_left_the_organization_gets_nothing(vault: Any) -> None:
    """The grant is of an organization, and its member is one no longer."""
    tokens = await vault.app.tokens("ada", organization="org_sandbox")
    ada = await vault.signs_in("ada")
    await vault.connects(ada)
    assert (await vault.exchange(tokens["refresh_token"]))[0] == 200
    vault.tenant.leave_organization("ada")
    status, refused = await vault.exchange(tokens["refresh_token"])
    assert (status, refused["error"]) == (403, "access_denied")


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        *(({name: None}, 400, "invalid_request") for name in ("subject_token", "subject_token_type", "connection")),
        ({"requested_token_type": None}, 400, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:access_token"}, 400, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}, 400, "invalid_request"),
        ({"client_secret": "wrong"}, 401, "access_denied"),
        ({"client_id": "another"}, 401, "access_denied"),
    ],
)
async def test_a_bad_request_is_refused(vault: Any, changes: dict[str, str | None], status: int, error: str) -> None:
    """By its parameters, or because it is not the application that asks."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    got, refused = await vault.exchange(ada.refresh, **changes)
    assert (got, refused["error"]) == (status, error)


async def test_of_two_accounts_the_hint_says_which(vault: Any) -> None:
    """Without one it is the newest; a hint that fits none finds none."""
    ada = await vault.signs_in()
    await vault.connects(ada, "ada")
    await vault.connects(ada, "carol")

    async def titles(**changes: str) -> list[str]:
        _, found = await vault.events(await token_of(vault, ada.refresh, **changes))
        return [event["title"] for event in found["events"]]

    assert await titles() == await titles(login_hint="carol") == ["Interview, back office"]
    assert await titles(login_hint="ada") == ["Budget review", "Dentist"]
    assert await vault.exchange(ada.refresh, login_hint="bob") == NOT_FOUND


async def test_a_tenant_without_connections_knows_nothing_of_it(app: Any, claims_of: Any) -> None:
    """The grant is unsupported, the API is not there, and its audience is passed over at a refresh."""
    tokens = await app.tokens()
    assert (await app.post("oauth/token", grant_type=GRANT))[1]["error"] == "unsupported_grant_type"
    async with app.http.get(f"{app.tenant.issuer}me/v1/connected-accounts/accounts") as answer:
        assert answer.status == 404
    _, given = await app.refresh(tokens["refresh_token"], audience=f"{app.tenant.issuer}me/", scope=SCOPES)
    assert claims_of(given["access_token"])[0]["aud"] == "https://shop.example.com"
    assert given["scope"] == ""


async def test_the_grant_is_in_the_discovery_document(vault: Any) -> None:
    """A client can see beforehand that it is there."""
    _, found = await vault.app.get(".well-known/openid-configuration")
    assert GRANT in found["grant_types_supported"]


async def test_exchanges_are_counted(vault: Any) -> None:
    """Also those in vain, and none of them as a refresh."""
    ada = await vault.signs_in()
    refreshes = vault.tenant.refresh_calls
    await vault.exchange(ada.refresh)
    await vault.connects(ada)
    await vault.exchange(ada.refresh)
    counted = vault.tenant.vault
    assert (counted.exchange_calls, counted.connect_calls, counted.complete_calls) == (2, 1, 1)
    assert vault.tenant.refresh_calls == refreshes
