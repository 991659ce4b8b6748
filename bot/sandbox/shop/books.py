"""What the shop remembers, in `shop.json`: orders, the journal, and the answers that idempotency keys stand for."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot.sandbox.slack import storage

from .model import Call, Done, Order, opening_orders

_MOST_CALLS = 1_000
_MOST_KEYS = 1_000


class Books:
    """Changes happen in its methods without awaiting; they are written soon after."""

    def __init__(self, path: Path) -> None:
        self.orders: dict[str, Order] = {}
        self.journal: deque[Call] = deque(maxlen=_MOST_CALLS)
        self.done: dict[str, Done] = {}
        self.keeper = storage.Keeper(path, self._snapshot)
        self._open()
        try:
            self._restore(storage.load(path))
        except (AttributeError, KeyError, TypeError, ValueError):
            storage.put_aside(path)
            self._open()

    def reset(self) -> None:
        """As on the first day."""
        self._open()
        self.keeper.mark()

    def note(self, call: Call) -> None:
        """Write into the journal."""
        self.journal.append(call)
        self.keeper.mark()

    def remember(self, key: str, done: Done) -> None:
        """Keep an answer for the next request with the same key."""
        self.done[key] = done
        for old in list(self.done)[:-_MOST_KEYS]:
            del self.done[old]
        self.keeper.mark()

    def refund(self, order: Order, amount: int) -> None:
        """Give back `amount` cents, which is no more than `order.refundable`."""
        order.refunded += amount
        if order.refunded == order.total:
            order.status = "refunded"
        self.keeper.mark()

    def _open(self) -> None:
        self.orders = {order.id: order for order in opening_orders()}
        self.journal.clear()
        self.done.clear()

    def _snapshot(self) -> dict[str, Any]:
        return {
            "orders": [order.as_json() for order in self.orders.values()],
            "journal": [asdict(call) for call in self.journal],
            "done": {key: asdict(done) for key, done in self.done.items()},
        }

    def _restore(self, kept: dict[str, Any] | None) -> None:
        if kept is None:
            return
        self.orders = {fields["id"]: Order.from_json(fields) for fields in kept["orders"]}
        self.journal.extend(Call(**fields | {"scopes": tuple(fields["scopes"])}) for fields in kept["journal"])
        self.done = {key: Done(**fields) for key, fields in kept["done"].items()}
