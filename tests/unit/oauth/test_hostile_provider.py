"""A provider that answers without end, with nonsense, or with addresses that are none (THREATS.md, row 71)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from oauth.errors import AccountNotConnected, ProviderUnavailable
from oauth.provider import Provider
from tests.fakes.endpoint import GOOD, READ, Endpoint

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
