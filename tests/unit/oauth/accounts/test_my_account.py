"""The calls to Auth0's My Account API, and the login before, against an endpoint of our own on a free port."""

from __future__ import annotations

import asyncio
import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from aiohttp import web

from oauth.accounts.errors import ConnectNotOffered, ConnectRefused
from oauth.accounts.my_account import MyAccount
from oauth.errors import LoginRefused, ProviderUnavailable, TokenInvalid
from oauth.provider import Client
from tests.conftest import HandClock
from tests.fakes.endpoint import GOOD, Endpoint

VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED: dict[str, Any] = {
    "connection": "almanac",
    "scopes": frozenset({"b", "a"}),
    "state": "state-1",
    "verifier": VERIFIER,
}


def account_at(endpoint: Endpoint, clock: HandClock, timeout: float = 10.0, **more: Any) -> MyAccount:
    """Our application there."""
    known = {"issuer": endpoint.issuer, "client_id": "client-1", "audience": "a", "scopes": ("orders:read",)}
    client = Client(**(known | {"secret": "s3cret", "redirect_uri": "elsewhere"} | more))
    return MyAccount(MyAccount.client_of(client, "https://bot.example"), clock, timeout=timeout)


@pytest.fixture
async def account(endpoint: Endpoint, clock: HandClock) -> AsyncIterator[MyAccount]:
    """What speaks to it."""
    found = account_at(endpoint, clock)
    yield found
    await found.close()


def begun(endpoint: Endpoint, **changes: Any) -> dict[str, Any]:
    """What Auth0 answers to the first call, as its documents show it."""
    whole = {
        "auth_session": "session-1",
        "connect_uri": f"{endpoint.issuer}connected-accounts/connect",
        "connect_params": {"ticket": "ticket 1"},
        "expires_in": 300,
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


class Seen:
    """What a call of the API carried."""

    def __init__(self, endpoint: Endpoint, body: object, status: int = 201) -> None:
        self.path, self.token, self.body = "", "", {}

        async def answer(request: web.Request) -> web.StreamResponse:
            self.path, self.token = request.path, request.headers["Authorization"]
            self.body = await request.json()
            return web.json_response(body, status=status)

        endpoint.answers.append(answer)


async def test_t24_the_login_asks_who_it_is_and_for_nothing_else(account: MyAccount) -> None:
    """`openid` alone: no audience, no offline access, no consent; S256, our state and nonce, the flow's own redirect
    (guards: the `extra` of `identify_url`, `client_of`)."""
    url = await account.identify_url(state="s", nonce="n", verifier=VERIFIER, login_hint="ada@corp.example")
    assert parse_qs(urlsplit(url).query) == {
        "tenant": ["1"],
        "response_type": ["code"],
        "client_id": ["client-1"],
        "redirect_uri": ["https://bot.example/oauth/connect"],
        "scope": ["openid"],
        "state": ["s"],
        "nonce": ["n"],
        "code_challenge": [CHALLENGE],
        "code_challenge_method": ["S256"],
        "login_hint": ["ada@corp.example"],
    }
    url = await account.identify_url(state="s", nonce="n", verifier=VERIFIER, login_hint=None, again=True)
    assert parse_qs(urlsplit(url).query)["prompt"] == ["login"]


async def test_the_login_is_at_the_organization(endpoint: Endpoint, clock: HandClock) -> None:
    """Where one is required; and nothing is hinted at where no address is known."""
    account = account_at(endpoint, clock, organization="org_1")
    asked = parse_qs(
        urlsplit(await account.identify_url(state="s", nonce="n", verifier=VERIFIER, login_hint=None)).query
    )
    assert asked["organization"] == ["org_1"]
    assert "login_hint" not in asked
    await account.close()


@pytest.mark.parametrize("required", [True, False])
async def test_the_login_is_handed_over_where_that_is_offered(
    account: MyAccount, endpoint: Endpoint, required: bool
) -> None:
    """PAR as at any login; where it must be and is not taken, there is no login at all."""
    endpoint.discovery = {
        "pushed_authorization_request_endpoint": f"{endpoint.issuer}par",
        "require_pushed_authorization_requests": required,
    }
    endpoint.will({"request_uri": "urn:request:1"}, 201)
    url = await account.identify_url(state="s", nonce="n", verifier=VERIFIER, login_hint=None)
    assert parse_qs(urlsplit(url).query) == {
        "tenant": ["1"], "client_id": ["client-1"], "request_uri": ["urn:request:1"],
    }  # fmt: skip
    assert endpoint.forms[-1]["scope"] == "openid"
    endpoint.will({"error": "unauthorized_client"}, 401)
    asking = account.identify_url(state="s", nonce="n", verifier=VERIFIER, login_hint=None)
    if required:
        with pytest.raises(ProviderUnavailable):
            await asking
    else:
        assert "scope=openid" in await asking


async def test_a_code_is_exchanged_at_its_own_redirect(account: MyAccount, endpoint: Endpoint) -> None:
    """The ID token comes back, and what was beside it is let go of; without one nobody has shown anything."""
    endpoint.will(GOOD | {"id_token": "id-1"})
    assert await account.id_token(code="c", verifier=VERIFIER) == "id-1"
    assert endpoint.forms[-1]["redirect_uri"] == "https://bot.example/oauth/connect"
    assert endpoint.forms[-1]["code_verifier"] == VERIFIER
    endpoint.will(GOOD)
    with pytest.raises(TokenInvalid):
        await account.id_token(code="c", verifier=VERIFIER)
    endpoint.will({"error": "invalid_grant"}, 403)
    with pytest.raises(LoginRefused):
        await account.id_token(code="c", verifier=VERIFIER)


async def test_a_request_carries_what_auth0_asks_for(account: MyAccount, endpoint: Endpoint) -> None:
    """Connection, redirect, state, challenge and scopes under the person's token; the ticket goes into the address."""
    seen = Seen(endpoint, begun(endpoint))
    connect = await account.connect("token-1", **ASKED)
    assert (seen.path, seen.token) == ("/me/v1/connected-accounts/connect", "Bearer token-1")
    assert seen.body == {
        "connection": "almanac",
        "redirect_uri": "https://bot.example/oauth/connect",
        "state": "state-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "scopes": ["a", "b"],
    }
    assert connect.url == f"{endpoint.issuer}connected-accounts/connect?ticket=ticket+1"
    assert connect.session == "session-1"
    assert "session-1" not in repr(connect)
    assert "ticket" not in repr(connect)


async def test_without_scopes_none_are_sent(account: MyAccount, endpoint: Endpoint) -> None:
    """An empty list is refused by Auth0; left out, the connection's own settings count."""
    seen = Seen(endpoint, begun(endpoint))
    await account.connect("token-1", **(ASKED | {"scopes": frozenset()}))
    assert "scopes" not in seen.body


async def test_completing_carries_session_code_and_verifier(account: MyAccount, endpoint: Endpoint) -> None:
    """And the very redirect of the request."""
    seen = Seen(endpoint, {"id": "cac_1", "connection": "almanac", "access_type": "offline"})
    await account.complete("token-1", session="session-1", code="code-1", verifier=VERIFIER)
    assert (seen.path, seen.token) == ("/me/v1/connected-accounts/complete", "Bearer token-1")
    assert seen.body == {
        "auth_session": "session-1",
        "connect_code": "code-1",
        "redirect_uri": "https://bot.example/oauth/connect",
        "code_verifier": VERIFIER,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"auth_session": None}, {"auth_session": 5}, {"auth_session": ""}, {"connect_uri": None},
        {"connect_uri": "https://elsewhere.example/x"}, {"connect_uri": "javascript:alert(1)"},
        {"connect_uri": "http:///x"}, {"connect_params": None}, {"connect_params": []},
        {"connect_params": {"ticket": 5}}, {"connect_params": {"ticket": "x" * 3000}},
    ],
)  # fmt: skip
async def test_an_answer_that_leads_nowhere_is_none(
    account: MyAccount, endpoint: Endpoint, changes: dict[str, Any]
) -> None:
    """A browser is sent to an address of the issuer's kind alone (guards: `_is_text`, `_is_page`)."""
    endpoint.will(begun(endpoint, **changes), 201)
    with pytest.raises(ProviderUnavailable):
        await account.connect("token-1", **ASKED)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 415])
