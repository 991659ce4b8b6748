"""chat.*: what is posted, changed and deleted, and who sees it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.slack import APP, BOT, BOT_USER, SandboxSlack
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import Calls, actions, button, section


async def test_a_posted_message_is_the_bots(slack: SandboxSlack, calls: Calls) -> None:
    """The answer and the channel hold the same message, with the app's ids on it."""
    answer = await calls.ok("chat.postMessage", channel="C0GENERAL", text="Hello")
    (seen,) = slack.messages("C0GENERAL")
    assert answer["ts"] == seen["ts"] == answer["message"]["ts"]
    assert (seen["user"], seen["bot_id"], seen["app_id"]) == (BOT_USER, BOT, APP)
    assert seen["bot_profile"]["app_id"] == APP


async def test_a_persons_id_leads_to_their_direct_messages(slack: SandboxSlack, calls: Calls) -> None:
    """As at Slack, and the answer names the channel that chat.update needs."""
    answer = await calls.ok("chat.postMessage", channel="U0ADA", text="Hello")
    assert answer["channel"] == "D0ADA"
    assert await calls.error("chat.update", channel="U0ADA", ts=answer["ts"], text="x") == "channel_not_found"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"text": "x"}, "channel_not_found"),
        ({"channel": "C0NONE", "text": "x"}, "channel_not_found"),
        ({"channel": "C0GENERAL"}, "no_text"),
        ({"channel": "C0GENERAL", "text": ""}, "no_text"),
        ({"channel": "C0GENERAL", "blocks": []}, "no_text"),
        ({"channel": "C0GENERAL", "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": "C0GENERAL", "text": "x", "thread_ts": "1.2"}, "invalid_thread_ts"),
        ({"channel": "C0GENERAL", "text": "x", "blocks": "{"}, "invalid_blocks_format"),
        ({"channel": "C0GENERAL", "text": "x", "blocks": "{}"}, "invalid_blocks_format"),
    ],
)
async def test_what_cannot_be_posted(slack: SandboxSlack, calls: Calls, arguments: dict[str, Any], error: str) -> None:
    """Each refusal has Slack's code, and nothing appears."""
    assert await calls.error("chat.postMessage", **arguments) == error
    assert slack.messages("C0GENERAL") == []


async def test_a_bot_that_is_not_in_a_channel_cannot_post(slack: SandboxSlack, calls: Calls) -> None:
    """It must be invited first."""
    slack.workspace.channel("C0GENERAL").members.discard(BOT_USER)
    assert await calls.error("chat.postMessage", channel="C0GENERAL", text="x") == "not_in_channel"


async def test_each_message_has_a_ts_of_its_own(calls: Calls) -> None:
    """Also while the clock stands still, and in the order of posting."""
    found = [(await calls.ok("chat.postMessage", channel="C0GENERAL", text="x"))["ts"] for _ in range(5)]
    assert found == sorted(set(found))


async def test_a_ts_never_goes_back(calls: Calls, clock: HandClock) -> None:
    """A clock that was set back does not bring messages before older ones."""
    first = (await calls.ok("chat.postMessage", channel="C0GENERAL", text="x"))["ts"]
    clock.forward(hours=-1)
    assert (await calls.ok("chat.postMessage", channel="C0GENERAL", text="y"))["ts"] > first


async def test_a_reply_to_a_reply_is_in_the_same_thread(slack: SandboxSlack, calls: Calls) -> None:
    """A thread has one root."""
    root = await slack.say("Ada", "C0GENERAL", "root")
    one = await calls.ok("chat.postMessage", channel="C0GENERAL", text="one", thread_ts=root)
    two = await calls.ok("chat.postMessage", channel="C0GENERAL", text="two", thread_ts=one["ts"])
    assert two["message"]["thread_ts"] == root


async def test_nobody_replies_to_an_ephemeral(slack: SandboxSlack, calls: Calls) -> None:
    """It is no message that others could see a thread of."""
    hidden = await calls.ok("chat.postEphemeral", channel="C0GENERAL", user="U0ADA", text="psst")
    more = {"channel": "C0GENERAL", "text": "x", "thread_ts": hidden["message_ts"]}
    assert await calls.error("chat.postMessage", **more) == "invalid_thread_ts"


async def test_an_ephemeral_is_for_one_person(slack: SandboxSlack, calls: Calls) -> None:
    """Ada sees it; Bob and the log of the channel do not; it can be neither changed nor deleted by its ts."""
    hidden = await calls.ok("chat.postEphemeral", channel="C0GENERAL", user="U0ADA", text="psst")
    ts = hidden["message_ts"]
    assert [m["text"] for m in slack.messages("C0GENERAL", "Ada")] == ["psst"]
    assert slack.messages("C0GENERAL", "Bob") == slack.messages("C0GENERAL") == []
    assert await calls.error("chat.update", channel="C0GENERAL", ts=ts, text="x") == "message_not_found"
    assert await calls.error("chat.delete", channel="C0GENERAL", ts=ts) == "message_not_found"


