"""All actions of one bot, and which of them the login itself reaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.actions.catalog import gather
from bot.actions.http import Http

ACTIONS = """
[[action]]
name = "read_orders"
description = "Read orders"
method = "GET"
url = "https://api.example.com/orders"
scopes = ["orders:read"]
AUDIENCE
"""


@pytest.mark.parametrize(
    ("audience", "reached"), [(None, True), ("https://api.example.com", True), ("https://crm.example.com", False)]
)
def test_the_login_reaches_its_own_api_however_it_is_named(tmp_path: Path, audience: str | None, reached: bool) -> None:
    """To write out the audience of the settings changes nothing; another one is for the provider to judge."""
    line = f'audience = "{audience}"' if audience else ""
    file = tmp_path / "actions.toml"
    file.write_text(ACTIONS.replace("AUDIENCE", line), encoding="utf-8")
    (action,) = gather(file, (), Http(None), audience="https://api.example.com")  # type: ignore[arg-type]
    assert action.login_scopes == ({"orders:read"} if reached else frozenset())
    assert action.audience == (None if reached else audience)
