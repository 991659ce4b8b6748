"""A second start on the same port finds everything still working."""

from __future__ import annotations

import asyncio
import stat
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.sandbox.tenant import PEOPLE, Browser


async def restarted(app: Any, tenants: Any, app_at: Any, **settings: Any) -> Any:
    """The same tenant after a stop."""
    port = urlsplit(app.tenant.issuer).port
    await tenants.stop(app.tenant)
    return app_at(await tenants(port=port, **settings))


async def test_grants_and_keys_survive(app: Any, tenants: Any, app_at: Any, claims_of: Any) -> None:
    """The refresh token goes on, and an access token of before still verifies."""
    tokens = await app.tokens()
    issuer, keys = app.tenant.issuer, await app.get(".well-known/jwks.json")
    app = await restarted(app, tenants, app_at)
    assert app.tenant.issuer == issuer
    assert await app.get(".well-known/jwks.json") == keys
    assert (await app.get("userinfo", Authorization=f"Bearer {tokens['access_token']}"))[0] == 200
    status, given = await app.refresh(tokens["refresh_token"], scope="orders:read")
    assert status == 200
    assert claims_of(given["access_token"])[0]["sub"] == "auth0|ada"


async def test_what_had_ended_stays_ended(app: Any, tenants: Any, app_at: Any) -> None:
    """A revoked grant does not come back."""
    token = (await app.tokens())["refresh_token"]
    await app.post("oauth/revoke", token=token)
    app = await restarted(app, tenants, app_at)
    assert (await app.refresh(token))[0] == 403
    assert [family.ended for family in app.tenant.families(ended=True)] == ["revoked"]


async def test_reuse_is_recognised_across_a_restart(app: Any, tenants: Any, app_at: Any) -> None:
    """Rotated tokens are remembered, with when."""
    first = (await app.tokens())["refresh_token"]
    _, second = await app.refresh(first)
    app = await restarted(app, tenants, app_at)
    assert (await app.refresh(first))[0] == 403
    assert (await app.refresh(second["refresh_token"]))[0] == 403


async def test_an_answered_token_is_on_the_disk_already(app: Any, tenants: Any, app_at: Any) -> None:
    """A kill between two requests loses no grant: what was answered was written first."""
    token = (await app.tokens())["refresh_token"]
    _, given = await app.refresh(token)
    beside = app_at(await tenants())  # another tenant on the same file, while the first has not been stopped
    assert (await beside.refresh(given["refresh_token"]))[0] == 200


async def test_a_session_survives(app: Any, tenants: Any, app_at: Any, claims_of: Any) -> None:
    """The same browser keeps its `sid`."""

    async def sid(at: Any) -> str:
        callback = await browser.sign_in(at.url(), "ada")
        _, tokens = await at.exchange(callback.split("code=")[1].split("&")[0])
        return str(claims_of(tokens["id_token"])[0]["sid"])

    async with Browser() as browser:
        before = await sid(app)
        app = await restarted(app, tenants, app_at)
        assert await sid(app) == before


async def test_grants_of_people_who_are_gone_are_gone(app: Any, tenants: Any, app_at: Any) -> None:
    """Somebody who is no longer in the tenant has no tokens there."""
    token = (await app.tokens("ada"))["refresh_token"]
    app = await restarted(app, tenants, app_at, people=PEOPLE[1:])
    assert (await app.refresh(token))[0] == 403
    assert app.tenant.families() == []


async def test_the_file_is_its_owners_alone_and_holds_no_token(app: Any, tenants: Any) -> None:
    """Mode 0600 because of the signing keys; tokens are in it as hashes only."""
    tokens = await app.tokens()
    _, given = await app.refresh(tokens["refresh_token"])
    file = tenants.directory / "tenant.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text(encoding="utf-8")
    assert len(text) > 1_000
    for answer in (tokens, given):
        for name in ("access_token", "refresh_token", "id_token"):
            assert answer[name] not in text


@pytest.mark.parametrize(
    "text",
    [
        *("{not json", "[]", '{"keys": [{}]}', '{"families": [{"id": "x"}]}', '{"families": 7}', '{"sessions": 7}'),
        *('{"people": 7}', '{"people": {"ada": 7}}', '{"people": {"eve": {"connection": "email"}}}'),
        *('{"accounts": 7}', '{"accounts": [{"id": "cac_1"}]}'),
    ],
)
async def test_a_file_that_is_no_state_is_a_new_tenant(tenants: Any, app_at: Any, text: str) -> None:
    """A broken file does not keep the demo from starting."""
    tenants.directory.mkdir(parents=True)
    (tenants.directory / "tenant.json").write_text(text, encoding="utf-8")
    app = app_at(await tenants())
    assert (await app.refresh((await app.tokens())["refresh_token"]))[0] == 200


