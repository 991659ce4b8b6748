"""The table."""

from __future__ import annotations

import pytest

from tests.conftest import HandClock
from tests.unit.bot.work.desk import Desk


@pytest.fixture
def desk(clock: HandClock) -> Desk:
    """With everything on it."""
    return Desk(clock)
