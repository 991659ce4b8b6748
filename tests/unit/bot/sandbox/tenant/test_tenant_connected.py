"""Connected Accounts: from the application's request to the third party and back, and what is kept of it."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from bot.sandbox.tenant import Browser, PageRefused
from tests.unit.bot.sandbox.tenant.vault import CONNECTED, SCOPES, VERIFIER

CREATE, READ, DELETE = SCOPES.split()


async def agreed(vault: Any, name: str = "ada") -> tuple[Any, str, str]:
    """Somebody who has agreed at the third party: the person, the session and the connect code."""
    person = await vault.signs_in(name)
    session, link = await vault.link(person)
    return person, session, (await vault.agrees(link, name))["connect_code"]


async def test_the_whole_way(vault: Any, clock: Any) -> None:
    """The members and limits of Auth0's API document at each step, and the state comes back as it was sent."""
    ada = await vault.signs_in()
    status, begun = await vault.ask(ada)
    assert status == 201
    assert begun.keys() == {"auth_session", "connect_uri", "connect_params", "expires_in"}
    assert begun["connect_uri"] == f"{vault.tenant.issuer}connected-accounts/connect"
    assert len(begun["auth_session"]) == 64
    assert begun["expires_in"] == 300
    back = await vault.agrees(f"{begun['connect_uri']}?ticket={begun['connect_params']['ticket']}")
    assert back.keys() == {"connect_code", "state"}
    assert back["state"] == "the state"
    assert 1 <= len(back["connect_code"]) <= 46
    status, account = await vault.complete(ada, begun["auth_session"], back["connect_code"])
    assert status == 201
    assert re.fullmatch(r"cac_[A-Za-z0-9]+", account["id"])
    assert datetime.fromisoformat(account["created_at"]) == clock()
    assert account == {
        "id": account["id"],
        "connection": "almanac",
        "access_type": "offline",
        "scopes": ["events:read", "events:write"],
        "created_at": account["created_at"],
    }
    assert [(one.account, one.id) for one in vault.tenant.vault.accounts("ada")] == [("ada", account["id"])]


async def test_nothing_is_kept_before_it_is_completed(vault: Any) -> None:
    """That somebody has agreed at the third party is not enough."""
    ada, _, _ = await agreed(vault)
    assert vault.tenant.vault.accounts("ada") == []
    assert (await vault.exchange(ada.refresh))[0] == 401


async def test_who_cancels_comes_back_with_an_error(vault: Any) -> None:
    """And with the state; the request is over then."""
    ada = await vault.signs_in()
    _, link = await vault.link(ada)
    back = await vault.agrees(link, action="cancel")
    assert back == {
        "error": "access_denied",
        "error_description": "The user has denied the request",
        "state": "the state",
    }
    with pytest.raises(PageRefused):
        await vault.agrees(link)


async def test_a_code_completes_once(vault: Any) -> None:
    """The second time it is unknown, and what was connected stays."""
    ada, session, code = await agreed(vault)
    assert (await vault.complete(ada, session, code))[0] == 201
    assert (await vault.complete(ada, session, code))[0] == 400
    assert len(vault.tenant.vault.accounts("ada")) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 64},
        {"code_verifier": None},
        {"redirect_uri": "http://127.0.0.1:8300/oauth/callback"},
    ],
)
async def test_what_does_not_belong_to_the_request_spends_the_code(vault: Any, changes: dict[str, Any]) -> None:
    """A wrong verifier, none, or another address that is registered too: somebody has stolen the code."""
    ada, session, code = await agreed(vault)
    assert (await vault.complete(ada, session, code, **changes))[0] == 400
    assert (await vault.complete(ada, session, code))[0] == 400
    assert vault.tenant.vault.accounts("ada") == []


async def test_another_person_cannot_complete_it(vault: Any) -> None:
    """The session is bound to the access token's person, who still can."""
    ada, session, code = await agreed(vault)
    mallory = await vault.signs_in("mallory")
    assert (await vault.complete(mallory, session, code))[0] == 400
    assert vault.tenant.vault.accounts("mallory") == []
    assert (await vault.complete(ada, session, code))[0] == 201


async def test_a_code_of_another_session_is_none(vault: Any) -> None:
    """Also between two requests of the same person."""
    ada, session, _ = await agreed(vault)
    _, link = await vault.link(ada)
    other = (await vault.agrees(link))["connect_code"]
    assert (await vault.complete(ada, session, other))[0] == 400


