"""A shop that insists on receipts: a token alone refunds nothing, nor does a receipt for anything else."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.keyring import new_audit_key
from bot.receipts import arguments_sha256
from bot.sandbox.shop import SampleApi
from bot.signing import Signer
from tests.conftest import HandClock

AUDIENCE = "https://shop.example.com"
VALUES = {"order_id": "A-1001", "amount": 500, "reason": ""}


@dataclass
class Bot:
    """Publishes its key, and signs what a test wants."""

    clock: HandClock
    signer: Signer = field(default_factory=lambda: Signer(new_audit_key()))
    url: str = ""

    def receipt(self, *, typ: str = "approval+jwt", signer: Signer | None = None, **claims: Any) -> str:
        """A good one for Ada's refund, but for what the keywords say; None leaves a claim out."""
        now = int(self.clock().timestamp())
        whole = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "auth0|ada",
            "jti": secrets.token_hex(8),
            "iat": now,
            "exp": now + 60,
            "approval": "a" * 24,
            "action": "refund_order",
            "arguments_sha256": arguments_sha256(VALUES),
            "scopes": ["orders:refund"],
            "token_jti": "the-jti",
            "approvers": [{"sub": "auth0|bob"}],
        } | claims
        return (signer or self.signer).sign({n: v for n, v in whole.items() if v is not None}, typ=typ)


@pytest.fixture
async def bot(clock: HandClock) -> AsyncIterator[Bot]:
    """The bot whose receipts count."""
    one, server = Bot(clock), web.Application()

    async def keys(_: web.Request) -> web.Response:
        return web.json_response(one.signer.public_keys())

    server.router.add_get("/.well-known/jwks.json", keys)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield one
    await runner.cleanup()


@pytest.fixture
async def refund(bot: Bot, issuer: Any, tmp_path: Path, clock: HandClock) -> AsyncIterator[Any]:
    """Refund as Ada, with a token that is good; status and body."""
    shop = SampleApi(tmp_path / "strict", issuer=issuer.name, audience=AUDIENCE, receipts_from=bot.url, clock=clock)
    await shop.start()
    async with aiohttp.ClientSession() as http:

        async def call(receipt: str | None, key: str | None = None, **body: Any) -> tuple[int, dict[str, Any]]:
            headers = {"Authorization": f"Bearer {issuer.token('orders:refund')}"}
            headers |= {"Approval-Receipt": receipt} if receipt is not None else {}
            headers |= {"Idempotency-Key": key} if key is not None else {}
            sent = {"amount": 500, "reason": ""} | body
            async with http.post(f"{shop.url}/orders/A-1001/refund", json=sent, headers=headers) as answer:
                return answer.status, await answer.json()

        yield call
    await shop.stop()


async def test_a_receipt_of_just_this_refunds_once(refund: Any, bot: Bot) -> None:
    """The same one again is refused (guard: `take`)."""
    receipt = bot.receipt()
    assert (await refund(receipt))[0] == 200
    status, body = await refund(receipt)
    assert (status, body["error"]) == (403, "approval_required")
    assert "used already" in body["error_description"]


async def test_the_same_request_again_is_answered_alike(refund: Any, bot: Bot) -> None:
    """With its Idempotency-Key, as after an answer that got lost: the receipt is not held against it."""
    receipt = bot.receipt()
    first = await refund(receipt, key="k1")
    assert first[0] == 200
    assert await refund(receipt, key="k1") == first


async def test_a_token_alone_refunds_nothing(refund: Any) -> None:
    """Whoever has a token and no approval is told what is missing."""
    status, body = await refund(None)
    assert (status, body["error"]) == (403, "approval_required")
    assert "Approval-Receipt" in body["error_description"]


WRONG: dict[str, dict[str, Any]] = {
    "of another bot": {"iss": "https://elsewhere.example.com"},
    "another audience": {"aud": "https://other.example.com"},
    "expired": {"exp": 1},
    "without an end": {"exp": None},
    "of another person": {"sub": "auth0|mallory"},
    "for another token": {"token_jti": "another"},
    "for no token": {"token_jti": None},
    "for other rights": {"scopes": ["orders:read"]},
    "for another amount": {"arguments_sha256": arguments_sha256(VALUES | {"amount": 5})},
    "agreed to by nobody": {"approvers": []},
    "without an id": {"jti": None},
    "of another kind": {"typ": "JWT"},
    "signed by another key": {"signer": Signer(new_audit_key())},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
async def test_whatever_differs_is_refused(refund: Any, bot: Bot, wrong: dict[str, Any]) -> None:
    """Each claim is compared (guard: its line in `fits`, or in `_signed`)."""
    assert (await refund(bot.receipt(**wrong)))[0] == 403
    assert (await refund(bot.receipt()))[0] == 200


async def test_other_values_than_those_agreed_to_are_refused(refund: Any, bot: Bot) -> None:
    """The shop makes the digest of what it got itself."""
    assert (await refund(bot.receipt(), amount=501))[0] == 403
    assert (await refund("nonsense"))[0] == 403
