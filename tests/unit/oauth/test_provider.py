"""The protocol calls, against a small token endpoint of our own on a free port."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from oauth.errors import ProviderUnavailable
from oauth.provider import Provider
from tests.conftest import HandClock
from tests.fakes.endpoint import GOOD, READ, Endpoint, provider_for


async def authorize(provider: Provider, **how: Any) -> dict[str, list[str]]:
    """The parameters of an authorize URL."""
    known = {"state": "state-1", "nonce": "nonce-1", "verifier": "v" * 43, "login_hint": "ada@corp.example"}
    return parse_qs(urlsplit(await provider.authorize_url(**(known | how))).query)


async def test_t24_the_authorize_url_asks_for_the_least(provider: Provider) -> None:
    """Code flow, S256 of this verifier, our state, nonce, audience and scopes, and nothing doubled (guards: the `extra`
    of `Provider.authorize_url`, `code_challenge_method` in `RelyingParty._oauth`)."""
    asked = await authorize(provider)
    challenge = urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    assert asked == {
        "tenant": ["1"],
        "response_type": ["code"],
        "client_id": ["client-1"],
        "redirect_uri": ["https://bot.example/oauth/callback"],
        "scope": ["openid profile email offline_access orders:read orders:refund"],
        "state": ["state-1"],
        "nonce": ["nonce-1"],
        "code_challenge": [challenge],
        "code_challenge_method": ["S256"],
        "audience": ["https://api.example"],
        "prompt": ["consent"],
        "login_hint": ["ada@corp.example"],
    }


async def test_an_organization_is_asked_for_where_one_is_required(endpoint: Endpoint, clock: HandClock) -> None:
    """Only its members can sign in then; without one, and without an address, neither is sent."""
    provider = provider_for(endpoint, clock, organization="org_1")
    asked = await authorize(provider, login_hint=None)
    assert asked["organization"] == ["org_1"]
    assert "login_hint" not in asked
    await provider.close()


async def test_a_request_is_handed_over_where_that_is_offered(provider: Provider, endpoint: Endpoint) -> None:
    """PAR: the provider gets it all, under our credentials; the browser carries a name (RFC 9126 section 2)."""
    endpoint.discovery = {"pushed_authorization_request_endpoint": f"{endpoint.issuer}par"}
    endpoint.will({"request_uri": "urn:request:1", "expires_in": 60}, 201)
    query = await authorize(provider)
    assert query == {"tenant": ["1"], "client_id": ["client-1"], "request_uri": ["urn:request:1"]}
    (form,) = endpoint.forms
    assert (form["state"], form["nonce"], form["code_challenge_method"]) == ("state-1", "nonce-1", "S256")
    assert form["client_secret"] == "s3cret"
    assert "v" * 43 not in form.values()


@pytest.mark.parametrize(("status", "body"), [(403, {"error": "access_denied"}), (201, {}), (201, "<html>"), (201, [])])
async def test_a_request_that_is_not_taken_goes_by_the_browser(
    provider: Provider, endpoint: Endpoint, status: int, body: object
) -> None:
    """An endpoint that is listed and not ours to use ends no login, unless the provider takes nothing else."""
    endpoint.discovery = {"pushed_authorization_request_endpoint": f"{endpoint.issuer}par"}
    endpoint.will(body, status)
    assert "code_challenge" in await authorize(provider)


async def test_a_provider_that_insists_gets_no_other_request(provider: Provider, endpoint: Endpoint) -> None:
    """Where only handed-over requests count, a login that cannot be handed over is refused at once."""
    endpoint.discovery = {
        "pushed_authorization_request_endpoint": f"{endpoint.issuer}par",
        "require_pushed_authorization_requests": True,
    }
    endpoint.will({"error": "server_error"}, 500)
    with pytest.raises(ProviderUnavailable):
        await authorize(provider)


async def test_a_code_is_exchanged_with_its_verifier(provider: Provider, endpoint: Endpoint) -> None:
    """The client authenticates, and what comes back is told apart; a missing scope means as asked."""
    endpoint.will(GOOD | {"id_token": "id-1", "scope": "openid orders:read"})
    endpoint.will(GOOD)
    given = await provider.exchange(code="code-1 &x=/+%", verifier="v" * 43)
    assert endpoint.forms[0] == {
        "path": "/token",
        "grant_type": "authorization_code",
        "code": "code-1 &x=/+%",
        "code_verifier": "v" * 43,
        "redirect_uri": "https://bot.example/oauth/callback",
        "client_id": "client-1",
        "client_secret": "s3cret",
    }
    assert (given.access_token, given.refresh_token, given.id_token) == ("access-1", "refresh-2", "id-1")
    assert (given.expires_in, given.scopes) == (300.0, {"openid", "orders:read"})
    assert "access-1" not in repr(given)
    assert (await provider.exchange(code="c", verifier="v")).scopes == {"orders:read", "orders:refund"}


async def test_a_refresh_names_scopes_and_audience(provider: Provider, endpoint: Endpoint) -> None:
    """Always both, also for an action without scopes: leaving `scope` out would bring the whole grant."""
    endpoint.will(GOOD)
    endpoint.will(GOOD)
    await provider.refresh("refresh-1", scopes=frozenset({"b", "a"}), audience="https://other.example")
    await provider.refresh("refresh-1", scopes=frozenset(), audience="https://other.example")
    assert endpoint.forms[0] == {
        "path": "/token",
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1",
        "scope": "a b",
        "audience": "https://other.example",
        "client_id": "client-1",
        "client_secret": "s3cret",
    }
    assert endpoint.forms[1]["scope"] == "openid"


async def test_a_provider_that_does_not_rotate_keeps_its_token(provider: Provider, endpoint: Endpoint) -> None:
    """Without a new refresh token the old one goes on."""
    endpoint.will({name: value for name, value in GOOD.items() if name != "refresh_token"})
    given = await provider.refresh("refresh-1", scopes=READ, audience="a")
    assert given.refresh_token in {None, "refresh-1"}


async def test_t71_an_answer_that_never_ends_is_given_up(endpoint: Endpoint, clock: HandClock) -> None:
    """The time-out is for the whole call: a provider that sends a byte now and then cannot hold the lease."""
    over = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not over.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.01)
        return response

    provider = provider_for(endpoint, clock, timeout=0.2)
    for call in (
        lambda: provider.refresh("refresh-1", scopes=READ, audience="a"),
        lambda: provider.revoke("refresh-1"),
        provider.signing_keys,
    ):
        endpoint.answers.append(drip)
        with pytest.raises(ProviderUnavailable):
            await asyncio.wait_for(call(), 5)
    over.set()
    await provider.close()


async def test_t71_a_provider_that_is_not_there_is_unavailable(
    endpoint: Endpoint, clock: HandClock, unused_port: int
) -> None:
    """A refused connection is one more outage, at each call."""
    provider = provider_for(endpoint, clock, issuer=f"http://127.0.0.1:{unused_port}/")
    with pytest.raises(ProviderUnavailable):
        await provider.metadata()
    with pytest.raises(ProviderUnavailable):
        await provider.signing_keys()
    await provider.close()


async def test_a_revocation_is_sent_as_the_document_says(provider: Provider, endpoint: Endpoint) -> None:
    """RFC 7009, with our credentials; 200 is the answer for any token that is over."""
    endpoint.will("")
    await provider.revoke("refresh-1")
    assert endpoint.forms[0] == {
        "path": "/revoke",
        "token": "refresh-1",
        "token_type_hint": "refresh_token",
        "client_id": "client-1",
        "client_secret": "s3cret",
    }


@pytest.mark.parametrize(("status", "done"), [(200, True), (204, True), (400, True), (401, False), (403, False),
                                              (404, False), (429, False), (500, False), (302, False)])  # fmt: skip
async def test_only_a_done_revocation_is_done(provider: Provider, endpoint: Endpoint, status: int, done: bool) -> None:
    """Wrong credentials of ours, overload and outage leave it to be tried again."""
    endpoint.will("{}", status)
    if done:
        await provider.revoke("refresh-1")
    else:
        with pytest.raises(ProviderUnavailable):
            await provider.revoke("refresh-1")


async def test_a_provider_without_revocation_has_nothing_to_do(provider: Provider, endpoint: Endpoint) -> None:
    """Discovery names no endpoint for it, so no call is made."""
    endpoint.discovery = {"revocation_endpoint": None}
    await provider.revoke("refresh-1")
    assert endpoint.forms == []


@pytest.mark.parametrize("body", ["x" * 300_000, "[]", "not json", "[" * 50_000])
async def test_t71_keys_that_are_no_object_are_an_outage(provider: Provider, endpoint: Endpoint, body: str) -> None:
    """Too large, a list, no JSON, nested without end."""
    endpoint.will(body)
    with pytest.raises(ProviderUnavailable):
        await provider.signing_keys()


async def test_no_redirect_is_followed(provider: Provider, endpoint: Endpoint) -> None:
    """Not with a token in hand, and not for keys: whoever answers for an address is the one that was configured."""
    for call in (lambda: provider.refresh("r", scopes=READ, audience="a"), provider.signing_keys):
        endpoint.will("{}", 307, Location=f"{endpoint.issuer}elsewhere")
        with pytest.raises(ProviderUnavailable):
            await call()
    assert {form["path"] for form in endpoint.forms} == {"/token", "/jwks"}
