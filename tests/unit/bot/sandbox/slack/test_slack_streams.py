"""Streamed messages: task cards that fill, within Slack's limits and for five minutes."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.slack import TEAM, SandboxSlack
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import Calls, section

WHO = {"recipient_user_id": "U0ADA", "recipient_team_id": TEAM}


def task(id_: str = "one", title: str = "Read", status: str = "pending", **more: Any) -> dict[str, Any]:
    """A task_update chunk."""
    return {"type": "task_update", "id": id_, "title": title, "status": status, **more}


@pytest.fixture
async def parent(calls: Calls) -> str:
    """A message to be answered."""
    return str((await calls.ok("chat.postMessage", channel="D0ADA", text="Hello"))["ts"])


async def begun(calls: Calls, parent: str, **more: Any) -> dict[str, Any]:
    """The arguments that name a stream."""
    given = {"chunks": [task()], "task_display_mode": "plan", **more}
    answer = await calls.ok("chat.startStream", channel="D0ADA", thread_ts=parent, **WHO, **given)
    return {"channel": answer["channel"], "ts": answer["ts"]}


async def test_task_cards_fill(slack: SandboxSlack, calls: Calls, parent: str) -> None:
    """A title and a status take the place of those before, details are appended, and a stopped stream stands."""
    at = await begun(calls, parent)
    title = {"type": "plan_update", "title": "Half"}
    await calls.ok("chat.appendStream", **at, chunks=[title, task(status="in_progress", details="a"), task("two")])
    await calls.ok("chat.appendStream", **at, chunks=[task(title="Read all", status="complete", details="b")])
    await calls.ok("chat.stopStream", **at, blocks=[section("The end")])
    message = slack.messages("D0ADA", "U0ADA")[-1]
    assert message["thread_ts"] == parent
    plan, end = message["blocks"]
    assert (plan["type"], plan["title"], end["type"]) == ("plan", "Half", "section")
    assert [(one["title"], one["status"]) for one in plan["tasks"]] == [("Read all", "complete"), ("Read", "pending")]
    assert plan["tasks"][0]["details"]["elements"][0]["elements"][0]["text"] == "ab"
    assert await calls.error("chat.appendStream", **at, chunks=[task()]) == "message_not_in_streaming_state"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"recipient_user_id": ""}, "missing_recipient_user_id"),
        ({"recipient_team_id": ""}, "missing_recipient_team_id"),
        ({"thread_ts": ""}, "invalid_arguments"),
        ({"thread_ts": "1.2"}, "invalid_thread_ts"),
        ({"channel": "C0NONE"}, "channel_not_found"),
        ({"task_display_mode": "list"}, "invalid_arguments"),
        ({"markdown_text": "x"}, "invalid_arguments"),
        ({"chunks": "{"}, "invalid_chunks"),
        ({"chunks": [task(title="x" * 257)]}, "invalid_chunks"),
        ({"chunks": [task(status="completed")]}, "invalid_chunks"),
        ({"chunks": [{"type": "task_update", "title": "x", "status": "pending"}]}, "invalid_chunks"),
        ({"chunks": [{"type": "plan_update"}]}, "invalid_chunks"),
        ({"chunks": [{"type": "other"}]}, "invalid_chunks"),
        ({"chunks": [], "markdown_text": "x" * 12_001}, "msg_too_long"),
    ],
)
async def test_what_is_no_stream(
    slack: SandboxSlack, calls: Calls, parent: str, arguments: dict[str, Any], error: str
) -> None:
    """Each refusal has Slack's code, and nothing appears."""
    given = {"channel": "D0ADA", "thread_ts": parent, "chunks": [task()], **WHO, **arguments}
    assert await calls.error("chat.startStream", **given) == error
    assert len(slack.messages("D0ADA")) == 1


async def test_a_stream_lives_five_minutes(calls: Calls, clock: HandClock, parent: str) -> None:
    """Whatever is appended to it; then it may be edited like any other message."""
    at = await begun(calls, parent)
    clock.forward(minutes=4, seconds=59)
    await calls.ok("chat.appendStream", **at, chunks=[task()])
    assert await calls.error("chat.update", **at, text="x") == "streaming_state_conflict"
    clock.forward(seconds=2)
    assert await calls.error("chat.appendStream", **at, chunks=[task()]) == "message_not_in_streaming_state"
    assert await calls.error("chat.stopStream", **at) == "message_not_in_streaming_state"
    await calls.ok("chat.update", **at, text="x")


async def test_an_empty_append_is_none(calls: Calls, parent: str) -> None:
    """There has to be something to append."""
    assert await calls.error("chat.appendStream", **await begun(calls, parent)) == "no_text"


async def test_one_message_is_edited_once_a_second(calls: Calls, clock: HandClock, parent: str) -> None:
    """A few at once, then one a second; another message has a pace of its own (guard: the pace of `update`)."""
    for _ in range(5):
        await calls.ok("chat.update", channel="D0ADA", ts=parent, text="x")
    status, headers, answer = await calls.raw("chat.update", {"channel": "D0ADA", "ts": parent, "text": "x"})
    assert (status, headers["Retry-After"], answer["error"]) == (429, "1", "ratelimited")
    other = (await calls.ok("chat.postMessage", channel="D0ADA", text="Other"))["ts"]
    await calls.ok("chat.update", channel="D0ADA", ts=other, text="x")
    clock.forward(seconds=1)
    await calls.ok("chat.update", channel="D0ADA", ts=parent, text="x")


async def test_appends_have_a_pace_too(calls: Calls, parent: str) -> None:
    """Tier 4: a hundred a minute."""
    at = await begun(calls, parent)
    answers = [await calls("chat.appendStream", **at, chunks=[task(title=str(n))]) for n in range(25)]
    assert [answer.get("error") for answer in answers][-1] == "ratelimited"
