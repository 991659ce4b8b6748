"""The rooms with login on our own page switched on."""

from __future__ import annotations

from typing import Any

from oauth import Vault
from tests.fakes.house import House, house, token_keys
from tests.fakes.link_store import MemoryLinkStore
from tests.fakes.observer import ListObserver
from tests.fakes.passwordless import FakePasswordless


def own_login(clock: Any, **settings: Any) -> House:
    """An empty house that takes codes."""
    known = {"embedded_login": True} | settings
    store, provider = MemoryLinkStore(clock), FakePasswordless(clock)
    return house(store, provider, ListObserver(), Vault(token_keys("k1")), clock, **known)
