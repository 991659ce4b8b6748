"""The protected routes. Each says which scope it needs; each call is in the journal, whatever came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from oauth import Clock

from .books import Books
from .guard import Caller, Denied, Guard, permitted
from .model import Call, Done, Order
from .receipts import Receipts

_LONGEST_REASON = 500
_LONGEST_KEY = 255

Answer = tuple[int, dict[str, Any]]
Act = Callable[[web.Request, Caller], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Api:
    """The handlers, bound to what they need."""

    books: Books
    guard: Guard
    clock: Clock
    receipts: Receipts | None = None

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/orders", self._route("orders:read", self.list_orders))
        app.router.add_get("/orders/{id}", self._route("orders:read", self.show_order))
        app.router.add_post("/orders/{id}/refund", self._route("orders:refund", self.refund_order))

    async def list_orders(self, _: web.Request, __: Caller) -> Answer:
        """`GET /orders`."""
        return 200, {"orders": [order.in_short() for order in self.books.orders.values()]}

    async def show_order(self, request: web.Request, _: Caller) -> Answer:
        """`GET /orders/{id}`."""
        return 200, self._order(request).as_json()

    async def refund_order(self, request: web.Request, caller: Caller) -> Answer:
        """`POST /orders/{id}/refund` with `amount` in cents and maybe a `reason`.

        With an `Idempotency-Key` the same request of the same person is carried out once and answered alike. Where
        the shop insists on receipts, one has to say that somebody agreed to just this.
        """
        body = await _body(request)
        amount, reason = _wanted(body)
        receipt = None
        if self.receipts is not None:
            values = {"order_id": request.match_info["id"], **body}
            receipt = await self.receipts.approved(request, caller, values, "orders:refund")
        key = request.headers.get("Idempotency-Key")
        if key is None:
            self._taken(receipt)
            return self._refund(request, amount, reason)
        if not 0 < len(key) <= _LONGEST_KEY:
            raise Denied(400, "invalid_request", f"Idempotency-Key must have 1 to {_LONGEST_KEY} characters.")
        name = hashlib.sha256(json.dumps([caller.sub, key]).encode()).hexdigest()
        digest = hashlib.sha256(json.dumps([request.path, amount, reason]).encode()).hexdigest()
        former = self.books.done.get(name)
        if former is not None and former.digest != digest:
            raise Denied(422, "idempotency_key_reused", "This Idempotency-Key belongs to another request.")
        if former is None:
            self._taken(receipt)
            try:
                status, answer = self._refund(request, amount, reason)
            except Denied as denied:
                status, answer = denied.status, _refusal(denied)
            former = Done(digest, status, answer)
            self.books.remember(name, former)
        return former.status, former.body

    def _taken(self, receipt: str | None) -> None:
        if self.receipts is not None and receipt is not None:
            self.receipts.take(receipt)

    def _refund(self, request: web.Request, amount: int, reason: str) -> Answer:
        order = self._order(request)
        if amount > order.refundable:
            left = order.refundable
            why = f"{left} cents can still be refunded" if left else f"it is {order.status}"
            raise Denied(409, "not_refundable", f"Order {order.id} cannot be refunded by {amount} cents: {why}.")
        self.books.refund(order, amount)
        return 200, {"order": order.in_short(), "amount": amount, "reason": reason}

    def _order(self, request: web.Request) -> Order:
        order = self.books.orders.get(request.match_info["id"])
        if order is None:
            raise Denied(404, "not_found", "There is no such order.")
        return order

    def _route(self, scope: str, act: Act) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler around `act`: who calls, may they, do it, write it down."""

        async def handler(request: web.Request) -> web.StreamResponse:
            caller: Caller | None = None
            headers = {"Cache-Control": "no-store"}
            try:
                caller = await self.guard.caller(request)
                permitted(caller, scope)
                status, body = await act(request, caller)
            except Denied as denied:
                status, body = denied.status, _refusal(denied)
                if status in {401, 403}:
                    headers["WWW-Authenticate"] = denied.challenge
            self.books.note(
                Call(
                    sub=caller.sub if caller else None,
                    method=request.method,
                    path=request.path,
                    scopes=caller.scopes if caller else (),
                    jti=caller.jti if caller else None,
                    status=status,
                    at=self.clock().isoformat(timespec="seconds"),
                )
            )
            return web.json_response(body, status=status, headers=headers)

        return handler


def _refusal(denied: Denied) -> dict[str, Any]:
    return {"error": denied.error or "unauthorized", "error_description": denied.description}


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except (ValueError, RecursionError):
        found = None
    if request.content_type != "application/json" or not isinstance(found, dict):
        raise Denied(400, "invalid_request", "Send a JSON object.")
    return found


def _wanted(body: dict[str, Any]) -> tuple[int, str]:
    amount, reason = body.get("amount"), body.get("reason", "")
    unknown = sorted(body.keys() - {"amount", "reason"})
    if unknown:
        raise Denied(400, "invalid_request", f"Unknown: {', '.join(unknown)[:200]}.")
    if isinstance(amount, bool) or not isinstance(amount, int) or amount < 1:
        raise Denied(400, "invalid_request", "amount must be a whole number of cents, 1 or more.")
    if not isinstance(reason, str) or len(reason) > _LONGEST_REASON:
        raise Denied(400, "invalid_request", f"reason must be a text of at most {_LONGEST_REASON} characters.")
    return amount, reason
