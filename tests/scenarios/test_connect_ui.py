"""Slack's own connect UI with the whole product: its block and window lead to the login, and Slack knows who is linked.

Nobody ever has one link in two places; where Slack has none of this, everything is as without it.
"""

from __future__ import annotations

import json
import os
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.demo import running
from bot.sandbox.slack import TEAM
from bot.sandbox.slack.web_api import SCOPES
from tests.scenarios.town import ADA, BOB, SUPPORT, Shown, Town, words

REQUEST, UPDATE = "apps.user.connection.requestAuth", "apps.user.connection.update"


@pytest.fixture
async def modern(tmp_path: Path, database_settings: dict[str, str]) -> AsyncIterator[Town]:
    """Everything, with the connect UI on, for an app whose manifest declares it."""
    async with running(tmp_path, **database_settings, SLACK_CONNECT_UI="on") as (around, settings):
        declared(around.slack)
        yield Town(around, settings)


def declared(slack: Any) -> None:
    """As `countersign manifest --connect-ui` declares it."""
    slack.workspace.connections.declare("127.0.0.1")
    slack.api.scopes = (*SCOPES, "users:write")


def asked(town: Town, method: str) -> list[dict[str, Any]]:
    """What Slack was asked with this method and took."""
    return [call.arguments for call in town.slack.api.calls if call.method == method and call.error is None]


def told(town: Town) -> list[tuple[str, str]]:
    """What Slack was told of whom."""
    return [(call["user_id"], call["status"]) for call in asked(town, UPDATE)]


async def knows(town: Town, user: str, *, connected: bool) -> None:
    """Wait until Slack has this of a person."""
    of = town.slack.workspace.connections.of
    await town.slack.until(lambda: of.get(user) is connected or None, 10)


async def window(town: Town, user: str) -> Shown:
    """Wait for Slack's window in front of a person; its provider."""

    def there() -> Shown | None:
        view = town.slack.view_for(user)
        shown: list[Shown] = view["blocks"] if view else []
        return shown[0] if shown and shown[0]["type"] == "auth_provider" else None

    return await town.slack.until(there, 10)


def login_messages(town: Town, user: str) -> list[Shown]:
    """The direct messages that hold a login link."""
    return [message for message in town.seen(user) if "/link/" in json.dumps(message)]


def address(card: Shown) -> str:
    """Where the block of a card leads."""
    return next(str(block["auth_url"]) for block in card["blocks"] if block["type"] == "auth_provider")


async def links(town: Town, user: str, account: str) -> None:
    """Link through Slack's window."""
    await town.types(user, "link")
    assert "You are linked" in await town.signs_in((await window(town, user))["auth_url"], account)
    await knows(town, user, connected=True)


# -- the block


async def test_a_login_message_has_slacks_block_and_ours_as_its_fallback(modern: Town) -> None:
    """Whoever writes has no click behind them, so they get the message: once, with the very link in both ways."""
    for _ in range(2):
        await modern.slack.say(BOB, SUPPORT, "<@U0BOT> hello")
        await modern.sees(BOB, "login link", SUPPORT)
    (card,) = login_messages(modern, BOB)
    (block,) = [block for block in card["blocks"] if block["type"] == "auth_provider"]
    ours = json.dumps(block["fallback"])
    assert block["auth_url"] in ours
    assert '"link.open"' in ours
    assert '"link.open"' not in json.dumps([b for b in card["blocks"] if b is not block])
    assert json.dumps(card).count('"link.enter_code"') == 1
    assert modern.slack.view_for(BOB) is None
    await modern.clicks(BOB, card, "auth_provider_connect_countersign")
    assert "You are linked" in await modern.signs_in(block["auth_url"], "bob")
    await knows(modern, BOB, connected=True)
    assert login_messages(modern, BOB)[0]["blocks"][1]["is_connected"] is True


# -- the window


async def test_slacks_window_takes_the_place_of_the_message(modern: Town) -> None:
    """Asked for by a command: the window, no message; and what was asked goes on by itself after the login."""
    said = await modern.sees_after_typing(BOB, "run list_orders")
    provider = await window(modern, BOB)
    assert "window" in said
    assert login_messages(modern, BOB) == []
    assert "/link/" not in said
    assert modern.slack.view_for(ADA) is None
    await modern.signs_in(provider["auth_url"], "bob")
    await modern.sees(BOB, "A-1001")
    assert [(call.sub, call.status) for call in modern.calls()] == [("auth0|bob", 200)]
    await knows(modern, BOB, connected=True)
    assert (await window(modern, BOB))["is_connected"] is True


async def test_a_login_under_way_is_not_ended_by_the_next_request(modern: Town) -> None:
    """The link in the window stays good while it lives, and nothing sends it a second time; `/agent link` renews it."""
    await modern.sees_after_typing(BOB, "run list_orders")
    first = (await window(modern, BOB))["auth_url"]
    said = await modern.sees_after_typing(BOB, "run list_orders")
    assert "window or in our direct messages" in said
    assert len(asked(modern, REQUEST)) == 1
    assert login_messages(modern, BOB) == []
    assert "You are linked" in await modern.signs_in(first, "bob")
    await modern.types(BOB, "unlink")
    await modern.types(BOB, "link")
    assert (await window(modern, BOB))["auth_url"] != first


