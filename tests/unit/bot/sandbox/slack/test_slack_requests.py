"""What the workspace sends to the bot: signed, complete, and again where it was not acknowledged."""

from __future__ import annotations

import asyncio
import hashlib
import hmac

import pytest
from aiohttp import web

from bot.sandbox.slack import APP, TEAM, NoSuchThing, SandboxSlack
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import SECRET, Calls, Heard, Listener, actions, button


def signature(heard: Heard) -> str:
    """What Slack's documents say the signature is, computed anew."""
    base = b"v0:" + heard.headers["X-Slack-Request-Timestamp"].encode() + b":" + heard.body
    return "v0=" + hmac.new(SECRET.encode(), base, hashlib.sha256).hexdigest()


async def test_every_request_is_signed(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """A command, an event and a click carry a signature over exactly their bytes and their time."""
    await slack.command("Ada", "/agent status ü")
    await slack.say("Ada", "D0ADA", "hello")
    ts = (await calls.ok("chat.postMessage", channel="D0ADA", blocks=[actions(button())]))["ts"]
    await slack.click("Ada", "D0ADA", ts, "press")
    assert len(listener.heard) == 3
    assert [heard.headers["X-Slack-Signature"] for heard in listener.heard] == [signature(h) for h in listener.heard]


async def test_the_timestamp_is_now(slack: SandboxSlack, listener: Listener, clock: HandClock) -> None:
    """A bot that refuses old requests refuses none of these."""
    clock.forward(hours=5)
    await slack.command("Ada", "/agent status")
    assert listener.heard[0].headers["X-Slack-Request-Timestamp"] == str(int(clock.now.timestamp()))


async def test_a_command_carries_what_slack_documents(slack: SandboxSlack, listener: Listener) -> None:
    """Who, where, what, and the two ways to answer later."""
    await slack.command("Bob", "/agent run  refund_order amount=5 ", "C0SUPPORT")
    form = listener.heard[0].form
    assert form["command"] == "/agent"
    assert form["text"] == "run  refund_order amount=5"
    assert (form["user_id"], form["channel_id"], form["channel_name"]) == ("U0BOB", "C0SUPPORT", "support")
    assert (form["team_id"], form["api_app_id"], form["is_enterprise_install"]) == (TEAM, APP, "false")
    assert form["response_url"].startswith(f"{slack.url}/hooks/")
    assert form["trigger_id"].count(".") == 2


async def test_a_bare_command_has_an_empty_text(slack: SandboxSlack, listener: Listener) -> None:
    """The field is there, since Slack always sends it."""
    await slack.command("Ada", "/agent")
    assert listener.heard[0].form["text"] == ""


async def test_somebody_from_elsewhere_is_sent_with_their_own_workspace(
    slack: SandboxSlack, listener: Listener
) -> None:
    """A command, an event and a click of an external person say whose person that is."""
    slack.add_person("Mallory", team="T0OTHER")
    await slack.command("Mallory", "/agent status")
    await slack.say("Mallory", "C0GENERAL", "<@U0BOT> hi")
    assert listener.heard[0].form["team_id"] == "T0OTHER"
    envelope = listener.heard[1].envelope
    assert envelope["event"]["user_team"] == "T0OTHER"
    assert envelope["team_id"] == TEAM
    assert envelope["is_ext_shared_channel"] is True


async def test_a_click_on_a_message_carries_the_message(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """The payload has the message, the block's id, the value and a response url."""
    blocks = [actions(button(value="42"), block_id="row")]
    ts = (await calls.ok("chat.postMessage", channel="C0GENERAL", text="Well?", blocks=blocks))["ts"]
    await slack.click("Carol", "C0GENERAL", ts, "press")
    payload = listener.heard[0].payload
    assert payload["type"] == "block_actions"
    assert payload["user"]["id"] == "U0CAROL"
    assert payload["message"]["ts"] == payload["container"]["message_ts"] == ts
    assert payload["actions"][0] | {"action_ts": ""} == {
        "type": "button",
        "action_id": "press",
        "block_id": "row",
        "text": {"type": "plain_text", "text": "Press"},
        "value": "42",
        "action_ts": "",
    }


async def test_a_click_on_an_ephemeral_carries_no_message(
    slack: SandboxSlack, listener: Listener, calls: Calls
) -> None:
    """As at Slack, a bot gets only the ephemeral's ts."""
    more = {"channel": "C0GENERAL", "user": "U0ADA", "blocks": [actions(button())], "text": "psst"}
    ts = (await calls.ok("chat.postEphemeral", **more))["message_ts"]
    await slack.click("Ada", "C0GENERAL", ts, "press")
    payload = listener.heard[0].payload
    assert "message" not in payload
    assert payload["container"]["is_ephemeral"] is True


async def test_the_other_controls_of_a_message_are_sent_with_a_click(
    slack: SandboxSlack, listener: Listener, calls: Calls
) -> None:
    """What was chosen beside a button arrives in `state`, with the button's own block not lost."""
    option = {"text": {"type": "plain_text", "text": "Big"}, "value": "big"}
    menu = {"type": "static_select", "action_id": "size", "options": [option]}
    blocks = [actions(menu, button(), block_id="row")]
    ts = (await calls.ok("chat.postMessage", channel="C0GENERAL", blocks=blocks))["ts"]
    await slack.gestures.click("Ada", "C0GENERAL", ts, "press", entered={"row": {"size": "big"}})
    assert listener.heard[0].payload["state"]["values"]["row"]["size"]["selected_option"] == option


@pytest.mark.parametrize(
    ("where", "text", "kinds"),
    [
        ("D0ADA", "hello", ["message"]),
        ("C0GENERAL", "hello everybody", []),
        ("C0GENERAL", "<@U0BOT> hello", ["app_mention"]),
        ("C0GENERAL", "<@U0BOT|countersign> hello", ["app_mention"]),
        ("C0GENERAL", "<@U0BOTTOM> hello", []),
    ],
)
async def test_the_bot_hears_what_it_subscribed_to(
    slack: SandboxSlack, listener: Listener, where: str, text: str, kinds: list[str]
) -> None:
    """Direct messages and mentions, and nothing else that is said."""
    await slack.say("Ada", where, text)
    assert [heard.envelope["event"]["type"] for heard in listener.heard] == kinds


async def test_a_reply_names_its_thread(slack: SandboxSlack, listener: Listener) -> None:
    """The event of a reply, also of one to a reply, carries the ts of the thread's first message."""
    first = await slack.say("Ada", "D0ADA", "one")
    second = await slack.say("Ada", "D0ADA", "two", thread_ts=first)
    await slack.say("Ada", "D0ADA", "three", thread_ts=second)
    assert [heard.envelope["event"].get("thread_ts") for heard in listener.heard] == [None, first, first]


async def test_one_may_only_use_what_one_sees(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """Bob cannot click in Ada's direct messages, nor on her ephemeral."""
    blocks = [actions(button())]
    direct = (await calls.ok("chat.postMessage", channel="D0ADA", blocks=blocks))["ts"]
    hidden = (await calls.ok("chat.postEphemeral", channel="C0GENERAL", user="U0ADA", blocks=blocks))["message_ts"]
    for channel, ts in (("D0ADA", direct), ("C0GENERAL", hidden)):
        with pytest.raises(NoSuchThing):
            await slack.click("Bob", channel, ts, "press")
    assert listener.heard == []


async def test_an_event_is_sent_again_until_it_is_acknowledged(
    slack: SandboxSlack, listener: Listener, pauses: list[float]
) -> None:
    """Three retries, at once, after a minute and after five, numbered and with their reason, all the same event."""
    listener.says({}, status=500)
    await slack.say("Ada", "D0ADA", "hello")
    await listener.hears(4)
    assert [heard.headers.get("X-Slack-Retry-Num") for heard in listener.heard] == [None, "1", "2", "3"]
    assert [h.headers.get("X-Slack-Retry-Reason") for h in listener.heard[1:]] == ["http_error"] * 3
    assert len({heard.body for heard in listener.heard}) == 1
    assert pauses == [0, 60, 300]


async def test_a_retry_that_is_acknowledged_is_the_last(
    slack: SandboxSlack, listener: Listener, pauses: list[float]
) -> None:
    """The second attempt is taken, so there is no third."""
    listener.answering = lambda heard: web.Response(status=200 if "X-Slack-Retry-Num" in heard.headers else 503)
    await slack.say("Ada", "D0ADA", "hello")
    await listener.hears(2)
    await slack.stop()
    assert pauses == [0]


async def test_a_bot_may_decline_retries(slack: SandboxSlack, listener: Listener, pauses: list[float]) -> None:
    """`X-Slack-No-Retry: 1` ends it."""
    listener.answering = lambda _: web.Response(status=500, headers={"X-Slack-No-Retry": "1"})
    await slack.say("Ada", "D0ADA", "hello")
    await slack.stop()
    assert pauses == []
    assert len(listener.heard) == 1


async def test_a_retry_is_signed_for_its_own_time(slack: SandboxSlack, listener: Listener, clock: HandClock) -> None:
    """Otherwise a bot would refuse the retry after five minutes as a replay."""
    listener.says({}, status=500)
    clock.forward(minutes=10)
    await slack.say("Ada", "D0ADA", "hello")
    await listener.hears(4)
    assert [heard.headers["X-Slack-Signature"] for heard in listener.heard] == [signature(h) for h in listener.heard]


async def test_a_command_is_never_sent_again(slack: SandboxSlack, listener: Listener, pauses: list[float]) -> None:
    """Slack retries events only; the person is told by an ephemeral of Slackbot."""
    listener.says({}, status=500)
    delivery = await slack.command("Ada", "/agent status")
    await slack.stop()
    assert delivery.failure == "dispatch_failed"
    assert (len(listener.heard), pauses) == (1, [])
    (told,) = slack.messages("C0GENERAL", "Ada")
    assert told["user"] == "USLACKBOT"
    assert 'failed with the error "dispatch_failed"' in told["text"]
    assert slack.messages("C0GENERAL", "Bob") == []


async def test_a_bot_that_does_not_answer_in_time_has_failed(slack: SandboxSlack, listener: Listener) -> None:
    """The deadline ends the wait, and the failure has its own name."""
    never = asyncio.Event()

    async def answer(_: Heard) -> web.Response:
        await never.wait()
        return web.Response()

    listener.answering = answer
    slack.dispatch.wait = 0.05
    assert (await slack.command("Ada", "/agent status")).failure == "operation_timeout"
    never.set()


async def test_a_bot_that_is_not_there_has_failed(slack: SandboxSlack) -> None:
    """A refused connection is a failure that the page can show."""
    slack.events_url = "http://127.0.0.1:9/"
    assert (await slack.command("Ada", "/agent status")).failure == "dispatch_failed"
    assert (await slack.open_home("Ada")).failure == "dispatch_failed"  # type: ignore[union-attr]


async def test_a_redirect_is_no_acknowledgement(slack: SandboxSlack, listener: Listener) -> None:
    """The signed body goes to the one configured address and to no other."""
    listener.answering = lambda _: web.Response(status=307, headers={"Location": listener.url})
    assert (await slack.command("Ada", "/agent status")).failure == "dispatch_failed"
    assert len(listener.heard) == 1


@pytest.mark.parametrize(
    ("answer", "seen_by_bob"),
    [({"text": "Hi"}, False), ({"text": "Hi", "response_type": "in_channel"}, True)],
)
async def test_the_answer_in_the_acknowledgement_is_shown(
    slack: SandboxSlack, listener: Listener, answer: dict[str, str], seen_by_bob: bool
) -> None:
    """Only to who asked, unless the bot says otherwise."""
    listener.says(answer)
    await slack.command("Ada", "/agent status")
    assert [m["text"] for m in slack.messages("C0GENERAL", "Ada")] == ["Hi"]
    assert bool(slack.messages("C0GENERAL", "Bob")) is seen_by_bob


async def test_a_plain_text_answer_is_shown(slack: SandboxSlack, listener: Listener) -> None:
    """A body that is no JSON is the message."""
    listener.answering = lambda _: web.Response(text="Hello there")
    await slack.command("Ada", "/agent status")
    assert slack.messages("C0GENERAL", "Ada")[0]["text"] == "Hello there"


async def test_blocks_that_slack_refuses_are_a_failed_command(slack: SandboxSlack, listener: Listener) -> None:
    """The person sees that the answer was none."""
    listener.says({"blocks": [{"type": "section"}]})
    await slack.command("Ada", "/agent status")
    assert "invalid_command_response" in slack.messages("C0GENERAL", "Ada")[0]["text"]
