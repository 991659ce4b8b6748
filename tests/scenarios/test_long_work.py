"""Work that lasts: what people see of it, and who stops it; whole ways through signed requests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.database import opened
from bot.sandbox.demo import free_ports, running
from bot.serving import serving
from tests.scenarios.town import SUPPORT, Shown, Town, controls, eventually, words

ADA, BOB, CAROL = "U0ADA", "U0BOB", "U0CAROL"


@pytest.fixture
async def town(tmp_path: Path, database_settings: dict[str, str]) -> AsyncIterator[Town]:
    """Everything, running, with actions that last; Ada, Bob and Carol are linked."""
    settings = {**database_settings, "ACTIONS_MODULES": "tests.scenarios.copying"}
    async with running(tmp_path, **settings) as (around, found):
        made = Town(around, found)
        for user, account in ((ADA, "ada"), (BOB, "bob"), (CAROL, "carol")):
            await made.links(user, account)
        yield made


def streamed(town: Town, user: str, under: Shown) -> Shown | None:
    """The task cards in the thread of a message."""
    return next((m for m in town.seen(user) if m.get("thread_ts") == under["ts"] and m.get("blocks")), None)


async def cards_of(town: Town, user: str, under: Shown) -> list[tuple[str, str]]:
    """Titles and states of the task cards in the thread of a message, once they are there."""

    def found() -> list[tuple[str, str]]:
        message = streamed(town, user, under)
        plan = message["blocks"][0] if message else {"tasks": []}
        return [(one["title"], one["status"]) for one in plan["tasks"]]

    return await town.slack.until(found, 10)


async def test_somebody_sees_how_far_it_is_and_stops_it(town: Town) -> None:
    """A message with a button and task cards below; a stranger's click does nothing; the action has the last word."""
    await town.types(ADA, "run copy_orders count=200")
    message = await town.sees_control(ADA, "run.stop")
    (run,) = [e["value"] for e in controls(message) if e.get("action_id") == "run.stop"]
    assert await cards_of(town, ADA, message) == [
        ("Read the orders", "complete"),
        ("Copy them – Copying (40 of 200)", "in_progress"),
        ("Check the copy", "pending"),
    ]
    await town.forges_click(CAROL, run, "run.stop")
    await town.sees(CAROL, "not yours to stop")
    assert "run.stop" in json.dumps(next(m for m in town.seen(ADA) if m["ts"] == message["ts"]))
    await town.clicks(ADA, message, "run.stop")
    await town.sees(ADA, "40 of 200 orders were copied", SUPPORT)
    ended = await town.sees(ADA, "`copy_orders` was stopped by <@U0ADA>")
    assert ended["ts"] == message["ts"]
    assert (await cards_of(town, ADA, message))[1][1] == "error"
    trail = await town.types(ADA, "audit")
    assert "stopped" in trail


async def test_an_approver_stops_what_they_agreed_to_on_their_own_card(town: Town) -> None:
    """Ada hears of it, and that nobody knows how much of it was done."""
    await town.types(ADA, "run move_orders count=200")
    card = await town.sees_control(BOB, "approval.approve")
    await town.clicks(BOB, card, "approval.approve")
    await town.sees(ADA, "`move_orders` is running")
    card = await town.sees_control(BOB, "run.stop")
    await town.clicks(BOB, card, "run.stop")
    await town.sees(ADA, "`move_orders` was stopped by <@U0BOB>")
    await town.sees(ADA, "whether it was done is not known: somebody stopped it")
    await town.sees(BOB, "whether it was done is not known: somebody stopped it")


async def test_any_replica_takes_the_click(town: Town, tmp_path: Path) -> None:
    """The one that works hears of it from the database."""
    await town.types(ADA, "run copy_orders count=200")
    message = await town.sees_control(ADA, "run.stop")
    (port,) = free_ports(1)
    settings = town.settings.model_copy(update={"port": port, "data_dir": tmp_path / "other"})
    async with opened(settings) as database, serving(settings, database) as (_, address):
        town.slack.events_url = f"{address}/slack/events"
        await town.clicks(ADA, message, "run.stop")
        await town.sees(ADA, "`copy_orders` was stopped by <@U0ADA>")


async def test_t49_unlinking_stops_it(town: Town) -> None:
    """Nobody acts for a person whose link has ended, also where the work had begun before."""
    await town.types(ADA, "run move_orders count=200")
    await town.clicks(BOB, await town.sees_control(BOB, "approval.approve"), "approval.approve")
    message = await town.sees(ADA, "`move_orders` is running")
    await town.types(ADA, "unlink")
    ended = await town.sees(ADA, "ended before its time: the account was unlinked")
    assert words(ended)
    assert ended["ts"] == message["ts"]


async def test_where_nothing_is_streamed_the_message_itself_is_edited(town: Town) -> None:
    """A workspace without task cards: a bar and the steps in the message, and the same button."""
    town.slack.fail("chat.startStream", error="unknown_method")
    await town.types(ADA, "run copy_orders count=200")
    message = await town.sees(ADA, r"Copying \(40 of 200\)")
    assert "○ Check the copy" in words(message)
    await town.clicks(ADA, message, "run.stop")
    await town.sees(ADA, "`copy_orders` was stopped by")
    await eventually(lambda: all(m.get("thread_ts") != message["ts"] for m in town.seen(ADA)))


async def test_a_click_after_the_end_says_so(town: Town) -> None:
    """Of a button that was still there a moment ago."""
    await town.types(ADA, "run copy_orders count=200")
    message = await town.sees_control(ADA, "run.stop")
    (run,) = [e["value"] for e in controls(message) if e.get("action_id") == "run.stop"]
    await town.clicks(ADA, message, "run.stop")
    await town.sees(ADA, "`copy_orders` was stopped by")
    await town.forges_click(ADA, run, "run.stop")
    await town.sees(ADA, "Too late to stop it: it is over already")
