"""Almanac's consent page and its tokens."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any

import aiohttp
import pytest

from bot.sandbox.tenant import Browser, PageRefused
from tests.unit.bot.sandbox.almanac.conftest import CALLBACK, CLIENT


async def test_a_code_gives_tokens_of_the_account(client: Any) -> None:
    """With the scopes that were agreed to; the state comes back as it was sent."""
    back = await client.agrees("bob")
    assert (back.keys(), back["state"]) == ({"code", "state"}, "the state")
    status, given = await client.exchange(back["code"])
    assert status == 200
    assert (given["scope"], given["expires_in"], given["token_type"]) == ("events:read events:write", 600, "Bearer")
    _, account, _ = await client.call("GET", "/account", given["access_token"])
    assert account == {"id": "bob", "name": "Bob Okafor", "email": "bob@almanac.example"}


async def test_somebody_agrees_to_less(client: Any) -> None:
    """What is not ticked is not granted, and what was not asked for cannot be ticked."""
    assert (await client.tokens("ada", "events:read"))["scope"] == "events:read"
    async with Browser() as browser:
        url = client.url(scope="events:read")
        ticked = {"scope events:read": "on", "scope events:write": "on"}
        address, _, _ = await browser.submit(url, person="ada", action="accept", **ticked)
    _, given = await client.exchange(address.split("code=")[1].split("&")[0])
    assert given["scope"] == "events:read"


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "accept", "scope events:read": "on"},
        {"action": "accept", "scope events:read": "on", "person": "nobody"},
        {"action": "accept", "person": "ada"},
        {"person": "ada", "scope events:read": "on"},
    ],
)
async def test_without_a_choice_there_is_no_code(client: Any, fields: dict[str, str]) -> None:
    """No account, none of ours, nothing ticked, or no button."""
    async with Browser() as browser:
        _, status, text = await browser.submit(client.url(), **fields)
    assert status == 400
    assert "Nothing was chosen" in text


async def test_who_cancels_is_sent_back(client: Any) -> None:
    """With the error of RFC 6749 section 4.1.2.1."""
    async with Browser() as browser:
        address = await browser.cancel(client.url())
    assert "error=access_denied" in address
    assert "state=the+state" in address


@pytest.mark.parametrize(
    "changes",
    [
        *({"client_id": value} for value in (None, "another")),
        *(
            {"redirect_uri": value}
            for value in (None, "https://evil.example/", "http://127.0.0.1:8302/login/callback/")
        ),
    ],
)
async def test_a_stranger_is_not_answered_by_a_redirect(client: Any, changes: dict[str, str | None]) -> None:
    """Neither an unknown client nor an address that is not registered."""
    async with Browser() as browser:
        with pytest.raises(PageRefused) as refused:
            await browser.open(client.url(**changes))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "calendars:delete"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
    ],
)
async def test_a_faulty_request_is_sent_back(client: Any, changes: dict[str, str | None], error: str) -> None:
    """At the client's own address."""
    async with Browser() as browser:
        assert f"error={error}" in await browser.cancel(client.url(**changes))


async def test_the_form_counts_only_from_its_page(client: Any) -> None:
    """With a changed request, a value of nobody's, without the cookie, or from another origin: nothing is agreed to."""
    asked = {"client_id": CLIENT, "redirect_uri": CALLBACK, "state": "the state", "scope": "events:read"}
    url = f"{client.almanac.url}/oauth/authorize"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:

        async def sends(csrf: str, origin: str, **changes: str) -> int:
            form = asked | {"person": "ada", "action": "accept", "scope events:read": "on", "csrf": csrf} | changes
            async with http.post(url, data=form, headers={"Origin": origin}, allow_redirects=False) as answer:
                return answer.status

        async with http.get(client.url(scope="events:read")) as answer:
            found = re.search('name="csrf" value="([0-9a-f]{64})"', await answer.text())
        assert found is not None
        csrf, own = found[1], client.almanac.url
        assert await sends(csrf, own, scope="events:read events:write") == 403
        assert await sends("0" * 64, own) == 403
        assert await sends(csrf, "https://evil.example") == 403
        assert await sends(csrf, own) == 302
        http.cookie_jar.clear()
        assert await sends(csrf, own) == 403
        nobodys = hmac.new(b"", json.dumps(asked, sort_keys=True).encode(), hashlib.sha256).hexdigest()
        assert await sends(nobodys, own) == 403


