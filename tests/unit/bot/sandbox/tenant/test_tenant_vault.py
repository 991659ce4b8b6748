"""Token Vault: a refresh token of the tenant's for a third party's access token."""

from __future__ import annotations

from typing import Any

from tests.unit.bot.sandbox.tenant.vault import ISSUED


async def test_a_connected_account_gives_its_token(vault: Any) -> None:
    """The third party takes what the exchange gives; the answer is that of RFC 8693 with Auth0's token type."""
    ada = await vault.signs_in()
    account = await vault.connects(ada)
    assert account["scopes"] == ["events:read", "events:write"]
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
