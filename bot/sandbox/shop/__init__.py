"""A small protected API to act on: for `countersign demo`, and for the tests."""

from .model import Call, Item, Order
from .server import SampleApi

__all__ = ["Call", "Item", "Order", "SampleApi"]
