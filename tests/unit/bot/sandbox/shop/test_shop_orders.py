"""What can be done with orders, once and only once, and what the journal says of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.shop import SampleApi


async def test_orders_are_listed_in_short(call: Any, issuer: Any) -> None:
    """Six of them, in cents and a currency."""
    _, body, _ = await call("GET", "/orders", issuer.token())
    assert [order["id"] for order in body["orders"]] == [f"A-100{n}" for n in range(1, 7)]
    assert body["orders"][0] == {
        "id": "A-1001",
        "customer": "Nadia Haddad",
        "status": "delivered",
        "total": 6_980,
        "refunded": 0,
        "currency": "EUR",
    }


async def test_one_order_is_shown_whole(call: Any, issuer: Any) -> None:
    """With its customer and items, which add up."""
    _, body, _ = await call("GET", "/orders/A-1003", issuer.token())
    assert body["email"] == "mei.tanaka@mail.example"
    assert body["total"] == sum(item["quantity"] * item["price"] for item in body["items"]) == 13_130


async def test_an_unknown_order_is_404(call: Any, issuer: Any) -> None:
    """For reading and for refunding."""
    assert (await call("GET", "/orders/A-9999", issuer.token()))[0] == 404
    assert (await call.refund("A-9999", 1))[0] == 404


async def test_a_refund_changes_the_order(call: Any) -> None:
    """By the amount, and the answer says so."""
    status, body = await call.refund("A-1001", 1_490, reason="scratched")
    assert status == 200
    assert (body["amount"], body["reason"], body["order"]["refunded"]) == (1_490, "scratched", 1_490)
    order = call.shop.orders["A-1001"]
    assert (order.refunded, order.status) == (1_490, "delivered")


async def test_no_more_is_given_back_than_was_paid(call: Any) -> None:
    """Neither at once nor in parts; the last cent makes it refunded, and then nothing is left."""
    assert (await call.refund("A-1002", 5_501))[0] == 409
    assert (await call.refund("A-1002", 5_000))[0] == 200
    status, body = await call.refund("A-1002", 501)
    assert status == 409
    assert "500 cents can still be refunded" in body["error_description"]
    assert (await call.refund("A-1002", 500))[0] == 200
    assert call.shop.orders["A-1002"].status == "refunded"
    assert (await call.refund("A-1002", 1))[0] == 409


@pytest.mark.parametrize("order", ["A-1004", "A-1005"])
async def test_what_was_not_paid_cannot_be_refunded(call: Any, order: str) -> None:
    """Pending and cancelled orders are 409."""
    status, body = await call.refund(order, 1)
    assert (status, body["error"]) == (409, "not_refundable")
    assert call.shop.orders[order].refunded == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"amount": 0},
        {"amount": -5},
        {"amount": 1.5},
        {"amount": "5"},
        {"amount": True},
        {"amount": None},
        {"amount": 5, "reason": 7},
        {"amount": 5, "reason": "r" * 501},
        {"amount": 5, "to": "me"},
        [],
        "5",
        None,
    ],
)
async def test_a_bad_body_is_refused(call: Any, issuer: Any, body: object) -> None:
    """400, and nothing is given back."""
    status, answer, _ = await call("POST", "/orders/A-1001/refund", issuer.token("orders:refund"), body=body)
    assert (status, answer["error"]) == (400, "invalid_request")
    assert call.shop.orders["A-1001"].refunded == 0


async def test_the_same_key_acts_once_and_answers_alike(call: Any) -> None:
    """A repeated request, as after a lost answer."""
    first = await call.refund("A-1001", 100, key="k1")
    again = await call.refund("A-1001", 100, key="k1")
    assert first == again
    assert first[0] == 200
    assert call.shop.orders["A-1001"].refunded == 100
    assert (await call.refund("A-1001", 100, key="k2"))[1]["order"]["refunded"] == 200


async def test_a_refusal_is_repeated_too(call: Any) -> None:
    """What was 409 under a key stays 409 under it."""
    first = await call.refund("A-1004", 100, key="k1")
    call.shop.orders["A-1004"].status = "paid"
    assert await call.refund("A-1004", 100, key="k1") == first
    assert first[0] == 409
    assert (await call.refund("A-1004", 100, key="k2"))[0] == 200


@pytest.mark.parametrize(
    ("order", "amount", "more"),
    [("A-1001", 101, {}), ("A-1001", 100, {"reason": "another"}), ("A-1003", 100, {})],
)
async def test_the_same_key_for_something_else_is_422(call: Any, order: str, amount: int, more: dict[str, str]) -> None:
    """Amount, reason and order belong to it; nothing is done."""
    await call.refund("A-1001", 100, key="k1")
    status, body = await call.refund(order, amount, key="k1", **more)
    assert (status, body["error"]) == (422, "idempotency_key_reused")
    assert sum(one.refunded for one in call.shop.orders.values()) == 100


async def test_a_key_belongs_to_one_person(call: Any) -> None:
    """Two people who happen to use the same one do not meet."""
    assert (await call.refund("A-1001", 100, key="k1", sub="auth0|ada"))[0] == 200
    assert (await call.refund("A-1001", 300, key="k1", sub="auth0|bob"))[0] == 200
    assert call.shop.orders["A-1001"].refunded == 400


async def test_a_key_has_a_length(call: Any) -> None:
    """At most 255 characters."""
    assert (await call.refund("A-1001", 1, key="k" * 255))[0] == 200
    assert (await call.refund("A-1001", 1, key="k" * 256))[0] == 400


async def test_without_a_key_each_request_acts(call: Any) -> None:
    """Which is why the bot sends one."""
    await call.refund("A-1001", 100)
    await call.refund("A-1001", 100)
    assert call.shop.orders["A-1001"].refunded == 200


async def test_the_journal_says_who_did_what(call: Any, issuer: Any, clock: Any) -> None:
    """The person, the scopes and the token's id; of refused calls as well."""
    await call("GET", "/orders", issuer.token("orders:read"))
    await call("POST", "/orders/A-1001/refund", issuer.token("orders:read", sub="auth0|bob", jti="b"), body={})
    await call("GET", "/orders")
    at = clock().isoformat(timespec="seconds")
    assert [asdict(one) for one in call.shop.journal] == [
        {
            "sub": "auth0|ada",
            "method": "GET",
            "path": "/orders",
            "scopes": ("orders:read",),
            "jti": "the-jti",
            "status": 200,
            "at": at,
        },
        {
            "sub": "auth0|bob",
            "method": "POST",
            "path": "/orders/A-1001/refund",
            "scopes": ("orders:read",),
            "jti": "b",
            "status": 403,
            "at": at,
        },
        {"sub": None, "method": "GET", "path": "/orders", "scopes": (), "jti": None, "status": 401, "at": at},
    ]


