"""An account at a third party: connected once, by its own person alone, and what was asked for goes on by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.demo import running
from tests.scenarios.calendar import Calendar, heading
from tests.scenarios.town import ADA, SUPPORT, Town


@pytest.fixture
async def calendar(tmp_path: Path, database_settings: dict[str, str]) -> AsyncIterator[Calendar]:
    """Everything, running, at a tenant as Token Vault needs it."""
    async with running(tmp_path, rotation=False, **database_settings) as (around, settings):
        yield Calendar(Town(around, settings))


async def test_what_was_asked_for_goes_on_once_the_account_is_connected(calendar: Calendar) -> None:
    """Ask, connect in the browser, and read one's own calendar in Slack; asked again it needs nothing more."""
    town = calendar.town
    await town.links(ADA, "ada")
    link = await calendar.link_after(ADA, "run list_events")
    assert calendar.almanac.journal == []
    before = town.latest(ADA)
    assert heading(await calendar.connects(link, "ada")) == "Your almanac account is connected"
    await town.sees(ADA, "account is connected", after=before)
    await town.sees(ADA, "`list_events` is done", after=before)
    assert [(c.account, c.status, c.scopes) for c in calendar.almanac.journal] == [
        ("ada", 200, ("events:read", "events:write"))
    ]
    before = town.latest(ADA)
    await town.types(ADA, "run list_events")
    await town.sees(ADA, "`list_events` is done", SUPPORT)
    assert town.latest(ADA) == before