async def test_an_ephemeral_needs_somebody_who_is_there(calls: Calls) -> None:
    """Nobody, or somebody in another channel, cannot see it."""
    for more in ({}, {"user": "U0NOBODY"}):
        error = await calls.error("chat.postEphemeral", channel="C0GENERAL", text="x", **more)
        assert error == "user_not_in_channel"
    assert await calls.error("chat.postEphemeral", channel="D0ADA", user="U0BOB", text="x") == "user_not_in_channel"


async def test_text_alone_takes_the_blocks_away(calls: Calls) -> None:
    """chat.update with text and no blocks shows the text, marked as edited."""
    posted = await calls.ok("chat.postMessage", channel="C0GENERAL", text="a", blocks=[section()])
    changed = await calls.ok("chat.update", channel="C0GENERAL", ts=posted["ts"], text="b")
    assert "blocks" not in changed["message"]
    assert changed["message"]["text"] == changed["text"] == "b"
    assert changed["message"]["edited"]["user"] == BOT_USER


async def test_new_blocks_are_not_marked_as_edited(calls: Calls) -> None:
    """As Slack documents it: the mark is for changed text."""
    posted = await calls.ok("chat.postMessage", channel="C0GENERAL", text="a", blocks=[section()])
    changed = await calls.ok("chat.update", channel="C0GENERAL", ts=posted["ts"], blocks=[section("new")])
    assert "edited" not in changed["message"]
    assert changed["text"] == "a"


async def test_an_update_needs_content(calls: Calls) -> None:
    """Neither nothing nor emptiness replaces a message."""
    ts = (await calls.ok("chat.postMessage", channel="C0GENERAL", text="a"))["ts"]
    assert await calls.error("chat.update", channel="C0GENERAL", ts=ts) == "no_text"
    assert await calls.error("chat.update", channel="C0GENERAL", ts=ts, text="", blocks=[]) == "no_text"
    assert await calls.error("chat.update", channel="C0GENERAL", ts=ts, text="x" * 4_001) == "msg_too_long"


async def test_a_bot_changes_only_its_own(slack: SandboxSlack, calls: Calls) -> None:
    """Ada's words stay Ada's."""
    ts = await slack.say("Ada", "C0GENERAL", "mine")
    assert await calls.error("chat.update", channel="C0GENERAL", ts=ts, text="x") == "cant_update_message"
    assert await calls.error("chat.delete", channel="C0GENERAL", ts=ts) == "cant_delete_message"
    assert slack.messages("C0GENERAL")[0]["text"] == "mine"


async def test_a_deleted_message_is_gone(slack: SandboxSlack, calls: Calls) -> None:
    """From the channel, and for every later call."""
    ts = (await calls.ok("chat.postMessage", channel="C0GENERAL", text="a"))["ts"]
    await calls.ok("chat.delete", channel="C0GENERAL", ts=ts)
    assert slack.messages("C0GENERAL", "Ada") == []
    assert await calls.error("chat.delete", channel="C0GENERAL", ts=ts) == "message_not_found"
    assert await calls.error("chat.update", channel="C0GENERAL", ts=ts, text="b") == "message_not_found"


async def test_ids_that_the_bot_left_out_are_made_up(calls: Calls) -> None:
    """As Slack does, so that every control can be named."""
    bare = button()
    del bare["action_id"]
    posted = await calls.ok("chat.postMessage", channel="C0GENERAL", blocks=[actions(bare, dict(bare))])
    (block,) = posted["message"]["blocks"]
    assert block["block_id"]
    assert len({element["action_id"] for element in block["elements"]}) == 2


async def test_what_others_wrote_is_unread_until_looked_at(slack: SandboxSlack, calls: Calls) -> None:
    """One's own messages and other people's ephemerals do not count."""
    await slack.say("Ada", "C0GENERAL", "mine")
    await calls.ok("chat.postEphemeral", channel="C0GENERAL", user="U0BOB", text="psst")
    await calls.ok("chat.postMessage", channel="C0GENERAL", text="for all")
    assert slack.workspace.unread("U0ADA") == {"C0GENERAL": 1}
    assert slack.workspace.unread("U0BOB") == {"C0GENERAL": 3}
    slack.workspace.mark_read("U0ADA", "C0GENERAL")
    assert slack.workspace.unread("U0ADA") == {}
