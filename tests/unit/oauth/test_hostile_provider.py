"""A provider that answers without end, with nonsense, or with addresses that are none (THREATS.md, row 71)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from oauth.errors import ProviderUnavailable
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
