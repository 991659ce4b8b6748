"""Asking a person to connect an account: one link, in their direct messages alone, and what they are told elsewhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.actions.registry import Registry
from handlers import cards
from handlers.accounts import AccountInvitations
from handlers.one_workspace import OneWorkspace
from handlers.people import People
from handlers.post import Post, client
from oauth import Vault
from oauth.errors import AccountNotConnected
from tests.fakes.connecting import Errand
from tests.fakes.house import House, house
from tests.fakes.house import token_keys as keys
from tests.fakes.link_store import MemoryLinkStore
from tests.fakes.observer import ListObserver
from tests.fakes.provider import FakeProvider
from tests.fakes.reading import NASTY, NOON, an_action, assert_sound, said
from tests.unit.handlers.slack_api import SlackApi

MISSING = AccountNotConnected("almanac", frozenset({"events:read"}))
MEMBER = {"ok": True, "user": {"id": "UADA", "team_id": "T1", "profile": {"real_name": "Ada"}}}


@given(NASTY, NASTY, NASTY, st.integers(0, 60))
@settings(max_examples=50)
def test_t50_the_card_is_inert_and_fits(team: str, scope: str, account: str, count: int) -> None:
    """Whatever the workspace, the third party's scopes and the account are called."""
    scopes = frozenset(f"{scope or 'x'}{number}" for number in range(count))
    card = cards.connect_card("https://bot.example/connect/SECRET", NOON, team, "almanac", scopes, account)
    assert_sound(card)
    assert "SECRET" not in said(card)
    assert_sound(cards.account_connected("almanac"))


def test_the_card_has_one_button_that_leads_there() -> None:
    """It says which account, as whom to sign in, what is asked for there, and never to pass it on."""
    card = cards.connect_card(
        "https://bot.example/connect/SECRET", NOON, "Work", "almanac", frozenset({"events:read"}), "ada@corp.example"
    )
    (row,) = [block for block in card.blocks if block["type"] == "actions"]
    assert [(e["action_id"], e["url"]) for e in row["elements"]] == [
        ("account.connect", "https://bot.example/connect/SECRET")
    ]
    for words in ("your `almanac` account", "`ada@corp.example`", "`events:read`", "Never forward"):
        assert words in said(card)


@pytest.fixture
async def ada(clock: Any) -> Errand:
    """She is linked, and nothing is connected."""
    home: House = house(MemoryLinkStore(), FakeProvider(clock), ListObserver(), Vault(keys("k1")), clock)
    return await Errand.of(home)


@pytest.fixture
async def api() -> AsyncIterator[SlackApi]:
    """Slack."""
    made = SlackApi(
        users_info=MEMBER,
        conversations_open={"ok": True, "channel": {"id": "D1"}},
        chat_postMessage={"ok": True, "channel": "D1", "ts": "1.1"},
    )
    await made.server.start_server()
    yield made
    await made.server.close()


def invitations(ada: Errand, api: SlackApi) -> AccountInvitations:
    """Two actions of the calendar, one of something else."""
    workspaces = OneWorkspace(client("xoxb-1", api.url), None)
    registry = Registry(
        [
            an_action("read", scopes=frozenset({"events:read"}), connection="almanac"),
            an_action("write", scopes=frozenset({"events:write"}), connection="almanac"),
            an_action("other", scopes=frozenset({"files"}), connection="drive"),
        ]
    )
    return AccountInvitations(ada.home.rooms.accounts.asking, registry, People(workspaces, "deny"), Post(workspaces))


def posted(api: SlackApi) -> list[dict[str, Any]]:
    """What was sent to channels and people."""
    return [given for method, given in api.calls if method == "chat.postMessage"]


async def test_the_link_goes_to_the_direct_messages_alone(ada: Errand, api: SlackApi) -> None:
    """What is said where it was asked has no link in it; all that the actions need there is asked for at once."""
    invited = await invitations(ada, api).bring(ada.who, MISSING, "w")
    (sent,) = posted(api)
    assert (invited.seen, sent["channel"]) == (True, "D1")
    assert "/connect/" in json.dumps(sent["blocks"])
    assert "/connect/" not in said(invited.note) + sent["text"]
    assert "in our direct messages" in said(invited.note)
    (ticket,) = ada.home.account_store.kept.values()
    assert ticket.scopes == {"events:read", "events:write"}
    assert ticket.profile.user_name == "Ada"


async def test_a_live_link_is_pointed_to(ada: Errand, api: SlackApi) -> None:
    """One message for one link; what is asked for later goes on through it."""
    sending = invitations(ada, api)
    await sending.bring(ada.who, MISSING, "first")
    invited = await sending.bring(ada.who, MISSING, "second")
    assert len(posted(api)) == 1
    assert not invited.seen
    assert "the link is in our direct messages" in said(invited.note)


async def test_t73_a_link_that_cannot_be_sent_goes_nowhere_else(ada: Errand, api: SlackApi) -> None:
    """The person is told; the link is void, so that the next request sends another (guard: `withdraw`)."""
    sending = invitations(ada, api)
    api.answers["conversations.open"] = {"ok": False, "error": "user_disabled"}
    with structlog.testing.capture_logs() as logs:
        invited = await sending.bring(ada.who, MISSING, "w")
    assert posted(api) == []
    assert "I cannot send you a direct message" in said(invited.note)
    assert "/connect/" not in json.dumps(logs, default=str)
    api.answers["conversations.open"] = {"ok": True, "channel": {"id": "D1"}}
    assert (await sending.bring(ada.who, MISSING, "w")).seen


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"ok": True, "user": {"id": "UADA", "deleted": True}}, "Only members"),
        ({"ok": True, "user": {"id": "UADA", "is_restricted": True}}, "Only members"),
        ({"ok": False, "error": "internal_error"}, "Slack does not answer"),
    ],
)
async def test_t60_who_may_not_be_linked_is_sent_no_link(
    ada: Errand, api: SlackApi, answer: dict[str, Any], words: str
) -> None:
    """A guest, somebody who is gone, or somebody of whom Slack does not tell just now."""
    api.answers["users.info"] = answer
    invited = await invitations(ada, api).bring(ada.who, MISSING, "w")
    assert words in said(invited.note)
    assert posted(api) == []
    assert ada.home.account_store.kept == {}


async def test_who_has_no_address_is_named_otherwise(ada: Errand, api: SlackApi) -> None:
    """The card names the account that is to sign in by what the provider says of it."""
    identity = replace(ada.who.identity, email=None, name=None)
    await invitations(ada, api).bring(replace(ada.who, identity=identity), MISSING, "w")
    assert ada.who.sub in json.dumps(posted(api)[0]["blocks"])
