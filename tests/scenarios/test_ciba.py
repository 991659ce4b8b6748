"""Approvals on the requester's own device: whole ways through signed requests, the sandbox's phones and a real shop."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.audit.store import MongoAuditStore
from bot.database import connect
from bot.sandbox.demo import free_ports, running, surroundings
from bot.sandbox.tenant.backchannel import Push
from tests.scenarios.test_process import town_of
from tests.scenarios.town import ADA, Town, words

ACTION = """
[[action]]
name = "%s"
description = "Give money of one order back to its customer"
method = "POST"
url = "http://127.0.0.1:%d/orders/{order_id}/refund"
scopes = ["orders:refund"]
audience = "https://shop.example.com"
approval = "ciba"
%s
[action.parameters.order_id]
type = "string"
[action.parameters.amount]
type = "integer"
"""
MORE = {"on_phone": "", "soon_over": 'expires = "3s"', "with_factor": "step_up = true"}


def actions(directory: Path, port: int) -> str:
    """The file that has them."""
    path = directory / "on_device.toml"
    path.write_text("".join(ACTION % (name, port, more) for name, more in MORE.items()), encoding="utf-8")
    return str(path)


@pytest.fixture
async def town(tmp_path: Path, database_settings: dict[str, str]) -> AsyncIterator[Town]:
    """Everything, running; Ada is linked, and the tenant lets its phones be polled every second."""
    ports = free_ports(5)
    settings = {**database_settings, "ACTIONS_FILE": actions(tmp_path, ports[3])}
    async with running(tmp_path / "data", ports, **settings) as (around, found):
        made = Town(around, found)
        made.tenant.backchannel.interval = 1
        await made.links(ADA, "ada")
        yield made


async def asked(town: Town, action: str = "on_phone") -> tuple[Push, str]:
    """Ada asks for a refund: what her phone shows, and what she is told in Slack."""
    said = await town.types(ADA, f"run {action} order_id=A-1001 amount=500")
    (push,) = town.tenant.backchannel.pushes
    return push, said


async def test_the_phone_approves_and_the_call_says_how(town: Town) -> None:
    """Card and phone show the same words; the receipt and the trail have when and how she authenticated."""
    push, said = await asked(town)
    assert re.fullmatch(r"on_phone-[0-9a-f]{12}", push.binding_message)
    assert push.binding_message in said
    card = await town.sees_control(ADA, "approval.withdraw")
    assert push.binding_message in words(card)
    assert "approval.approve" not in json.dumps(card)
    assert [one["action"] for one in push.details] == ["on_phone"]
    assert town.calls() == []
    town.tenant.backchannel.answer(push.id, "approved")
    await town.sees(ADA, r"is done", after=card["ts"])
    (call,) = town.calls()
    assert (call.sub, call.status) == ("auth0|ada", 200)
    (entry,) = [e async for e in entries(town) if e["type"] == "approval.approved"]
    assert entry["approver"]["sub"] == "auth0|ada"
    assert entry["approver"]["amr"] == ["mfa"]
    assert entry["approver"]["auth_time"] > 0
    assert town.tenant.backchannel.hasty == 0


async def test_a_denial_on_the_phone_is_said(town: Town) -> None:
    """Nothing runs, and the requester hears it."""
    push, _ = await asked(town)
    town.tenant.backchannel.answer(push.id, "denied")
    await town.sees(ADA, r"was denied")
    assert town.calls() == []


async def test_a_phone_that_is_not_looked_at_says_so(town: Town) -> None:
    """After the time nothing runs any more."""
    await asked(town, "soon_over")
    await town.sees(ADA, r"has expired")
    assert town.calls() == []


async def test_whoever_has_no_phone_is_told_what_to_do(town: Town) -> None:
    """Nothing waits, and the trail has it (guard: `_on_device` before the request is stored)."""
    town.tenant.backchannel.unenrolled.add("ada")
    said = await town.types(ADA, "run on_phone order_id=A-1001 amount=500")
    assert "Enrol one" in said
    found = [(e["type"], e.get("reason")) async for e in entries(town)]
    assert ("approval.cancelled", "no_device") in found
    assert town.calls() == []


async def test_t46_no_button_answers_for_the_phone(town: Town) -> None:
    """A rightly signed click with the request's id agrees to nothing (guard: `_lacking`)."""
    await asked(town)
    card = await town.sees_control(ADA, "approval.withdraw")
    id_ = next(b["accessory"]["value"] for b in card["blocks"] if "accessory" in b)
    await town.forges_click(ADA, id_)
    assert town.calls() == []
    await town.clicks(ADA, card, "approval.withdraw")
    await town.sees(ADA, r"was withdrawn")


async def test_a_second_factor_on_the_phone_is_one_more_login(town: Town) -> None:
    """`step_up` is met by the same evidence."""
    push, _ = await asked(town, "with_factor")
    town.tenant.backchannel.answer(push.id, "approved")
    await town.sees(ADA, r"is done")


async def test_t74_what_is_asked_on_a_phone_outlives_the_process(
    tmp_path: Path, database_settings: dict[str, str]
) -> None:
    """Killed while she is asked, started again, and then she agrees: carried out once."""
    ports = free_ports(5)
    settings = {**database_settings, "ACTIONS_FILE": actions(tmp_path, ports[3])}
    async with (
        surroundings(tmp_path / "data", ports) as around,
        town_of(around, settings, tmp_path) as (town, process),
    ):
        town.tenant.backchannel.interval = 1
        await town.links(ADA, "ada")
        push, _ = await asked(town)
        card = await town.sees_control(ADA, "approval.withdraw")
        await process.end(signal.SIGKILL)
        town.tenant.backchannel.answer(push.id, "approved")
        await process.start()
        await town.sees(ADA, r"is done", after=card["ts"], within=30)
        assert [call.status for call in town.calls()] == [200]


async def entries(town: Town) -> AsyncIterator[dict[str, object]]:
    """The whole trail."""
    assert town.settings.mongodb_uri is not None
    client, database = connect(town.settings.mongodb_uri.get_secret_value(), town.settings.mongodb_database)
    async for entry in MongoAuditStore(database).entries():
        yield entry
    client.close()
