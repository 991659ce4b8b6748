"""Slack's own connect UI in the sandbox: the block, the modal, who is connected, and what the app is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.slack import FIRST, SandboxSlack, limits
from bot.sandbox.slack.errors import SlackRefusal
from bot.sandbox.slack.state import Workspace
from bot.sandbox.slack.web_api import SCOPES
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import Calls, Listener, actions, button, plain, section

ADA, DM = "U0ADA", "D0ADA"
URL = "https://bot.example.com/link/x"
PROVIDER: dict[str, Any] = {"value": "v", "name": plain("Account"), "is_connected": False, "auth_url": URL}
REQUEST, UPDATE = "apps.user.connection.requestAuth", "apps.user.connection.update"


def block(**more: Any) -> dict[str, Any]:
    """The block; None takes a field out."""
    made = {"type": "auth_provider", **PROVIDER, "fallback": [section()], **more}
    return {name: value for name, value in made.items() if value is not None}


@pytest.fixture
def slack(slack: SandboxSlack) -> SandboxSlack:
    """The workspace, for an app that has declared everything."""
    slack.workspace.connections.declare("bot.example.com", "127.0.0.1")
    slack.api.scopes = (*SCOPES, "users:write")
    return slack


def said(*blocks: dict[str, Any]) -> str:
    """What is said against these blocks; nothing where they are accepted."""
    try:
        limits.message_blocks(list(blocks))
    except SlackRefusal as refusal:
        return " ".join(refusal.messages)
    return ""


@pytest.mark.parametrize(
    "good",
    [
        block(),
        block(auth_url=None, fallback=None),
        block(value="v" * 150, name=plain("n" * 75), description=plain("d" * 150)),
        block(is_connected=True, connected_identity=plain("i" * 75), connected_context=plain("c" * 75)),
        block(auth_url="https://a.example/" + "x" * 2982),
        block(auth_url="http://127.0.0.1:8301/link/x"),
        block(accessory={"type": "overflow", "options": [{"text": plain("Again"), "value": "1"}]}),
        block(fallback=[section(), actions(button(url=URL))]),
    ],
)
def test_what_fits_into_the_block_is_accepted(good: dict[str, Any]) -> None:
    """Up to the very last character, with all that is optional or with none of it."""
    assert said(good) == ""


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (block(value=None), "missing required field: value"),
        (block(name=None), "missing required field: name"),
        (block(is_connected=None), "missing required field: is_connected"),
        (block(is_connected="no"), "must be a boolean"),
        (block(value="v" * 151), "must be less than 151 characters"),
        (block(name=plain("n" * 76)), "must be less than 76 characters"),
        (block(name={"type": "mrkdwn", "text": "n"}), "must be one of: plain_text"),
        (block(description=plain("d" * 151)), "must be less than 151 characters"),
        (block(connected_identity=plain("i" * 76)), "must be less than 76 characters"),
        (block(auth_url="https://a.example/" + "x" * 2983), "must be less than 3001 characters"),
        (block(auth_url="http://bot.example.com/link/x"), "must be an HTTPS URL [json-pointer:/blocks/0/auth_url]"),
        (block(disconnect_url="javascript:1"), "must be an HTTPS URL"),
        (block(icon_url="https://[a"), "must be an HTTPS URL"),
        (block(accessory=button()), "unsupported type: button"),
        (block(fallback=[]), "no fewer than 1 items allowed"),
        (block(fallback=[section("x" * 3001)]), "[json-pointer:/blocks/0/fallback/0/text/text]"),
        (block(fallback=[block()]), "unsupported type: auth_provider"),
        (block(title=plain("t")), "invalid additional property: title"),
    ],
)
def test_what_does_not_fit_into_the_block_is_named(bad: dict[str, Any], words: str) -> None:
    """In Slack's words, also within the fallback, in which there is no second such block."""
    assert words in said(bad)


@pytest.mark.parametrize("url", [URL, "https://sub.bot.example.com/x"])
async def test_a_declared_host_and_what_is_below_it_may_be_opened(slack: SandboxSlack, calls: Calls, url: str) -> None:
    """The manifest's `auth_hosts` decide."""
    await calls.ok("chat.postMessage", channel=DM, text="x", blocks=[block(auth_url=url)])


