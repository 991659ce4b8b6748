"""Ada on her way to a fresh login."""

from __future__ import annotations

import pytest

from tests.fakes.house import House
from tests.fakes.step_up import Errand


@pytest.fixture
async def ada(home: House) -> Errand:
    """She is linked, and has not been asked yet."""
    return Errand(home, await home.link())