async def test_a_refusal_is_logged_for_the_operator_without_what_we_sent(
    account: MyAccount, endpoint: Endpoint, status: int
) -> None:
    """Status, type and title say what is to be set up; the detail of one call could hold a code (guard: `said`)."""
    problem = {"type": "https://auth0.com/x", "title": "Bad Request", "detail": "canary-code", "status": status}
    endpoint.will(problem, status)
    with structlog.testing.capture_logs() as logs, pytest.raises(ConnectRefused) as refused:
        await account.complete("canary-token", session="canary-session", code="canary-code", verifier=VERIFIER)
    assert refused.value.error == f"http_{status}"
    assert logs[0]["title"] == "Bad Request"
    assert "canary" not in json.dumps(logs)
    endpoint.will(problem, status)
    with pytest.raises(ConnectNotOffered):
        await account.connect("canary-token", **ASKED)


@pytest.mark.parametrize(("status", "after"), [(429, 7.0), (500, None), (503, 7.0)])
async def test_t71_overload_is_nobodys_fault(
    account: MyAccount, endpoint: Endpoint, status: int, after: float | None
) -> None:
    """It is told when to come back, where that is said."""
    headers = {"Retry-After": "7"} if after else {}
    endpoint.will({}, status, **headers)
    with pytest.raises(ProviderUnavailable) as away:
        await account.connect("token-1", **ASKED)
    assert away.value.retry_after == after


@pytest.mark.parametrize("body", ["", "<html>", "[]", "[" * 10_000, '"text"', '{"a":"' + "x" * 70_000 + '"}'])
async def test_t71_what_is_no_answer_changes_nothing(account: MyAccount, endpoint: Endpoint, body: str) -> None:
    """Neither broken JSON nor an endless body is taken for a refusal (guards: `ValueError`, `_LARGEST`)."""
    endpoint.will(body, 201)
    with pytest.raises(ProviderUnavailable):
        await account.complete("token-1", session="s", code="c", verifier=VERIFIER)


async def test_t71_a_provider_that_hangs_is_given_up(endpoint: Endpoint, clock: HandClock) -> None:
    """After the time-out of one call (guard: `asyncio.timeout`)."""
    gate = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await gate.wait()
        return web.Response()

    endpoint.answers.append(hang)
    account = account_at(endpoint, clock, timeout=0.2)
    with pytest.raises(ProviderUnavailable):
        await account.connect("token-1", **ASKED)
    gate.set()
    await account.close()


async def test_t43_the_token_is_not_taken_elsewhere(account: MyAccount, endpoint: Endpoint) -> None:
    """A redirect of the API is not followed (guard: `follow_redirects=False`)."""

    async def away(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=307, headers={"Location": f"{endpoint.issuer}elsewhere"})

    endpoint.answers.append(away)
    with pytest.raises(ConnectNotOffered):
        await account.connect("token-1", **ASKED)
    assert [form["path"] for form in endpoint.forms] == ["/me/v1/connected-accounts/connect"]