async def test_a_ticket_does_not_say_whose_browser_follows_it(vault: Any) -> None:
    """As at Auth0: whoever is sent Mallory's link gives Mallory their account, unless the application finds out."""
    mallory = await vault.signs_in("mallory")
    session, link = await vault.link(mallory)
    back = await vault.agrees(link, "ada")
    assert (await vault.complete(mallory, session, back["connect_code"]))[0] == 201
    _, given = await vault.exchange(mallory.refresh)
    _, found = await vault.events(given["access_token"])
    assert found["events"][0]["title"] == "Budget review"


async def test_an_address_that_is_not_registered_is_refused(vault: Any) -> None:
    """To the letter, as at a login."""
    ada = await vault.signs_in()
    for address in ("https://evil.example/", f"{CONNECTED}/", CONNECTED.upper()):
        status, refused = await vault.ask(ada, redirect_uri=address)
        assert (status, refused["title"]) == (400, "Bad Request")


async def test_a_connection_that_is_not_there_is_refused(vault: Any) -> None:
    """Only what the tenant was given can be connected."""
    assert (await vault.ask(await vault.signs_in(), connection="another"))[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "connect", f"{READ} {DELETE}"),
        ("POST", "complete", f"{READ} {DELETE}"),
        ("GET", "accounts", f"{CREATE} {DELETE}"),
        ("GET", "connections", f"{CREATE} {DELETE}"),
        ("DELETE", "accounts/cac_1", f"{CREATE} {READ}"),
    ],
)
async def test_each_call_needs_its_scope(vault: Any, method: str, path: str, scope: str) -> None:
    """With all the others but that one: 403 with the code that Auth0's own components look for."""
    ada = await vault.signs_in(scope=scope)
    status, refused = await vault.me(method, path, ada.me, {} if method == "POST" else None)
    assert (status, refused["status"], refused["title"]) == (403, 403, "Insufficient Scope")
    assert refused["type"] == "https://auth0.com/api-errors/A0E-403-0002"


async def test_only_its_own_access_tokens_open_the_api(vault: Any, clock: Any) -> None:
    """None, nonsense, an ID token, one for the shop, and one that is over are all 401."""
    tokens = await vault.app.tokens()
    ada = await vault.signs_in()
    clock.forward(seconds=3_600)
    for token in (None, "nonsense", tokens["id_token"], tokens["access_token"], ada.me):
        status, refused = await vault.me("GET", "accounts", token)
        assert (status, refused.keys()) == (401, {"type", "status", "title", "detail"})
    clock.forward(seconds=-1)
    assert (await vault.me("GET", "accounts", ada.me))[0] == 200
    assert (await vault.me("GET", "accounts", tokens["access_token"]))[0] == 401


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *(({name: None}, name) for name in ("connection", "redirect_uri", "state", "code_challenge")),
        ({"code_challenge_method": None}, "code_challenge_method"),
        ({"code_challenge_method": "S512"}, "code_challenge_method"),
        ({"code_challenge_method": "plain"}, "code_challenge_method"),
        ({"code_challenge": "short"}, "code_challenge"),
        ({"connection": "a" * 129}, "connection"),
        ({"state": ""}, "state"),
        ({"state": 7}, "state"),
        *(({"scopes": value}, "scopes") for value in ([], "events:read", ["a", "a"], ["a b"], [7])),
        ({"authorization_params": {"client_id": "another"}}, "authorization_params"),
        ({"authorization_params": {"prompt": []}}, "authorization_params"),
        ({"nonce": "one"}, "nonce"),
    ],
)
async def test_a_request_of_another_shape_is_refused(vault: Any, changes: dict[str, Any], field: str) -> None:
    """With the member that is wrong; `state` and PKCE are required here, so that a careless client is found out."""
    status, refused = await vault.ask(await vault.signs_in(), **changes)
    assert (status, refused["type"]) == (400, "https://auth0.com/api-errors/A0E-400-0003")
    assert [error["field"] for error in refused["validation_errors"]] == [field]


@pytest.mark.parametrize("name", ["auth_session", "connect_code", "redirect_uri"])
async def test_a_completion_needs_its_members(vault: Any, name: str) -> None:
    """And the code is not spent by one that lacks them."""
    ada, session, code = await agreed(vault)
    status, refused = await vault.complete(ada, session, code, **{name: None})
    assert (status, refused["validation_errors"][0]["field"]) == (400, name)
    assert (await vault.complete(ada, session, code))[0] == 201


