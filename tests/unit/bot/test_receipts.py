"""`Approval-Receipt`: what it says, that only we can say it, and that it goes nowhere but to the service."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from jwt import PyJWK

from bot import keyring
from bot.actions import ActionResult
from bot.approvals import Verdict
from bot.receipts import arguments_sha256
from bot.signing import Signer
from oauth import Evidence
from tests.conftest import HandClock
from tests.fakes.runner import AUDIT_KEY, ORIGIN, World

AUDIENCE = "https://api.example.com"


@pytest.fixture
def world(clock: HandClock) -> World:
    """Ada and Bob are linked, and one action can be asked for."""
    return World(clock)


def read(receipt: str) -> dict[str, Any]:
    """As an API verifies it, by the published key; its own clock is not the test's."""
    (key,) = Signer(AUDIT_KEY).public_keys()["keys"]
    header = jwt.get_unverified_header(receipt)
    assert (header["typ"], header["alg"], header["kid"]) == ("approval+jwt", "EdDSA", key["kid"])
    checks = {"verify_exp": False, "verify_iat": False}
    return dict(jwt.decode(receipt, PyJWK(key), algorithms=["EdDSA"], audience=AUDIENCE, options=checks))


async def test_it_says_who_agreed_to_what(world: World) -> None:
    """Each claim of the contract, of the very call, its arguments and its token."""
    world.actions = [world.deed.action(approval="other", approvers=("UBOB",))]
    world.here = world.replica()
    approval = await world.asked()
    decided = await world.here.approvals.decide(world.bob, approval.id, Verdict.APPROVE)
    await world.here.runner.resume(decided)
    (call,) = world.deed.calls
    assert call.receipt is not None
    claims = read(call.receipt)
    now = int(world.clock().timestamp())
    assert len(claims.pop("jti")) >= 20
    assert claims == {
        "iss": "https://bot.example.com",
        "aud": AUDIENCE,
        "sub": "auth0|ada",
        "iat": now,
        "exp": now + 60,
        "approval": approval.id,
        "action": "refund_order",
        "arguments_sha256": hashlib.sha256(b'{"amount":5,"order_id":"A-1"}').hexdigest(),
        "scopes": ["orders:refund"],
        "token_jti": call.token.jti,
        "approvers": [{"sub": "auth0|bob"}],
    }


async def test_how_an_approver_has_authenticated_is_in_it(world: World) -> None:
    """`auth_time` and `amr` where they had to sign in for it."""
    world.actions = [world.deed.action(step_up=True)]
    world.here = world.replica()
    approval = await world.asked()
    evidence = Evidence(int(world.clock().timestamp()) - 10, ("pwd", "mfa"))
    decided = await world.here.approvals.decide(world.ada, approval.id, Verdict.APPROVE, evidence=evidence)
    await world.here.runner.resume(decided)
    receipt = world.deed.calls[0].receipt
    assert receipt is not None
    (approver,) = read(receipt)["approvers"]
    assert approver == {"sub": "auth0|ada", "auth_time": evidence.auth_time, "amr": ["pwd", "mfa"]}


async def test_without_an_approval_there_is_none(world: World) -> None:
    """Nobody was asked, so nobody has agreed."""
    world.actions = [world.deed.action("read", approval="none", sensitive=False)]
    world.here = world.replica()
    await world.here.runner.run(world.ada, "read", {"order_id": "A-1", "amount": 5}, ORIGIN)
    assert world.deed.calls[0].receipt is None


async def test_t78_a_receipt_that_a_service_sends_back_is_shown_to_nobody(world: World) -> None:
    """As the token: taken out of the answer (guard: the second `inert` in `Door.call`)."""
    approval = await world.approved()

    async def echo(call: Any) -> ActionResult:
        return ActionResult(ok=True, text=f"got {call.receipt}")

    world.actions[0] = replace(world.actions[0], call=echo)
    world.here = world.replica()
    await world.here.runner.resume(approval)
    result = world.at_rest(approval).result
    assert result is not None
    assert result.startswith("got [token]")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_what_was_altered_is_not_taken(part: int) -> None:
    """Header, claims and signature hang together, and another key's word does not count."""
    token = Signer(AUDIT_KEY).sign({"aud": AUDIENCE}, typ="approval+jwt")
    parts = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(parts[part] + "=="))
    raw[len(raw) // 2] ^= 1
    parts[part] = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()
    for altered in (".".join(parts), Signer(keyring.new_audit_key()).sign({"aud": AUDIENCE}, typ="approval+jwt")):
        with pytest.raises((jwt.PyJWTError, AssertionError, UnicodeDecodeError)):
            read(altered)


def test_the_published_key_holds_nothing_private() -> None:
    """Whoever fetches it can verify, and not sign."""
    (key,) = Signer(AUDIT_KEY).public_keys()["keys"]
    assert "d" not in key
    assert (key["use"], key["alg"], key["kty"]) == ("sig", "EdDSA", "OKP")


def test_arguments_are_hashed_in_one_form() -> None:
    """RFC 8785: order and spelling of numbers do not matter, values do."""
    assert arguments_sha256({"b": 1.0, "a": "é"}) == arguments_sha256(json.loads('{"a": "\\u00e9", "b": 1}'))
    assert arguments_sha256({"a": 1}) != arguments_sha256({"a": "1"})


def test_a_minute_is_all_it_is_good_for(clock: HandClock) -> None:
    """An old one is refused by any verifier that looks at `exp`."""
    old = {"aud": AUDIENCE, "exp": int((clock() - timedelta(days=9000)).timestamp())}
    (key,) = Signer(AUDIT_KEY).public_keys()["keys"]
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(Signer(AUDIT_KEY).sign(old), PyJWK(key), algorithms=["EdDSA"], audience=AUDIENCE)