async def test_a_restart_finds_orders_journal_and_keys(call: Any, issuer: Any, tmp_path: Path, clock: Any) -> None:
    """And no token in the file."""
    first = await call.refund("A-1001", 100, key="k1")
    token = issuer.token()
    await call("GET", "/orders", token)
    before = call.shop
    await before.stop()
    assert token not in (tmp_path / "shop" / "shop.json").read_text(encoding="utf-8")
    call.shop = SampleApi(tmp_path / "shop", issuer=issuer.name, audience="https://shop.example.com", clock=clock)
    await call.shop.start()
    try:
        assert call.shop.orders == before.orders
        assert call.shop.journal == before.journal
        assert await call.refund("A-1001", 100, key="k1") == first
        assert call.shop.orders["A-1001"].refunded == 100
    finally:
        await call.shop.stop()


async def test_reset_opens_the_books_anew(call: Any) -> None:
    """Orders, journal and keys are as on the first day."""
    await call.refund("A-1001", 100, key="k1")
    call.shop.reset()
    assert call.shop.journal == []
    assert call.shop.orders["A-1001"].refunded == 0
    assert (await call.refund("A-1001", 100, key="k1"))[0] == 200
    assert call.shop.orders["A-1001"].refunded == 100


@pytest.mark.parametrize(
    "text", ["{not json", "[]", "{}", '{"orders": 7}', '{"orders": [], "journal": [{}], "done": {}}']
)
def test_a_file_that_is_no_state_is_a_new_shop(tmp_path: Path, text: str) -> None:
    """A broken file does not keep the demo from starting."""
    (tmp_path / "shop.json").write_text(text, encoding="utf-8")
    shop = SampleApi(tmp_path, issuer="http://127.0.0.1:1/", audience="https://shop.example.com")
    assert len(shop.orders) == 6
    assert shop.journal == []
