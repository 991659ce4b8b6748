"""Ada on her way to a connected account."""

from __future__ import annotations

import pytest

from tests.fakes.connecting import Errand
from tests.fakes.house import House


@pytest.fixture
async def ada(home: House) -> Errand:
    """She is linked, and nothing is connected."""
    return await Errand.of(home)