async def test_what_a_request_says_is_shown_inert(client: Any, almanac: Any) -> None:
    """Markup in a state stays text."""
    async with Browser() as browser:
        _, text = await browser.open(client.url(state='"><script>alert(1)</script>'))
    assert "<script>alert" not in text


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "another"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"redirect_uri": "https://evil.example/"}, 400, "invalid_grant"),
        ({"code": "another"}, 400, "invalid_grant"),
    ],
)
async def test_a_bad_exchange_is_refused(client: Any, changes: dict[str, str | None], status: int, error: str) -> None:
    """RFC 6749 section 5.2."""
    code = (await client.agrees())["code"]
    assert await client.exchange(code, **changes) == (status, {"error": error})


async def test_a_code_is_good_once_and_for_a_minute(client: Any, clock: Any) -> None:
    """RFC 6749 section 4.1.2."""
    code = (await client.agrees())["code"]
    assert (await client.exchange(code))[0] == 200
    assert (await client.exchange(code))[0] == 400
    code = (await client.agrees())["code"]
    clock.forward(seconds=60)
    assert (await client.exchange(code))[0] == 400


async def test_a_refresh_token_gives_new_access_tokens(client: Any, clock: Any) -> None:
    """The former ones live until they are over, and the refresh token stays the same."""
    tokens = await client.tokens()
    clock.forward(seconds=599)
    status, given = await client.post(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert status == 200
    assert "refresh_token" not in given
    assert (await client.call("GET", "/events", tokens["access_token"]))[0] == 200
    clock.forward(seconds=1)
    assert (await client.call("GET", "/events", tokens["access_token"]))[0] == 401
    assert (await client.call("GET", "/events", given["access_token"]))[0] == 200


async def test_who_lets_go_of_a_client_ends_its_tokens(client: Any, almanac: Any) -> None:
    """At once, both kinds, and nobody else's."""
    adas, bobs = await client.tokens("ada"), await client.tokens("bob")
    assert almanac.disconnect("ada") == 1
    assert (await client.call("GET", "/events", adas["access_token"]))[0] == 401
    assert (await client.post(grant_type="refresh_token", refresh_token=adas["refresh_token"]))[0] == 400
    assert (await client.call("GET", "/events", bobs["access_token"]))[0] == 200


async def test_without_offline_there_is_no_refresh_token(almanac_at: Any, client: Any) -> None:
    """As with third parties that give none."""
    client.almanac = await almanac_at(offline=False)
    assert "refresh_token" not in await client.tokens()


async def test_grants_survive_a_restart_as_hashes(almanac: Any, almanac_at: Any, client: Any, tmp_path: Any) -> None:
    """Both kinds of token go on, and neither is in the file."""
    tokens = await client.tokens()
    await almanac.stop()
    text = (tmp_path / "almanac" / "almanac.json").read_text(encoding="utf-8")
    assert tokens["access_token"] not in text
    assert tokens["refresh_token"] not in text
    client.almanac = await almanac_at()
    assert (await client.call("GET", "/events", tokens["access_token"]))[0] == 200
    assert (await client.post(grant_type="refresh_token", refresh_token=tokens["refresh_token"]))[0] == 200


async def test_an_endpoint_fails_as_often_as_told(client: Any, almanac: Any) -> None:
    """And a lost answer was carried out."""
    tokens = await client.tokens()
    almanac.fail("events", status=500, times=2)
    assert [(await client.call("GET", "/events", tokens["access_token"]))[0] for _ in range(3)] == [500, 500, 200]
