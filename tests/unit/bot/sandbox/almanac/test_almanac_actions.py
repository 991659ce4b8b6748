"""The demo's actions that have a connection, and what their being there means for the demo's tenant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from bot.actions.file import load
from bot.actions.http import Http
from bot.sandbox.almanac import SCOPES
from bot.sandbox.demo import connects

ACTIONS = Path(__file__).parents[5] / "bot" / "sandbox" / "actions.toml"


async def test_the_demos_actions_are_accepted_and_reach_the_calendar(client: Any, almanac: Any) -> None:
    """The product reads the file, and what it would send is what Almanac takes."""
    async with aiohttp.ClientSession() as session:
        actions = {action.name: action for action in load(ACTIONS, Http(session)) if action.connection is not None}
    assert {name: (action.connection, sorted(action.scopes)) for name, action in actions.items()} == {
        "list_events": ("almanac", [SCOPES[0]]),
        "add_event": ("almanac", [SCOPES[1]]),
    }
    assert [name for name, action in actions.items() if action.sensitive] == ["add_event"]
    assert {str(action.definition["url"]) for action in actions.values()} == {"http://127.0.0.1:8304/events"}
    add = actions["add_event"]
    assert add.required == ("title", "date")
    token = (await client.tokens())["access_token"]
    body = {"title": "Lunch", "date": "2026-12-01", "time": add.parameters["time"]["default"]}
    assert body.keys() == add.parameters.keys()
    assert (await client.call("POST", "/events", token, body))[0] == 201


def test_the_demos_tenant_does_not_rotate_while_an_action_has_a_connection(tmp_path: Path) -> None:
    """Token Vault and refresh token rotation exclude each other; with no such action it rotates."""
    assert connects(ACTIONS)
    without = tmp_path / "actions.toml"
    without.write_text(ACTIONS.read_text(encoding="utf-8").replace('connection = "almanac"\n', ""), encoding="utf-8")
    assert not connects(without)
