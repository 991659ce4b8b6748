"""The login that authenticates anew, against an endpoint of our own on a free port."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from oauth.errors import LoginRefused, TokenInvalid
from oauth.provider import Client
from oauth.step_up import StepUpLogin
from tests.conftest import HandClock
from tests.fakes.endpoint import GOOD, Endpoint

VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def login_at(endpoint: Endpoint, clock: HandClock, **more: Any) -> StepUpLogin:
    """Our application there."""
    known = {"issuer": endpoint.issuer, "client_id": "client-1", "audience": "a", "scopes": ("orders:read",)}
    client = Client(**(known | {"secret": "s3cret", "redirect_uri": "elsewhere"} | more))
    return StepUpLogin(StepUpLogin.client_of(client, "https://bot.example"), clock)


@pytest.fixture
async def login(endpoint: Endpoint, clock: HandClock) -> AsyncIterator[StepUpLogin]:
    """What speaks to it."""
    found = login_at(endpoint, clock)
    yield found
    await found.close()


async def test_t24_the_login_asks_for_a_fresh_one_with_a_second_factor_and_for_nothing_else(
    login: StepUpLogin,
) -> None:
    """`openid` alone: no audience and no offline access; S256, our state and nonce, the flow's own redirect, no session
    of before, and Auth0's name for more than one factor (guards: `max_age` and `acr_values` in `authenticate_url`)."""
    url = await login.authenticate_url(state="s", nonce="n", verifier=VERIFIER, login_hint="ada@corp.example")
    assert parse_qs(urlsplit(url).query) == {
        "tenant": ["1"],
        "response_type": ["code"],
        "client_id": ["client-1"],
        "redirect_uri": ["https://bot.example/oauth/step-up"],
        "scope": ["openid"],
        "state": ["s"],
        "nonce": ["n"],
        "code_challenge": [CHALLENGE],
        "code_challenge_method": ["S256"],
        "login_hint": ["ada@corp.example"],
        "max_age": ["0"],
        "acr_values": ["http://schemas.openid.net/pape/policies/2007/06/multi-factor"],
    }


async def test_the_login_is_at_the_organization(endpoint: Endpoint, clock: HandClock) -> None:
    """Where one is required."""
    login = login_at(endpoint, clock, organization="org_1")
    url = await login.authenticate_url(state="s", nonce="n", verifier=VERIFIER, login_hint=None)
    assert parse_qs(urlsplit(url).query)["organization"] == ["org_1"]
    await login.close()


async def test_the_request_is_handed_over_where_that_is_offered(login: StepUpLogin, endpoint: Endpoint) -> None:
    """Then no browser can take anything out of it (PAR, RFC 9126)."""
    endpoint.discovery = {"pushed_authorization_request_endpoint": f"{endpoint.issuer}par"}
    endpoint.will({"request_uri": "urn:one", "expires_in": 30}, 201)
    url = await login.authenticate_url(state="s", nonce="n", verifier=VERIFIER, login_hint=None)
    assert "max_age" not in url
    (form,) = endpoint.forms
    assert (form["path"], form["max_age"], form["scope"]) == ("/par", "0", "openid")


async def test_only_the_id_token_is_kept(login: StepUpLogin, endpoint: Endpoint) -> None:
    """Whatever else comes is let go of; without an ID token, or with a no, there is nothing."""
    endpoint.will(GOOD | {"id_token": "the id token"})
    assert await login.id_token(code="c", verifier=VERIFIER) == "the id token"
    endpoint.will(GOOD)
    with pytest.raises(TokenInvalid, match="id_token"):
        await login.id_token(code="c", verifier=VERIFIER)
    endpoint.will({"error": "invalid_grant"}, 403)
    with pytest.raises(LoginRefused):
        await login.id_token(code="c", verifier=VERIFIER)