async def test_a_file_of_another_shape_is_kept_aside(tenants: Any) -> None:
    """Somebody may want to look at it."""
    tenants.directory.mkdir(parents=True)
    (tenants.directory / "tenant.json").write_text('{"families": 7}', encoding="utf-8")
    await tenants()
    assert [file.name for file in tenants.directory.iterdir() if file.read_text() == '{"families": 7}'] == [
        "tenant.json.unreadable"
    ]


async def test_newcomers_and_what_is_known_of_people_survive(app: Any, tenants: Any, app_at: Any) -> None:
    """Eve's account with its grant, Dan's verified address, Ada's second factor, and that Carol has left."""
    eves, dans = await app.by_mail("eve@example.com"), await app.by_mail("dan@example.com")
    app.tenant.require_mfa("ada")
    app.tenant.leave_organization("carol")
    app = await restarted(app, tenants, app_at)
    people = app.tenant.state.people
    assert people["ada"].needs_mfa
    assert people["dan"].email_verified
    assert not people["bob"].needs_mfa
    assert [people[one].organizations for one in ("bob", "carol")] == [("org_sandbox",), ()]
    for tokens in (eves, dans):
        assert (await app.refresh(tokens["refresh_token"]))[0] == 200
    assert (await app.start("eve@example.com"))[1]["email_verified"] is True


async def test_connected_accounts_survive(vault: Any, vault_at: Any, tenants: Any, clock: Any) -> None:
    """With their tokens, which are refreshed afterwards; a connection that was under way does not."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    _, before = await vault.exchange(ada.refresh)
    session, link = await vault.link(ada)
    code = (await vault.agrees(link))["connect_code"]
    port = urlsplit(vault.tenant.issuer).port
    await tenants.stop(vault.tenant)
    vault = await vault_at(port=port)
    assert (await vault.exchange(ada.refresh))[1] == before
    assert (await vault.complete(ada, session, code))[0] == 400
    clock.forward(seconds=600)
    status, after = await vault.exchange(ada.refresh)
    assert (status, after["scope"]) == (200, before["scope"])
    assert (await vault.events(after["access_token"]))[0] == 200


async def test_what_a_third_party_has_renewed_is_on_the_disk_already(vault: Any, vault_at: Any, clock: Any) -> None:
    """A kill right after an answer loses nothing that it said, also where others were answered meanwhile."""
    ada = await vault.signs_in()
    await vault.connects(ada)
    clock.forward(seconds=600)
    hold = vault.almanac.hold("token")
    waiting = asyncio.create_task(vault.exchange(ada.refresh))
    await hold.arrival()
    assert (await vault.app.refresh(ada.refresh))[0] == 200
    hold.release()
    _, given = await waiting
    beside = await vault_at()  # another tenant on the same file, while the first has not been stopped
    assert (await beside.exchange(ada.refresh))[1] == given


async def test_what_was_connected_or_deleted_is_on_the_disk_already(vault: Any, vault_at: Any) -> None:
    """A kill right after the answer to either loses nothing of it."""
    ada = await vault.signs_in()
    account = await vault.connects(ada)
    beside = await vault_at()
    assert [one.id for one in beside.tenant.vault.accounts("ada")] == [account["id"]]
    assert (await vault.me("DELETE", f"accounts/{account['id']}", ada.me))[0] == 204
    beside = await vault_at()
    assert beside.tenant.vault.accounts("ada") == []


async def test_accounts_of_people_who_are_gone_are_gone(vault: Any, vault_at: Any, tenants: Any) -> None:
    """Also their tokens are no longer in the file."""
    await vault.connects(await vault.signs_in())
    file = tenants.directory / "tenant.json"
    assert "alm_rt_" in file.read_text(encoding="utf-8")
    await tenants.stop(vault.tenant)
    vault = await vault_at(people=PEOPLE[1:])
    await vault.signs_in("bob")
    assert "alm_rt_" not in file.read_text(encoding="utf-8")