@pytest.mark.parametrize("error", ["unknown_method", "not_allowed", "expired_trigger_id", "invalid_arguments"])
async def test_a_window_that_slack_refuses_is_replaced_by_the_message(modern: Town, error: str) -> None:
    """Silently: the message with the very link, and no word of a window."""
    modern.slack.fail(REQUEST, error=error)
    said = await modern.sees_after_typing(BOB, "run list_orders")
    assert "direct messages" in said
    assert "window" not in said
    (card,) = login_messages(modern, BOB)
    assert modern.slack.view_for(BOB) is None
    assert "You are linked" in await modern.signs_in(address(card), "bob")


async def test_t72_a_lost_answer_never_puts_the_link_into_two_places(modern: Town) -> None:
    """The window is open although nobody heard so: no message beside it (guard: `_OPENED` in handlers.connect)."""
    modern.slack.fail(REQUEST, "lost")
    await modern.types(BOB, "run list_orders")
    assert "You are linked" in await modern.signs_in((await window(modern, BOB))["auth_url"], "bob")
    assert login_messages(modern, BOB) == []


async def test_the_home_tab_opens_the_window_too(modern: Town) -> None:
    """Its button needs no way round over the messages, and the tab says what is to be done."""
    await modern.slack.open_home(BOB)
    home = await modern.slack.until(lambda: modern.slack.home_for(BOB), 10)
    await modern.slack.click_view(BOB, home["id"], "home.link")
    provider = await window(modern, BOB)
    await modern.slack.until(lambda: "window" in words(modern.slack.home_for(BOB)) or None, 10)
    assert "in *Messages*" not in words(modern.slack.home_for(BOB))
    assert login_messages(modern, BOB) == []
    assert "You are linked" in await modern.signs_in(provider["auth_url"], "bob")


async def test_whoever_is_linked_and_links_again_gets_our_card(modern: Town) -> None:
    """Block and window would call them unconnected, and Slack would store that."""
    await links(modern, ADA, "ada")
    await modern.types(ADA, "link")
    (card,) = login_messages(modern, ADA)
    assert "auth_provider" not in json.dumps(card)
    assert modern.slack.workspace.connections.of[ADA] is True


# -- the state


async def test_slack_hears_of_each_end_of_a_link(modern: Town) -> None:
    """By the person's own word, by “This wasn’t me”, and by a logout at the provider."""
    await links(modern, ADA, "ada")
    await modern.types(ADA, "unlink")
    await knows(modern, ADA, connected=False)
    before = modern.latest(ADA)
    await links(modern, ADA, "ada")
    await modern.clicks(ADA, await modern.sees_control(ADA, "link.not_me", after=before), "link.not_me")
    await knows(modern, ADA, connected=False)
    await links(modern, ADA, "ada")
    assert set(await modern.tenant.logout("ada")) == {200}
    await knows(modern, ADA, connected=False)
    assert told(modern) == [(ADA, "connected"), (ADA, "disconnected")] * 3


async def test_slack_hears_of_an_end_by_the_operator(modern: Town) -> None:
    """The command itself tells it, beside the bot that runs."""
    await links(modern, ADA, "ada")
    settings = modern.settings
    assert settings.mongodb_uri is not None
    assert settings.token_keys is not None
    assert settings.audit_key is not None
    environment = {
        **modern.around.environment,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path.cwd()),
        "MONGODB_URI": settings.mongodb_uri.get_secret_value(),
        "MONGODB_DATABASE": settings.mongodb_database,
        "TOKEN_KEYS": settings.token_keys.get_secret_value(),
        "AUDIT_KEY": settings.audit_key.get_secret_value(),
        "SLACK_CONNECT_UI": "on",
    }
    command = [sys.executable, "-m", "bot", "links", "revoke", "--user", f"{TEAM}:{ADA}"]
    process = await create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    assert process.returncode == 0, (out, err)
    await knows(modern, ADA, connected=False)
    assert told(modern) == [(ADA, "connected"), (ADA, "disconnected")]


async def test_a_slack_that_takes_no_update_keeps_nobody_from_linking(modern: Town) -> None:
    """Slack's reference wants a person's own token for it: the refusal costs the state in Slack and nothing else."""
    modern.slack.fail(UPDATE, error="not_allowed_token_type", times=9)
    await modern.types(ADA, "link")
    assert "You are linked" in await modern.signs_in((await window(modern, ADA))["auth_url"], "ada")
    await modern.sees_control(ADA, "link.not_me")
    await modern.types(ADA, "run list_orders")
    await modern.sees(ADA, "A-1001", SUPPORT)
    await modern.types(ADA, "unlink")
    assert "not linked" in await modern.types(ADA, "status")
    assert [call.error for call in modern.slack.api.calls if call.method == UPDATE] == ["not_allowed_token_type"]


# -- Slack's own buttons


