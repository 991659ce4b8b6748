"""What the product can do in these tests, as its actions file says it: at the shop, and at a second API for parcels."""

from __future__ import annotations

from collections.abc import Iterator

from tests.foreign import rig

_BY_ID = """[action.parameters.order_id]
type = "string"
"""
_AMOUNT = """[action.parameters.amount]
type = "integer"
minimum = 1
"""
_NOTE = """[action.parameters.note]
type = "string"
"""
_REFUND = "/orders/{order_id}/refund"


def file(shop: rig.Shop, parcels: rig.Shop | None = None) -> str:
    """The whole file. Those that only read have one set of scopes each, so each needs a token of its own."""
    return "\n".join(_actions(shop, parcels))


def _actions(shop: rig.Shop, parcels: rig.Shop | None) -> Iterator[str]:
    yield _action("show_order", "GET", shop.url + "/orders/{order_id}", "orders:read") + _BY_ID
    yield _action("show_refund", "GET", shop.url + _REFUND, "orders:refund") + _BY_ID
    yield _action("review_order", "GET", shop.url + "/orders/{order_id}", "orders:read", "orders:refund") + _BY_ID
    yield _action("see_hours", "GET", shop.url + "/hours")
    for name, idempotent in (("refund_order", "false"), ("refund_surely", "true")):
        refund = _action(name, "POST", shop.url + _REFUND, "orders:refund", more=f"idempotent = {idempotent}")
        yield refund + _BY_ID + _AMOUNT
    yield _action("explain_refund", "POST", shop.url + _REFUND, "orders:refund") + _BY_ID + _AMOUNT + _NOTE
    if parcels is not None:
        where = parcels.url + "/parcels/{order_id}"
        yield _action("show_parcel", "GET", where, "parcels:read", audience=rig.PARCELS) + _BY_ID


def _action(name: str, method: str, url: str, *scopes: str, audience: str = rig.AUDIENCE, more: str = "") -> str:
    return f"""[[action]]
name = "{name}"
description = "{name.replace("_", " ").capitalize()}"
method = "{method}"
url = "{url}"
scopes = {list(scopes)}
audience = "{audience}"
{more}
"""
