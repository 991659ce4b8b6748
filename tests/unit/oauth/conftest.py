"""An empty house for every test."""

from __future__ import annotations

from typing import Any

import pytest

from oauth import Vault
from tests.fakes.house import House, house, token_keys
from tests.fakes.link_store import MemoryLinkStore
from tests.fakes.observer import ListObserver
from tests.fakes.provider import FakeProvider


@pytest.fixture
def home(clock: Any) -> House:
    """An empty house."""
    return house(MemoryLinkStore(), FakeProvider(clock), ListObserver(), Vault(token_keys("k1")), clock)
