"""What the tests of installation share."""

from __future__ import annotations

import pytest

from bot.database import Database
from handlers.installs.store import MongoInstallationStore
from oauth import Vault
from tests.unit.handlers.installs.granted import KEYS


@pytest.fixture
def vault() -> Vault:
    """One key."""
    return Vault(KEYS)


@pytest.fixture
def store(mongo_database: Database, vault: Vault) -> MongoInstallationStore:
    """On a real server."""
    return MongoInstallationStore(mongo_database, vault)
