"""Response urls: five uses in thirty minutes, and what each use may do."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.slack import SandboxSlack
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import Calls, Listener, actions, button


async def url_of_command(slack: SandboxSlack, listener: Listener) -> str:
    """The response url of a command that Ada typed."""
    await slack.command("Ada", "/agent status")
    return listener.heard[-1].form["response_url"]


async def post(calls: Calls, url: str, **body: Any) -> tuple[int, str]:
    """Status and text."""
    async with calls.http.post(url, json=body) as response:
        return response.status, await response.text()


async def test_five_uses_and_no_sixth(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """The sixth is refused and shows nothing."""
    url = await url_of_command(slack, listener)
    for number in range(5):
        assert await post(calls, url, text=str(number)) == (200, "ok")
    status, body = await post(calls, url, text="six")
    assert (status, "used_url" in body) == (404, True)
    assert [m["text"] for m in slack.messages("C0GENERAL", "Ada")] == ["0", "1", "2", "3", "4"]


async def test_thirty_minutes_and_no_longer(
    slack: SandboxSlack, listener: Listener, calls: Calls, clock: HandClock
) -> None:
    """At thirty it works, after thirty it does not."""
    url = await url_of_command(slack, listener)
    clock.forward(minutes=30)
    assert await post(calls, url, text="late") == (200, "ok")
    clock.forward(seconds=1)
    status, body = await post(calls, url, text="too late")
    assert (status, "expired_url" in body) == (404, True)


async def test_an_invented_url_leads_nowhere(slack: SandboxSlack, calls: Calls) -> None:
    """The address is the secret."""
    status, body = await post(calls, f"{slack.url}/hooks/1/guess", text="x")
    assert (status, "expired_url" in body) == (404, True)


@pytest.mark.parametrize(
    ("more", "bob_sees"),
    [({}, False), ({"response_type": "ephemeral"}, False), ({"response_type": "in_channel"}, True)],
)
async def test_an_answer_is_for_who_asked_unless_said_aloud(
    slack: SandboxSlack, listener: Listener, calls: Calls, more: dict[str, str], bob_sees: bool
) -> None:
    """`in_channel` is for all."""
    url = await url_of_command(slack, listener)
    await post(calls, url, text="Hi", **more)
    assert [m["text"] for m in slack.messages("C0GENERAL", "Ada")] == ["Hi"]
    assert bool(slack.messages("C0GENERAL", "Bob")) is bob_sees


@pytest.mark.parametrize("body", [{}, {"text": "x", "blocks": [{"type": "nothing"}]}])
async def test_what_slack_would_refuse_is_refused_and_spends_a_use(
    slack: SandboxSlack, listener: Listener, calls: Calls, body: dict[str, Any]
) -> None:
    """A refused answer counts, so a bot cannot try forever."""
    url = await url_of_command(slack, listener)
    for _ in range(5):
        assert (await post(calls, url, **body))[0] == 400
    assert (await post(calls, url, text="good"))[0] == 404
    assert slack.messages("C0GENERAL", "Ada") == []


@pytest.mark.parametrize("hidden", [False, True])
async def test_a_click_can_replace_or_delete_what_was_clicked(
    slack: SandboxSlack, listener: Listener, calls: Calls, hidden: bool
) -> None:
    """Also an ephemeral, for which there is no other way."""
    blocks = [actions(button())]
    if hidden:
        posted = await calls.ok("chat.postEphemeral", channel="C0GENERAL", user="U0ADA", blocks=blocks)
        ts = posted["message_ts"]
    else:
        ts = (await calls.ok("chat.postMessage", channel="C0GENERAL", blocks=blocks))["ts"]
    await slack.click("Ada", "C0GENERAL", ts, "press")
    url = listener.heard[-1].payload["response_url"]
    assert await post(calls, url, replace_original=True, text="Done") == (200, "ok")
    (message,) = slack.messages("C0GENERAL", "Ada")
    assert (message["ts"], message["text"], "blocks" in message) == (ts, "Done", False)
    assert await post(calls, url, delete_original=True) == (200, "ok")
    assert slack.messages("C0GENERAL", "Ada") == []


async def test_an_answer_to_a_click_in_a_thread_stays_there(
    slack: SandboxSlack, listener: Listener, calls: Calls
) -> None:
    """It does not jump into the channel."""
    root = await slack.say("Ada", "C0GENERAL", "root")
    more = {"channel": "C0GENERAL", "thread_ts": root, "blocks": [actions(button())]}
    ts = (await calls.ok("chat.postMessage", **more))["ts"]
    await slack.click("Ada", "C0GENERAL", ts, "press")
    await post(calls, listener.heard[-1].payload["response_url"], text="here")
    assert slack.messages("C0GENERAL", "Ada")[-1]["thread_ts"] == root
