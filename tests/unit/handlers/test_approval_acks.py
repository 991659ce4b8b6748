"""When Slack has its ack: as soon as the vote is stored, whatever the trail or Slack do then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.approvals import State
from bot.tasks import Tasks
from handlers.answering import Answering
from handlers.approvals import ApprovalClicks
from handlers.speaker import Speaker
from tests.conftest import HandClock
from tests.fakes.runner import World


@pytest.fixture
def world(clock: HandClock) -> World:
    """Ada is linked, and one action asks for her approval."""
    return World(clock)


async def test_the_ack_waits_for_the_vote_and_for_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trail is slow: Slack has its ack, the vote stands, and nothing runs before its entry does
    (guards: `settled` after the ack; `audited` in `_go_on`)."""
    tasks, none, in_order = Tasks(), None, asyncio.Event()
    in_order.set()
    parts: Any = (Answering(tasks, none, patience=3600.0), world.here.approvals, world.here.runner, world.links)  # type: ignore[arg-type]
    clicks = ApprovalClicks(*parts, none, none, tasks)  # type: ignore[arg-type]
    written = world.audit.append

    async def slowly(entries: Any) -> Any:
        await in_order.wait()
        return await written(entries)

    monkeypatch.setattr(world.audit, "append", slowly)
    approval = await world.asked()
    in_order.clear()
    acked = asyncio.Event()

    async def ack(**_: object) -> None:
        acked.set()

    who = Speaker(world.ada.slack, "ada", external=False, channel="D1")
    clicked = clicks.approve_clicked(ack, {"actions": [{"value": approval.id}]}, {"speaker": who})
    working = asyncio.create_task(clicked)
    for _ in range(200):  # everything that waits for nothing but its turn
        await asyncio.sleep(0)
    in_time = acked.is_set()
    at_rest = world.at_rest(approval)
    assert (at_rest.state, at_rest.audited) == (State.APPROVED, False)
    assert world.deed.calls == []
    in_order.set()
    await working
    await tasks.drain()
    assert in_time
    assert world.at_rest(approval).state is State.DONE
    assert len(world.deed.calls) == 1
