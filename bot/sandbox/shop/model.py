"""Orders, and the journal of who asked what of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

CURRENCY = "EUR"
REFUNDABLE = frozenset({"paid", "shipped", "delivered"})


@dataclass(frozen=True, slots=True)
class Item:
    """A line of an order; `price` is in cents, for one."""

    name: str
    quantity: int
    price: int


@dataclass(slots=True)
class Order:
    """An order; all amounts are in cents. `status`: pending, paid, shipped, delivered, cancelled or refunded."""

    id: str
    customer: str
    email: str
    placed_on: str
    status: str
    items: tuple[Item, ...]
    refunded: int = 0
    currency: str = CURRENCY

    @property
    def total(self) -> int:
        """What the customer paid, or is to pay."""
        return sum(item.quantity * item.price for item in self.items)

    @property
    def refundable(self) -> int:
        """How much can still be given back."""
        return self.total - self.refunded if self.status in REFUNDABLE else 0

    def as_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return asdict(self) | {"items": [asdict(item) for item in self.items], "total": self.total}

    def in_short(self) -> dict[str, Any]:
        """As lists show it."""
        names = ("id", "customer", "status", "total", "refunded", "currency")
        whole = self.as_json()
        return {name: whole[name] for name in names}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Order:
        """What `as_json` gave."""
        known = {name: value for name, value in fields.items() if name != "total"}
        return cls(**known | {"items": tuple(Item(**item) for item in known["items"])})


@dataclass(frozen=True, slots=True)
class Call:
    """A line of the journal. `sub`, `scopes` and `jti` only from tokens that were genuine, and never a token."""

    sub: str | None
    method: str
    path: str
    scopes: tuple[str, ...]
    jti: str | None
    status: int
    at: str


@dataclass(frozen=True, slots=True)
class Done:
    """What an idempotency key has led to: the request by its digest, and the answer."""

    digest: str
    status: int
    body: dict[str, Any]


def opening_orders() -> list[Order]:
    """The orders of a shop that has just opened its books."""
    return [
        Order(
            "A-1001",
            "Nadia Haddad",
            "nadia.haddad@mail.example",
            "2026-11-02",
            "delivered",
            (Item("Cast-iron pan, 28 cm", 1, 5_490), Item("Chain-mail scrubber", 1, 1_490)),
        ),
        Order(
            "A-1002",
            "Jonas Berg",
            "jonas.berg@mail.example",
            "2026-11-05",
            "shipped",
            (Item("Espresso cups, set of 4", 2, 2_750),),
        ),
        Order(
            "A-1003",
            "Mei Tanaka",
            "mei.tanaka@mail.example",
            "2026-11-09",
            "paid",
            (Item("Oak cutting board", 1, 6_900), Item("Board oil", 2, 990), Item("Bread knife", 1, 4_250)),
        ),
        Order(
            "A-1004",
            "Olu Adeyemi",
            "olu.adeyemi@mail.example",
            "2026-11-11",
            "pending",
            (Item("Stand mixer", 1, 38_900),),
        ),
        Order(
            "A-1005",
            "Irena Novak",
            "irena.novak@mail.example",
            "2026-11-14",
            "cancelled",
            (Item("Linen apron", 3, 3_200),),
        ),
        Order(
            "A-1006",
            "Tomás Duarte",
            "tomas.duarte@mail.example",
            "2026-11-18",
            "delivered",
            (Item("Copper saucepan set", 1, 124_900),),
        ),
    ]
