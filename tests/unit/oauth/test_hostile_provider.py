"""A provider that answers without end, with nonsense, or with addresses that are none (THREATS.md, row 71)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from oauth.discovery import Discovery
from oauth.errors import AccountNotConnected, IdentityError, ProviderUnavailable
from oauth.provider import Provider
from tests.conftest import HandClock
from tests.fakes.endpoint import GOOD, READ, Endpoint, provider_for

Call = Callable[[Provider], Awaitable[object]]

CALLS: dict[str, Call] = {
    "refresh": lambda provider: provider.refresh("refresh-1", scopes=READ, audience="a"),
    "connected": lambda provider: provider.connected("refresh-1", connection="almanac", scopes=READ),
    "exchange": lambda provider: provider.exchange(code="c", verifier="v"),
    "revoke": lambda provider: provider.revoke("refresh-1"),
    "authorize": lambda p: p.authorize_url(state="s", nonce="n", verifier="v" * 43, login_hint=None),
    "keys": lambda provider: provider.signing_keys(),
}
LONG = GOOD | {"keys": [], "padding": "x" * 300_000}


async def bomb(request: web.Request) -> web.StreamResponse:
    """Some sixty kilobytes that become sixty megabytes."""
    packed = gzip.compress(json.dumps(LONG | {"padding": "x" * 60_000_000}).encode())
    return web.Response(body=packed, headers={"Content-Encoding": "gzip"}, content_type="application/json")


@pytest.mark.parametrize("call", ["refresh", "connected", "exchange", "revoke", "keys"])
@pytest.mark.parametrize("packed", [False, True])
async def test_t71_an_answer_is_read_up_to_a_bound(
    provider: Provider, endpoint: Endpoint, call: str, packed: bool
) -> None:
    """A quarter of a megabyte, unpacked, is more than any answer needs (guard: `_LARGEST` in `_whole`)."""
    if packed:
        endpoint.answers.append(bomb)
    else:
        endpoint.will(LONG)
    with pytest.raises(ProviderUnavailable):
        await CALLS[call](provider)


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
@pytest.mark.parametrize("value", ["\ud800", "a\r\nHost: b", "\u00e9", "a\u0000b"])
async def test_t71_a_token_is_printable_ascii(provider: Provider, endpoint: Endpoint, name: str, value: str) -> None:
    """What can neither be sealed nor stand in a header is no token (RFC 6749 appendix A; guard: `_is_token`)."""
    for call in ("refresh", "connected") if name == "access_token" else ("refresh",):
        endpoint.will(json.dumps(GOOD | {name: value}))
        with pytest.raises(ProviderUnavailable):
            await CALLS[call](provider)


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("error", [["invalid_client"], {"a": 1}, None, 7])
async def test_t71_an_error_that_is_no_word_is_an_error_all_the_same(
    provider: Provider, endpoint: Endpoint, status: int, error: object
) -> None:
    """A list cannot be looked up in a set; the caller gets one of the errors that it knows."""
    for call in ("refresh", "connected"):
        endpoint.will({"error": error}, status)
        with pytest.raises((ProviderUnavailable, AccountNotConnected)):
            await CALLS[call](provider)


NO_ADDRESSES = [
    "http://[::1",
    "::::",
    "http://127.0.0.1:99999/",
    "token",
    "file:///etc/passwd",
    "http:///",
    "http://\ud800/",
]
USED = ["token_endpoint", "authorization_endpoint", "jwks_uri", "revocation_endpoint"]


@pytest.mark.parametrize("name", [*USED, "pushed_authorization_request_endpoint"])
@pytest.mark.parametrize("address", NO_ADDRESSES)
async def test_t71_a_document_with_an_address_that_is_none_is_none(
    endpoint: Endpoint, clock: HandClock, name: str, address: str
) -> None:
    """Each call says that the provider is not to be had, and nothing else (guard: `Discovery._is_usable`)."""
    endpoint.discovery = {name: address}
    provider = provider_for(endpoint, clock)
    for call in ("refresh", "revoke", "authorize", "keys"):
        with pytest.raises(IdentityError) as problem:
            await CALLS[call](provider)
        assert isinstance(problem.value, ProviderUnavailable)
    assert endpoint.forms == []
    await provider.close()


@pytest.mark.parametrize("name", [*USED, "pushed_authorization_request_endpoint"])
async def test_t71_no_secret_is_sent_in_the_clear(clock: HandClock, name: str) -> None:
    """Where the issuer is https, so is what it names, on its own host or another (guard: `Discovery._is_usable`)."""
    issuer = "https://tenant.example/"
    document = {known: f"https://elsewhere.example/{known}" for known in USED} | {"issuer": issuer}
    for address, good in ((f"https://elsewhere.example/{name}", True), (f"http://tenant.example/{name}", False)):

        async def fetch(_: str, address: str = address) -> dict[str, Any]:
            return document | {name: address}

        discovery = Discovery(issuer, fetch, clock)
        if good:
            assert (await discovery.document())[name] == address
        else:
            with pytest.raises(ProviderUnavailable):
                await discovery.document()
