"""The verifier in the documentation, as somebody would copy it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web

from bot.approvals import Verdict
from bot.signing import Signer
from tests.conftest import HandClock
from tests.fakes.runner import AUDIT_KEY, World

AUDIENCE, BOT = "https://api.example.com", "https://bot.example.com"
PAGE = Path(__file__).parents[3] / "docs" / "approvals.md"


@pytest.fixture
async def keys() -> AsyncIterator[str]:
    """Where the bot publishes its key."""

    async def published(_: web.Request) -> web.Response:
        return web.json_response(Signer(AUDIT_KEY).public_keys())

    app = web.Application()
    app.router.add_get("/.well-known/jwks.json", published)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/.well-known/jwks.json"
    await runner.cleanup()


def verifier() -> Any:
    """The function of the page."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    return names["agreed"]


async def test_the_verifier_of_the_page_takes_a_receipt_and_no_other(keys: str, clock: HandClock) -> None:
    """The right one passes; each thing that differs is refused. The library's clock is the real one."""
    clock.now = datetime.now(UTC)
    world = World(clock)
    approval = await world.asked()
    decided = await world.here.approvals.decide(world.ada, approval.id, Verdict.APPROVE)
    await world.here.runner.resume(decided)
    (call,) = world.deed.calls
    right = {
        "keys": keys,
        "bot": BOT,
        "audience": AUDIENCE,
        "token": {"sub": "auth0|ada", "jti": call.token.jti},
        "arguments": {"order_id": "A-1", "amount": 5},
    }
    agreed = verifier()
    claims = await asyncio.to_thread(agreed, call.receipt, **right)
    assert claims["approval"] == approval.id
    wrong: list[dict[str, Any]] = [
        {"bot": "https://other.example.com"},
        {"audience": "https://other.example.com"},
        {"token": {"sub": "auth0|bob", "jti": call.token.jti}},
        {"token": {"sub": "auth0|ada", "jti": "another"}},
        {"arguments": {"order_id": "A-1", "amount": 6}},
    ]
    for change in wrong:
        with pytest.raises(jwt.PyJWTError):
            await asyncio.to_thread(agreed, call.receipt, **(right | change))
    other = Signer(AUDIT_KEY).sign({"iss": BOT, "aud": AUDIENCE, "exp": clock.now.timestamp() + 60}, typ="JWT")
    with pytest.raises(jwt.PyJWTError):
        await asyncio.to_thread(agreed, other, **right)