async def test_only_json_is_read(vault: Any) -> None:
    """A form is 415, and JSON that is no object 400."""
    ada = await vault.signs_in()
    headers = {"Authorization": f"Bearer {ada.me}"}
    url = f"{vault.tenant.issuer}me/v1/connected-accounts/connect"
    async with vault.app.http.post(url, data={"connection": "almanac"}, headers=headers) as answer:
        assert answer.status == 415
    assert (await vault.me("POST", "connect", ada.me, ["almanac"]))[0] == 400


async def test_a_code_lives_a_minute(vault: Any, clock: Any) -> None:
    """As the code of a login does."""
    ada, session, code = await agreed(vault)
    clock.forward(seconds=60)
    assert (await vault.complete(ada, session, code))[0] == 400
    ada, session, code = await agreed(vault)
    clock.forward(seconds=59)
    assert (await vault.complete(ada, session, code))[0] == 201


async def test_a_ticket_lives_as_long_as_is_said(vault: Any, clock: Any) -> None:
    """Also for somebody who had the third party's page open in time, but did not answer it."""
    ada = await vault.signs_in()
    _, link = await vault.link(ada)
    async with Browser() as browser:
        consent = await browser.sign_in(link, "ada")
        clock.forward(seconds=300)
        with pytest.raises(PageRefused) as refused:
            await browser.connect(consent, "ada")
        assert refused.value.status == 400
        with pytest.raises(PageRefused):
            await browser.connect(link, "ada")


async def test_following_a_ticket_does_not_use_it_up(vault: Any) -> None:
    """A preview fetches links too; once somebody has agreed, it leads nowhere any more."""
    ada = await vault.signs_in()
    session, link = await vault.link(ada)
    for _ in range(3):
        async with aiohttp.ClientSession() as http, http.get(link) as answer:
            assert answer.status == 200
    back = await vault.agrees(link)
    async with aiohttp.ClientSession() as http, http.get(link, allow_redirects=False) as answer:
        assert answer.status == 400
        assert "This connection is over" in await answer.text()
    assert (await vault.complete(ada, session, back["connect_code"]))[0] == 201


async def test_the_way_back_is_for_the_browser_that_went(vault: Any) -> None:
    """Once, with its cookie: else somebody could put their own account into another's hands."""
    ada = await vault.signs_in()
    _, link = await vault.link(ada)
    async with Browser() as browser, Browser() as other:
        consent = await browser.sign_in(link, "ada")
        await other.sign_in(link, "ada")
        state = dict(parse_qsl(urlsplit(consent).query))["state"]
        callback = f"{vault.tenant.vault.callback_url}?state={state}&error=access_denied"
        with pytest.raises(PageRefused):
            await other.open(callback)
        assert (await browser.cancel(callback)).startswith(f"{CONNECTED}?error=access_denied")
        with pytest.raises(PageRefused):
            await browser.open(callback)


async def agrees_unfollowed(browser: Browser, link: str) -> str:
    """Agree at the third party; where that sends the browser, unvisited."""
    ticked = {"scope events:read": "on"}
    address, _, _ = await browser.submit(await browser.sign_in(link, "ada"), person="ada", action="accept", **ticked)
    return address


async def test_the_same_way_back_twice_at_once_is_one(vault: Any) -> None:
    """The second is refused while the first is still asking the third party, which is not disturbed by it."""
    ada = await vault.signs_in()
    _, link = await vault.link(ada)
    async with Browser() as browser:
        back = await agrees_unfollowed(browser, link)
        hold = vault.almanac.hold("token")
        first = asyncio.create_task(browser.cancel(back))
        await hold.arrival()
        with pytest.raises(PageRefused):
            await browser.open(back)
        hold.release()
        assert "connect_code=" in await first


async def test_of_two_browsers_that_come_back_at_once_one_has_agreed(vault: Any) -> None:
    """Both have followed the ticket, and there is one code."""
    ada = await vault.signs_in()
    _, link = await vault.link(ada)
    async with Browser() as browser, Browser() as other:
        ways = [await agrees_unfollowed(one, link) for one in (browser, other)]
        hold = vault.almanac.hold("token")
        both = [asyncio.create_task(one.cancel(way)) for one, way in zip((browser, other), ways, strict=True)]
        for _ in both:
            await hold.arrival()
        hold.release()
        answers = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["PageRefused", "str"]