@pytest.mark.parametrize("url", ["https://evil.example/x", "https://notbot.example.com/x", "http://localhost/x"])
async def test_another_host_is_refused_in_block_and_modal(slack: SandboxSlack, calls: Calls, url: str) -> None:
    """A host that only ends alike is another one, and nothing is shown."""
    trigger = slack.workspace.new_trigger(ADA)
    provider = PROVIDER | {"auth_url": url}
    assert await calls.error("chat.postMessage", channel=DM, text="x", blocks=[block(auth_url=url)]) == "invalid_blocks"
    assert await calls.error(REQUEST, trigger_id=trigger, primary_provider=provider) == "invalid_arguments"
    assert (slack.messages(DM), slack.view_for(ADA)) == ([], None)


async def test_an_app_that_has_declared_nothing_gets_nothing(slack: SandboxSlack, calls: Calls) -> None:
    """Neither block nor modal nor state nor event: the default manifest has no `user_connections`."""
    slack.workspace.connections.auth_hosts, slack.workspace.connections.subscribed = frozenset(), False
    assert await calls.error("chat.postMessage", channel=DM, text="x", blocks=[block()]) == "invalid_blocks"
    assert await calls.error(UPDATE, user_id=ADA, status="connected") == "app_not_subscribed"
    assert await slack.gestures.ask_connection(ADA, "connect") is None


async def test_the_modal_opens_once_for_a_trigger(slack: SandboxSlack, calls: Calls, clock: HandClock) -> None:
    """As any modal: for whom did it, within three seconds, once; the provider as an object or as JSON text."""
    trigger = slack.workspace.new_trigger(ADA)
    await calls.ok(REQUEST, trigger_id=trigger, primary_provider=json.dumps(PROVIDER))
    view = slack.view_for(ADA)
    assert view is not None
    assert view["blocks"] == [{"type": "auth_provider", "block_id": "auth_provider", **PROVIDER}]
    assert slack.view_for("U0BOB") is None
    assert await calls.error(REQUEST, trigger_id=trigger, primary_provider=PROVIDER) == "exchanged_trigger_id"
    late = slack.workspace.new_trigger(ADA)
    clock.forward(seconds=4)
    assert await calls.error(REQUEST, trigger_id=late, primary_provider=PROVIDER) == "expired_trigger_id"


async def test_the_modal_of_a_person_is_changed_where_it_is_open(slack: SandboxSlack, calls: Calls) -> None:
    """By the person's id it is updated, and what it says of them is stored."""
    await calls.ok(REQUEST, user_id=ADA, primary_provider=PROVIDER)
    first = slack.view_for(ADA)
    provider = PROVIDER | {"is_connected": True, "connected_identity": plain("ada@example.com")}
    await calls.ok(REQUEST, user_id=ADA, primary_provider=provider)
    second = slack.view_for(ADA)
    assert first is not None
    assert second is not None
    assert first["id"] == second["id"]
    assert second["blocks"][0]["connected_identity"]["text"] == "ada@example.com"
    assert slack.workspace.connections.of == {ADA: True}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"primary_provider": PROVIDER}, "invalid_arguments"),
        ({"user_id": ADA}, "invalid_arguments"),
        ({"user_id": ADA, "primary_provider": "{"}, "invalid_arguments"),
        ({"user_id": ADA, "primary_provider": {"value": "v"}}, "invalid_arguments"),
        ({"user_id": "U0NOBODY", "primary_provider": PROVIDER}, "user_not_found"),
        ({"trigger_id": "1.2.3", "primary_provider": PROVIDER}, "invalid_trigger_id"),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    slack: SandboxSlack, calls: Calls, arguments: dict[str, Any], error: str
) -> None:
    """Somebody to ask and something to ask for, or nothing opens."""
    assert await calls.error(REQUEST, **arguments) == error
    assert slack.view_for(ADA) is None