async def test_slacks_own_connect_opens_the_window(modern: Town) -> None:
    """Pressed beside the app: the window with a live link, no message that points to it, and it links."""
    await modern.slack.gestures.ask_connection(BOB, "connect")
    provider = await window(modern, BOB)
    assert "You are linked" in await modern.signs_in(provider["auth_url"], "bob")
    await knows(modern, BOB, connected=True)
    receipt = await modern.sees_control(BOB, "link.not_me")
    assert modern.seen(BOB) == [receipt]


async def test_slacks_own_connect_sends_the_message_where_there_is_no_window(modern: Town) -> None:
    """One message, with the link; the person looks at Slack already, so no note points to it."""
    modern.slack.fail(REQUEST, error="unknown_method")
    await modern.slack.gestures.ask_connection(BOB, "connect")
    card = await modern.sees(BOB, "Link your account")
    assert "You are linked" in await modern.signs_in(address(card), "bob")
    receipt = await modern.sees_control(BOB, "link.not_me")
    assert [message["ts"] for message in modern.seen(BOB)] == [card["ts"], receipt["ts"]]


async def test_slacks_own_connect_tells_a_linked_person_whose_account_it_is(modern: Town) -> None:
    """Slack had missed it: the window names the account, and the state is told anew."""
    await links(modern, ADA, "ada")
    modern.slack.workspace.connections.of[ADA] = False
    await modern.slack.close(ADA, str(modern.slack.view_for(ADA)["id"]))  # type: ignore[index]
    await modern.slack.gestures.ask_connection(ADA, "connect")
    provider = await window(modern, ADA)
    assert (provider["is_connected"], provider["connected_identity"]["text"]) == (True, "ada@example.com")
    assert "auth_url" not in provider
    await modern.slack.until(lambda: len(told(modern)) == 2 or None, 10)
    assert told(modern) == [(ADA, "connected")] * 2


async def test_slacks_own_disconnect_unlinks(modern: Town) -> None:
    """The link ends here and at the provider, what waited is cancelled, and the person is told."""
    await links(modern, ADA, "ada")
    await modern.types(ADA, "run refund_order order_id=A-1001 amount=500")
    card = await modern.sees_control(ADA, "approval.approve")
    await modern.slack.gestures.ask_connection(ADA, "disconnect")
    await modern.sees(ADA, "You are unlinked", after=card["ts"])
    await knows(modern, ADA, connected=False)
    assert "not linked" in await modern.types(ADA, "status")
    assert modern.tenant.families("ada") == []
    await modern.slack.until(lambda: "approval.approve" not in json.dumps(modern.seen(ADA)) or None, 10)
    assert modern.calls() == []


async def test_slacks_own_disconnect_ends_nobody_elses_link(modern: Town) -> None:
    """Whom Slack's signed event names is who it is about; of somebody not linked Slack is told how it is."""
    await links(modern, ADA, "ada")
    await modern.slack.gestures.ask_connection(BOB, "disconnect")
    await modern.slack.until(lambda: (BOB, "disconnected") in told(modern) or None, 10)
    assert "ada@example.com" in await modern.types(ADA, "status")
    assert modern.slack.workspace.connections.of[ADA] is True


async def test_t60_slacks_own_connect_is_no_way_in_for_people_from_elsewhere(modern: Town) -> None:
    """Members alone, as everywhere: no window, no link, one sentence (guard: `profile` in Invitations.bring)."""
    modern.slack.add_person("Mallory", team="T0OTHER")
    await modern.slack.gestures.ask_connection("U0MALLORY", "connect")
    await modern.sees("U0MALLORY", "no guests")
    assert modern.slack.view_for("U0MALLORY") is None
    assert login_messages(modern, "U0MALLORY") == []


# -- without it


async def test_an_app_that_has_not_declared_it_is_as_without_it(modern: Town) -> None:
    """Switched on too early: Slack refuses window, block and state, and the person sees one message with our button."""
    modern.slack.workspace.connections.auth_hosts, modern.slack.workspace.connections.subscribed = frozenset(), False
    await modern.types(BOB, "run list_orders")
    card = await modern.sees_control(BOB, "link.open")
    assert login_messages(modern, BOB) == [card]
    assert "auth_provider" not in json.dumps(card)
    await modern.links(ADA, "ada")
    assert asked(modern, REQUEST) + asked(modern, UPDATE) == []


async def test_switched_off_nothing_of_it_is_sent(town: Town) -> None:
    """However much the app has declared: no window, no block, no state, and no answer to Slack's own buttons."""
    declared(town.slack)
    await town.types(BOB, "run list_orders")
    await town.slack.gestures.ask_connection(BOB, "connect")
    await town.links(ADA, "ada")
    await town.slack.gestures.ask_connection(ADA, "disconnect")
    assert "ada@example.com" in await town.types(ADA, "status")
    await town.types(ADA, "unlink")
    assert "not linked" in await town.types(ADA, "status")
    assert not any(call.method.startswith("apps.user.connection") for call in town.slack.api.calls)
    assert not any("auth_provider" in str(call.arguments) for call in town.slack.api.calls)
    assert town.slack.workspace.connections.of == {}
