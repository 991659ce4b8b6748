"""The whole product on free ports, with a database of its own on the run's server."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot import keyring
from bot.sandbox.demo import running
from tests.scenarios.town import Town


@pytest.fixture
def database_settings(mongo_uri: str) -> dict[str, str]:
    """Settings that name an empty database."""
    return {
        "MONGODB_URI": mongo_uri,
        "MONGODB_DATABASE": f"test_{secrets.token_hex(6)}",
        "TOKEN_KEYS": json.dumps(keyring.new_token_keys()),
        "AUDIT_KEY": json.dumps(keyring.new_audit_key()),
    }


@pytest.fixture
async def town(tmp_path: Path, database_settings: dict[str, str]) -> AsyncIterator[Town]:
    """Everything, running."""
    async with running(tmp_path, **database_settings) as (around, settings):
        yield Town(around, settings)