async def test_an_update_is_stored_and_seen_in_what_is_there_already(slack: SandboxSlack, calls: Calls) -> None:
    """The block in the direct messages and the open modal turn with the person's state, there and back."""
    await calls.ok("chat.postMessage", channel=DM, text="x", blocks=[block()])
    await calls.ok(REQUEST, user_id=ADA, primary_provider=PROVIDER)

    def shown() -> tuple[bool, bool]:
        view = slack.view_for(ADA)
        assert view is not None
        return slack.messages(DM)[0]["blocks"][0]["is_connected"], view["blocks"][0]["is_connected"]

    await calls.ok(UPDATE, user_id=ADA, status="connected")
    assert (slack.workspace.connections.of[ADA], shown()) == (True, (True, True))
    await calls.ok(UPDATE, user_id=ADA, status="disconnected")
    assert (slack.workspace.connections.of[ADA], shown()) == (False, (False, False))


async def test_a_block_says_of_its_reader_whether_they_are_connected(slack: SandboxSlack, calls: Calls) -> None:
    """Slack stores what the block says; in a channel it is nobody's."""
    await calls.ok("chat.postMessage", channel="C0GENERAL", text="x", blocks=[block(is_connected=True)])
    assert slack.workspace.connections.of == {}
    await calls.ok("chat.postMessage", channel=DM, text="x", blocks=[block(is_connected=True)])
    assert slack.workspace.connections.of == {ADA: True}


async def test_an_update_has_its_refusals(slack: SandboxSlack, calls: Calls) -> None:
    """An unknown person or status, and a scope that was not granted."""
    assert await calls.error(UPDATE, user_id="U0NOBODY", status="connected") == "user_not_found"
    assert await calls.error(UPDATE, user_id=ADA, status="perhaps") == "invalid_arguments"
    slack.api.scopes = SCOPES
    assert await calls.error(UPDATE, user_id=ADA, status="connected") == "missing_scope"


async def test_twenty_updates_a_minute_and_no_more(slack: SandboxSlack, calls: Calls, clock: HandClock) -> None:
    """Tier 2: the next one is told how long to wait, and passes after that."""
    for _ in range(20):
        await calls.ok(UPDATE, user_id=ADA, status="connected")
    clock.forward(seconds=10)
    status, headers, answer = await calls.raw(UPDATE, {"user_id": ADA, "status": "connected"})
    assert (status, headers["Retry-After"], answer["error"]) == (429, "50", "ratelimited")
    clock.forward(seconds=50)
    await calls.ok(UPDATE, user_id=ADA, status="connected")


async def test_the_app_hears_who_wants_to_be_connected(slack: SandboxSlack, listener: Listener) -> None:
    """`connect` brings a trigger that opens a window; `disconnect` brings none."""
    await slack.gestures.ask_connection(ADA, "connect")
    await slack.gestures.ask_connection(ADA, "disconnect")
    first, second = [heard.envelope["event"] for heard in await listener.hears(2)]
    assert (first["type"], first["subtype"], first["user"]) == ("user_connection", "connect", ADA)
    assert slack.workspace.use_trigger(first["trigger_id"]).user == ADA
    assert (second["subtype"], second["user"], "trigger_id" in second) == ("disconnect", ADA, False)


async def test_pressing_connect_tells_the_app(slack: SandboxSlack, calls: Calls, listener: Listener) -> None:
    """The button's id is made of the provider's name; once connected there is none."""
    posted = await calls.ok("chat.postMessage", channel=DM, text="x", blocks=[block()])
    await slack.click(ADA, DM, posted["ts"], "auth_provider_connect_v")
    (heard,) = await listener.hears(1)
    assert heard.payload["actions"][0]["action_id"] == "auth_provider_connect_v"
    await calls.ok(UPDATE, user_id=ADA, status="connected")
    with pytest.raises(LookupError):
        await slack.click(ADA, DM, posted["ts"], "auth_provider_connect_v")


def test_the_state_outlives_a_restart(tmp_path: Path) -> None:
    """It is in the file, and a file of before has nobody connected."""
    first, second, third = Workspace(team=FIRST), Workspace(team=FIRST), Workspace(team=FIRST)
    first.connections.of[ADA] = True
    found = first.snapshot()
    second.restore(found)
    assert second.connections.of == {ADA: True}
    del found["connections"]
    third.restore(found)
    assert third.connections.of == {}
