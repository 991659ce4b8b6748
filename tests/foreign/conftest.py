"""Foreign servers for the tests of this folder; where they cannot run, the reason names the command that helps."""

from __future__ import annotations

import pytest

from tests.foreign import rig


@pytest.fixture(autouse=True, scope="session")
def _servers_can_run() -> None:
    """Skip where there is no Node.js or nothing is installed for it."""
    reason = rig.missing()
    if reason is not None:
        pytest.skip(reason)