async def test_a_third_party_that_gives_no_tokens_is_an_error(vault: Any) -> None:
    """The application hears of it at its own address."""
    ada = await vault.signs_in()
    _, link = await vault.link(ada)
    vault.almanac.client.secret = "another"
    back = await vault.agrees(link)
    assert (back["error"], back["state"]) == ("server_error", "the state")
    assert "connect_code" not in back


async def test_parameters_are_passed_on_to_the_third_party(vault: Any) -> None:
    """A hint marks the account there; ours cannot be replaced."""
    ada = await vault.signs_in()
    _, link = await vault.link(ada, authorization_params={"login_hint": "carol", "prompt": "consent"})
    async with Browser() as browser:
        consent = dict(parse_qsl(urlsplit(await browser.sign_in(link, "ada")).query))
    assert (consent["login_hint"], consent["prompt"]) == ("carol", "consent")
    assert consent["scope"] == "events:read events:write"


async def test_scopes_are_the_connections_own_where_none_are_asked(vault: Any) -> None:
    """And where some are, they take their place."""
    ada = await vault.signs_in()
    assert (await vault.connects(ada, scopes=None))["scopes"] == ["events:read", "events:write"]
    assert (await vault.connects(ada, scopes=["events:read"]))["scopes"] == ["events:read"]


async def test_the_same_account_again_takes_the_formers_place(vault: Any) -> None:
    """One entry with its id; another account of that third party is another entry."""
    ada = await vault.signs_in()
    first = await vault.connects(ada)
    _, before = await vault.exchange(ada.refresh)
    again = await vault.connects(ada)
    assert again["id"] == first["id"]
    assert (await vault.exchange(ada.refresh))[1]["access_token"] != before["access_token"]
    other = await vault.connects(ada, "bob")
    _, listed = await vault.me("GET", "accounts", ada.me)
    assert [one["id"] for one in listed["accounts"]] == [first["id"], other["id"]]


async def test_accounts_are_listed_for_their_person_alone(vault: Any) -> None:
    """All of them, or those of the connections that are named; and what could be connected."""
    ada, bob = await vault.signs_in("ada"), await vault.signs_in("bob")
    account = await vault.connects(ada)
    assert await vault.me("GET", "accounts", ada.me) == (200, {"accounts": [account]})
    assert await vault.me("GET", "accounts?connection=almanac", ada.me) == (200, {"accounts": [account]})
    assert await vault.me("GET", "accounts?connection=another", ada.me) == (200, {"accounts": []})
    assert await vault.me("GET", "accounts", bob.me) == (200, {"accounts": []})
    status, found = await vault.me("GET", "connections", bob.me)
    assert (status, found["connections"]) == (
        200,
        [{"name": "almanac", "strategy": "oauth2", "scopes": ["events:read", "events:write"]}],
    )


async def test_a_deleted_account_is_forgotten_and_the_third_party_not_told(vault: Any) -> None:
    """As Auth0 says of itself: what was given out stays good there until it is over."""
    ada, bob = await vault.signs_in("ada"), await vault.signs_in("bob")
    account = await vault.connects(ada)
    _, given = await vault.exchange(ada.refresh)
    assert await vault.me("DELETE", f"accounts/{account['id']}", bob.me) == (204, {})
    assert (await vault.exchange(ada.refresh))[0] == 200
    assert await vault.me("DELETE", f"accounts/{account['id']}", ada.me) == (204, {})
    assert (await vault.exchange(ada.refresh))[0] == 401
    assert vault.tenant.vault.accounts("ada") == []
    assert (await vault.events(given["access_token"]))[0] == 200


async def test_a_deletion_during_a_refresh_holds(vault: Any, clock: Any) -> None:
    """What the third party answers meanwhile is not kept, and not given out."""
    ada = await vault.signs_in()
    account = await vault.connects(ada)
    clock.forward(seconds=600)
    hold = vault.almanac.hold("token")
    waiting = asyncio.create_task(vault.exchange(ada.refresh))
    await hold.arrival()
    assert (await vault.me("DELETE", f"accounts/{account['id']}", ada.me))[0] == 204
    hold.release()
    assert (await waiting)[0] == 401
    assert vault.tenant.vault.accounts("ada") == []


async def test_no_secret_of_a_request_is_kept_as_it_is(vault: Any) -> None:
    """Session, ticket, code and state are hashes, so that nothing in memory opens anything."""
    ada = await vault.signs_in()
    status, begun = await vault.ask(ada)
    assert status == 201
    requests = repr(vars(vault.tenant.vault._api.connecting))
    for secret in (begun["auth_session"], begun["connect_params"]["ticket"], VERIFIER):
        assert secret not in requests
