"""What each act of the page does, and what is said of one that cannot be done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.bot.sandbox.slack.listener import SECRET, TOKEN, Calls, Listener, actions, button
from tests.unit.bot.sandbox.slack.page import Page


async def test_start_tells_who_and_where(page: Page) -> None:
    """People, places and commands, and none of the secrets."""
    async with page.http.get(f"{page.slack.url}/ui/start") as response:
        text = await response.text()
    found = json.loads(text)
    assert [person["id"] for person in found["people"]] == ["U0ADA", "U0BOB", "U0CAROL"]
    assert found["commands"] == [{"command": "/agent", "usage_hint": "", "description": "", "completions": []}]
    assert SECRET not in text
    assert TOKEN not in text


async def test_what_is_typed_becomes_a_message(page: Page, listener: Listener) -> None:
    """In Slack's markup, so that a mention is one."""
    status, answer = await page.says("@Countersign ask @Bob <now> in #support")
    (message,) = page.slack.messages("C0GENERAL")
    assert (status, answer) == (200, {"ts": message["ts"]})
    assert message["text"] == "<@U0BOT> ask <@U0BOB> &lt;now&gt; in <#C0SUPPORT|support>"
    assert listener.heard[0].envelope["event"]["type"] == "app_mention"


async def test_a_slash_makes_a_command(page: Page, listener: Listener) -> None:
    """It is sent to the bot and not said in the channel."""
    await page.says("/agent status")
    assert listener.heard[0].form["command"] == "/agent"
    assert page.slack.messages("C0GENERAL", "Ada") == []


@pytest.mark.parametrize(("text", "said"), [("/agnet link", "not a valid command"), ("/", "not a valid command")])
async def test_an_unknown_command_is_nobodys(page: Page, listener: Listener, text: str, said: str) -> None:
    """Slackbot says so, and the bot hears nothing."""
    await page.says(text)
    assert said in page.slack.messages("C0GENERAL", "Ada")[0]["text"]
    assert listener.heard == []


async def test_a_space_before_the_slash_makes_a_message(page: Page) -> None:
    """As Slack advises."""
    await page.says(" /agent is a command")
    assert page.slack.messages("C0GENERAL")[0]["text"] == "/agent is a command"


async def test_no_command_runs_in_a_thread(page: Page, listener: Listener) -> None:
    """Slack has none there, and says so there."""
    root = await page.slack.say("Ada", "C0GENERAL", "root")
    await page.says("/agent status", thread_ts=root)
    told = page.slack.messages("C0GENERAL", "Ada")[-1]
    assert ("not supported in threads" in told["text"], told["thread_ts"]) == (True, root)
    assert listener.heard == []


async def test_a_failed_click_says_so(page: Page, listener: Listener, calls: Calls) -> None:
    """The page can then show the small warning."""
    ts = (await calls.ok("chat.postMessage", channel="C0GENERAL", blocks=[actions(button())]))["ts"]
    click = {"user": "U0ADA", "channel": "C0GENERAL", "ts": ts, "action_id": "press", "block_id": "b0x"}
    assert await page.act("click", click) == (200, {})
    listener.says({}, status=500)
    assert await page.act("click", click) == (200, {"problem": "dispatch_failed"})


async def test_an_ephemeral_is_dismissed_by_whom_it_is_for(page: Page, calls: Calls) -> None:
    """Nobody else can, and an ordinary message cannot be dismissed."""
    hidden = await calls.ok("chat.postEphemeral", channel="C0GENERAL", user="U0ADA", text="psst")
    loud = await calls.ok("chat.postMessage", channel="C0GENERAL", text="all")
    body = {"channel": "C0GENERAL", "ts": hidden["message_ts"]}
    assert (await page.act("dismiss", {"user": "U0BOB", **body}))[0] == 404
    assert (await page.act("dismiss", {"user": "U0ADA", "channel": "C0GENERAL", "ts": loud["ts"]}))[0] == 404
    assert await page.act("dismiss", {"user": "U0ADA", **body}) == (200, {})
    assert [m["text"] for m in page.slack.messages("C0GENERAL", "Ada")] == ["all"]


async def test_looking_at_the_app_is_an_event(page: Page, listener: Listener) -> None:
    """With the tab that was opened."""
    await page.act("home", {"user": "U0ADA", "tab": "home"})
    await page.act("home", {"user": "U0ADA", "tab": "messages"})
    assert [heard.envelope["event"]["tab"] for heard in listener.heard] == ["home", "messages"]


MALFORMED: list[tuple[str, Any]] = [
    ("say", b"{"),
    ("say", b"\xff"),
    ("say", b"[" * 100_000),
    ("say", []),
    ("say", {}),
    ("say", {"user": 5, "channel": "C0GENERAL", "text": "x"}),
    ("say", {"user": "U0ADA", "channel": ["C0GENERAL"], "text": "x"}),
    ("say", {"user": "U0ADA", "channel": "C0GENERAL", "text": None}),
    ("say", {"user": "U0ADA", "channel": "C0GENERAL", "text": "x", "thread_ts": {"a": 1}}),
    ("click", {"user": "U0ADA", "channel": "C0GENERAL", "ts": 1, "action_id": "x"}),
    ("click", {"user": "U0ADA", "view_id": "V1", "action_id": "x", "entered": [1]}),
    ("submit", {"user": "U0ADA", "view_id": "V1", "values": "x"}),
    ("close", {"user": "U0ADA"}),
    ("home", {"user": "U0ADA"}),
    ("read", {"user": "U0ADA", "channel": None}),
]


@pytest.mark.parametrize(("name", "body"), MALFORMED, ids=[f"{n}-{name}" for n, (name, _) in enumerate(MALFORMED)])
async def test_a_malformed_act_is_the_askers_fault(page: Page, name: str, body: Any) -> None:
    """400 and no trace; never a 500."""
    assert (await page.act(name, body))[0] == 400
    assert page.slack.messages("C0GENERAL", "Ada") == []


@pytest.mark.parametrize(
    "changed",
    [{"user": "U0NOBODY"}, {"channel": "C0NONE"}, {"channel": "D0BOB"}, {"thread_ts": "1700000000.000100"}],
)
async def test_what_is_not_there_is_not_found(page: Page, changed: Mapping[str, str]) -> None:
    """An unknown person, channel or thread, and the direct messages of somebody else."""
    body = {"user": "U0ADA", "channel": "C0GENERAL", "text": "x", **changed}
    status, answer = await page.act("say", body)
    assert (status, set(answer)) == (404, {"problem"})


async def test_too_long_a_message_is_refused(page: Page) -> None:
    """With Slack's word for it, which the page shows."""
    assert await page.says("x" * 40_001) == (400, {"problem": "msg_too_long"})
