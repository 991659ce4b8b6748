"""The actions file: what it says is carried out, and each mistake in it is a line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from bot.actions import Action
from bot.actions.file import load
from bot.actions.http import Http
from bot.errors import ConfigurationError

GOOD = """
[[action]]
name = "refund_order"
description = "Refund one order"
method = "POST"
url = "https://api.example.com/orders/{order_id}/refund"
scopes = ["orders:refund"]
[action.parameters.order_id]
type = "string"
[action.parameters.amount]
type = "integer"
minimum = 1
"""


async def loaded(tmp_path: Path, text: str) -> list[Action]:
    path = tmp_path / "actions.toml"
    path.write_text(text, encoding="utf-8")
    async with aiohttp.ClientSession() as session:
        return load(path, Http(session))


async def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        await loaded(tmp_path, text)
    return caught.value.problems


def changed(**lines: str) -> str:
    """The good action with these settings, in place of its own or beside them."""
    kept = [line for line in GOOD.splitlines() if line.partition(" = ")[0] not in lines]
    at = kept.index("[[action]]") + 1
    return "\n".join([*kept[:at], *(f"{name} = {value}" for name, value in lines.items()), *kept[at:]])


async def test_the_contracts_defaults(tmp_path: Path) -> None:
    """What changes something is sensitive and asks its own person, for a quarter of an hour, and is not repeated."""
    (action,) = await loaded(tmp_path, GOOD)
    assert (action.sensitive, action.approval, action.idempotent) == (True, "self", False)
    assert (action.expires, action.audience) == (timedelta(minutes=15), None)
    assert action.scopes == frozenset({"orders:refund"})
    assert action.required == ("order_id", "amount")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_only_reads_needs_no_approval(tmp_path: Path, method: str) -> None:
    """GET and HEAD run at once, unless the file says otherwise."""
    (action,) = await loaded(tmp_path, changed(method=f'"{method}"'))
    (asked,) = await loaded(tmp_path, changed(method=f'"{method}"', sensitive="true"))
    assert (action.sensitive, action.approval) == (False, "none")
    assert (asked.sensitive, asked.approval) == (True, "self")


async def test_every_setting_of_this_version_counts(tmp_path: Path) -> None:
    """Audience, time to decide, repetition: as the file says them."""
    text = changed(audience='"https://other.example.com"', expires='"90s"', idempotent="true", sensitive="false")
    (action,) = await loaded(tmp_path, text)
    assert (action.audience, action.expires) == ("https://other.example.com", timedelta(seconds=90))
    assert (action.idempotent, action.approval) == (True, "none")


@pytest.mark.parametrize(
    "setting",
    [
        {"step_up": "true"},
        {"quorum": "2"},
        {"hold": '"30s"'},
        {"confirm": '"order_id"'},
        {"preview": '"https://api.example.com/x"'},
        {"connection": '"google-oauth2"'},
        {"approvers": '["U012"]'},
        {"channel": '"C056"'},
        {"approval": '"other"'},
        {"approval": '"ciba"'},
    ],
)
async def test_a_safety_setting_that_is_not_carried_out_is_refused(tmp_path: Path, setting: dict[str, str]) -> None:
    """Passing it over in silence would leave an action less safe than its file says."""
    (line,) = await problems(tmp_path, changed(**setting))
    assert "not part of this version" in line
    assert next(iter(setting)) in line


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"name": '"Refund"'}, "name"),
        ({"method": '"FETCH"'}, "method"),
        ({"url": '"ftp://api.example.com/{order_id}"'}, "http or https"),
        ({"url": '"https://{order_id}.example.com/"'}, "fixed host"),
        ({"url": '"https://ada:pw@api.example.com/"'}, "no login"),
        ({"url": '"https://api.example.com/{customer}"'}, "customer"),
        ({"url": '"https://api.example.com/{order_id!r}"'}, "{name}"),
        ({"expires": '"soon"'}, "15m"),
        ({"expires": '"0s"'}, "more than nothing"),
        ({"scopes": '["two words"]'}, "scopes"),
        ({"sensitive": "true", "approval": '"none"'}, "drop one"),
        ({"colour": '"red"'}, "colour"),
    ],
)
async def test_each_mistake_is_a_line_with_its_place(tmp_path: Path, setting: dict[str, str], said: str) -> None:
    """The line names the file, the action and the setting."""
    (line,) = await problems(tmp_path, changed(**setting))
    assert said in line
    assert "actions.toml: action 1" in line


async def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    """Nobody mends a file line by line, start by start."""
    text = changed(method='"FETCH"', expires='"soon"') + GOOD + GOOD + '[[mcp]]\nname = "crm"\n'
    found = await problems(tmp_path, text)
    assert len(found) == 4
    assert any("two actions are named refund_order" in line for line in found)
    assert any("mcp is not part of this version" in line for line in found)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ('type = "whole"', "not a JSON Schema"),
        ('type = "integer"\ndefault = "many"', "default"),
        ('type = "integer"\nmaximum = 99999999999999999', "digest"),
        ('type = "string"\ndefault = 2026-01-01', "digest"),
    ],
)
async def test_schemas_are_checked_at_the_start(tmp_path: Path, schema: str, said: str) -> None:
    """A parameter whose schema, default or limits cannot work is a mistake of the file, not of whoever runs it."""
    (line,) = await problems(tmp_path, f"{GOOD}[action.parameters.extra]\n{schema}\n")
    assert said in line


@pytest.mark.parametrize("text", ["[[action]", "a = \xff", "[action]\nname = 1"])
async def test_what_is_no_actions_file_is_said(tmp_path: Path, text: str) -> None:
    """Not TOML, or TOML of another shape."""
    assert len(await problems(tmp_path, text)) == 1


async def test_t47_a_changed_definition_is_another_action(tmp_path: Path) -> None:
    """Whatever would change the call changes the digest that an approval is for (guard: digest of the definition)."""
    digests = {
        (await loaded(tmp_path, text))[0].digest
        for text in (
            GOOD,
            changed(url='"https://api.example.com/v2/orders/{order_id}/refund"'),
            changed(scopes='["orders:refund", "orders:read"]'),
            changed(audience='"https://other.example.com"'),
            changed(method='"PUT"'),
            GOOD.replace("minimum = 1", "minimum = 2"),
        )
    }
    assert len(digests) == 6
