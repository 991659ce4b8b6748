"""Slack's own block and window for a login: what they hold, and when our own card takes their place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from aiohttp import web
from hypothesis import given
from slack_sdk.models.blocks import AuthProviderBlock

from bot.sandbox.slack.connections import PROVIDER
from bot.sandbox.slack.schema import Problems
from handlers import cards
from handlers.connect import ConnectUi, Refusals, connected, not_connected
from handlers.invitations import Invitations
from handlers.message import Block, Message
from handlers.one_workspace import OneWorkspace
from handlers.people import People
from handlers.post import Post, client
from handlers.speaker import Speaker
from oauth import Identity, Principal, SlackUser, Started, Subject
from oauth.errors import StoreUnavailable
from tests.conftest import HandClock
from tests.fakes.reading import ADA, NASTY, NOON, PRINCIPAL, assert_sound, said
from tests.unit.handlers.slack_api import SlackApi

URL = "https://bot.example/link/SECRET"
WHO = Speaker(ADA, "ada", external=False, channel="C1", trigger="1.2.3")
REQUEST = "apps.user.connection.requestAuth"


# -- what is shown


def seen(card: Message, *, knows: bool) -> list[Block]:
    """The blocks that a client draws which knows the block, or does not."""
    shown: list[Block] = []
    for block in card.blocks:
        old = block["type"] == "auth_provider" and not knows
        shown += block["fallback"] if old else [block]
    return shown


def ways(blocks: list[Block]) -> list[str]:
    """The addresses behind what one can press."""
    elements = [element for block in blocks for element in block.get("elements", [])]
    return [
        *(block["auth_url"] for block in blocks if "auth_url" in block),
        *(e["url"] for e in elements if "url" in e),
    ]


def test_every_client_shows_one_way_and_not_two() -> None:
    """Whoever knows the block sees it, whoever does not sees our button; to enter a code there is one place."""
    card = cards.link_card(URL, NOON, "Work", connect_ui=True)
    assert_sound(card)
    kinds = [block["type"] for block in card.blocks]
    assert kinds == ["section", "auth_provider", "actions", "context"]
    for knows in (True, False):
        drawn = seen(card, knows=knows)
        assert ways(drawn) == [URL]
        assert json.dumps(drawn).count('"link.enter_code"') == 1
        assert json.dumps(drawn).count("Never forward") == 1
    assert "link.open" not in json.dumps([b | {"fallback": []} for b in seen(card, knows=True)])
    assert "SECRET" not in said(card)


def test_without_the_switch_the_card_is_the_one_of_before() -> None:
    """Nothing of Slack's connect UI is in it."""
    card = cards.link_card(URL, NOON, "Work")
    assert [block["type"] for block in card.blocks] == ["section", "actions", "context"]


def test_slacks_own_sdk_takes_the_block() -> None:
    """Its model knows the block's fields and their lengths."""
    (block,) = [b for b in cards.link_card(URL, NOON, "Work", connect_ui=True).blocks if b["type"] == "auth_provider"]
    made = AuthProviderBlock(**{name: value for name, value in block.items() if name != "type"})
    assert made.to_dict()["is_connected"] is False
    made.validate_json()


@given(NASTY, NASTY, NASTY)
def test_t50_whose_account_it_is_is_inert(name: str, address: str, team: str) -> None:
    """What a provider or a workspace calls itself is plain text, in one line, and fits."""
    identity = Identity("https://idp.example/", Subject("auth0|ada"), address or None, name or None)
    made = connected(replace(PRINCIPAL, identity=identity), team)
    problems: Problems = []
    PROVIDER(made, "/provider", problems)
    assert problems == []
    assert made["is_connected"] is True
    for field in ("connected_identity", "connected_context"):
        assert "\n" not in made.get(field, {"text": ""})["text"]


# -- the window


class Known:
    """Who is linked; while `away` the database does not answer."""

    def __init__(self, *people: SlackUser) -> None:
        self.people = set(people)
        self.away = False

    async def principal(self, slack: SlackUser) -> Principal | None:
        if self.away:
            raise StoreUnavailable
        return PRINCIPAL if slack in self.people else None


@pytest.fixture
async def api() -> AsyncIterator[SlackApi]:
    made = SlackApi(
        conversations_open={"ok": True, "channel": {"id": "D1"}},
        chat_postMessage={"ok": True, "channel": "D1", "ts": "1.1"},
        users_info={"ok": True, "user": {}},
    )
    made.answers[REQUEST] = {"ok": True}
    await made.server.start_server()
    yield made
    await made.server.close()


class Room:
    """The window and the invitations on one workspace."""

    def __init__(self, api: SlackApi, clock: HandClock, *linked: SlackUser) -> None:
        self.api, self.known = api, Known(*linked)
        workspaces = OneWorkspace(client("xoxb-1", api.url))
        self.ui = ConnectUi(workspaces, self.known, Refusals(clock))  # type: ignore[arg-type]
        people, post = People(workspaces, "deny"), Post(workspaces)
        self.links = Links()
        self.invitations = Invitations(self.links, people, post, self.ui)  # type: ignore[arg-type]

    async def opens(self, trigger: str | None = "1.2.3") -> bool:
        """Whether the window may be open."""
        return await self.ui.window(ADA, trigger, not_connected(URL))

    def asked(self, method: str) -> list[dict[str, Any]]:
        """What Slack was asked with this method."""
        return [given for name, given in self.api.calls if name == method]


class Links:
    """Starts a login as `Linking` does; with `live` the link of before is still good."""

    takes_codes = True

    def __init__(self) -> None:
        self.live = False

    async def start(self, *_: object, **__: object) -> Started:
        return Started(None if self.live else URL, datetime(2030, 1, 1, 12, 0, tzinfo=UTC))


@pytest.fixture
def room(api: SlackApi, clock: HandClock) -> Room:
    return Room(api, clock)


async def test_the_window_is_asked_for_with_the_click_and_the_very_link(room: Room) -> None:
    """By POST, so that the link is in no address: the person's own trigger, and what Slack is to show."""
    assert await room.opens()
    (given,) = room.asked(REQUEST)
    provider = json.loads(given["primary_provider"])
    assert given["trigger_id"] == "1.2.3"
    assert (provider["auth_url"], provider["is_connected"]) == (URL, False)
    assert await room.opens(trigger=None) is False
    assert len(room.asked(REQUEST)) == 1


@pytest.mark.parametrize(
    ("answer", "may_be_open", "asked_again"),
    [
        ({"ok": False, "error": "unknown_method"}, False, False),
        ({"ok": False, "error": "not_allowed_token_type"}, False, False),
        ({"ok": False, "error": "invalid_arguments"}, False, False),
        ({"ok": False, "error": "expired_trigger_id"}, False, True),
        ({"ok": False, "error": "invalid_trigger_id"}, False, True),
        ({"ok": False, "error": "exchanged_trigger_id"}, True, True),
        ({"ok": False, "error": "fatal_error"}, True, False),
        (web.Response(status=500, text="<html>"), True, False),
        (web.Response(status=200, text="<html>"), True, False),
    ],
)
async def test_only_a_sure_refusal_sends_the_link_another_way(
    room: Room, clock: HandClock, answer: Any, may_be_open: bool, asked_again: bool
) -> None:
    """A trigger that was used already had opened it; where nobody can tell, nobody shall see both."""
    room.api.answers[REQUEST] = answer
    assert await room.opens() is may_be_open
    room.api.answers[REQUEST] = {"ok": True}
    await room.opens()
    assert len(room.asked(REQUEST)) == (2 if asked_again else 1)
    clock.forward(hours=1, seconds=1)
    assert await room.opens()


async def test_after_an_answer_that_did_not_come_the_next_try_goes_the_other_way(room: Room, clock: HandClock) -> None:
    """Whoever saw no window asks again, and is not sent round in circles."""
    room.api.answers[REQUEST] = web.Response(status=500)
    assert await room.opens()
    assert not await room.opens()
    clock.forward(minutes=1, seconds=1)
    room.api.answers[REQUEST] = {"ok": True}
    assert await room.opens()


async def test_a_slack_that_is_not_there_opens_nothing(api: SlackApi, clock: HandClock) -> None:
    """A connection that never came about has asked for nothing."""
    room = Room(api, clock)
    await api.server.close()
    assert not await room.opens()


async def test_a_refusal_is_in_the_log_once(room: Room, clock: HandClock) -> None:
    """Each workspace that lacks the feature would fill the log; and no link is in it."""
    room.api.answers[REQUEST] = {"ok": False, "error": "not_allowed_token_type"}
    with structlog.testing.capture_logs() as log:
        for _ in range(3):
            await room.opens()
            clock.forward(hours=2)
    assert [(line["event"], line["error"]) for line in log] == [("connect_ui_refused", "not_allowed_token_type")]
    assert "SECRET" not in str(log)


# -- where somebody is asked to link


async def test_the_window_takes_the_place_of_the_message(room: Room) -> None:
    """One link, one place: with the window open there is no direct message, and the note holds no link."""
    invited = await room.invitations.bring(WHO, waiting="something")
    assert invited.seen
    assert room.asked("chat.postMessage") == []
    assert "direct messages" not in invited.note.text
    assert "I go on with what you asked" in invited.note.text
    assert "`/agent code`" in invited.note.text
    assert "SECRET" not in str(invited)


async def test_a_refused_window_is_replaced_by_the_message(room: Room) -> None:
    """Silently, and with the very link that the window would have had."""
    room.api.answers[REQUEST] = {"ok": False, "error": "unknown_method"}
    invited = await room.invitations.bring(WHO)
    (posted,) = room.asked("chat.postMessage")
    assert invited.seen
    assert "direct messages" in invited.note.text
    assert [b["auth_url"] for b in posted["blocks"] if b["type"] == "auth_provider"] == [URL]


async def test_a_window_that_may_be_open_brings_no_message(room: Room) -> None:
    """T72: a lost answer never puts the link into two places; the note says what to do without a window."""
    room.api.answers[REQUEST] = web.Response(status=500)
    invited = await room.invitations.bring(WHO)
    assert room.asked("chat.postMessage") == []
    assert "No window? `/agent link` tries again." in invited.note.text


async def test_without_a_click_there_is_a_message(room: Room) -> None:
    """Who writes to the bot has no trigger, so nothing could open."""
    await room.invitations.invite(replace(WHO, trigger=None))
    assert room.asked(REQUEST) == []
    assert len(room.asked("chat.postMessage")) == 1


async def test_a_block_that_slack_does_not_take_is_replaced_by_our_button(room: Room, clock: HandClock) -> None:
    """In one message that is seen; the next one does not try the block, until an hour is over."""
    who = replace(WHO, trigger=None)

    def picky(given: dict[str, Any]) -> dict[str, Any]:
        if any(block["type"] == "auth_provider" for block in given["blocks"]):
            return {"ok": False, "error": "invalid_blocks"}
        return {"ok": True, "channel": "D1", "ts": "1.1"}

    room.api.answers["chat.postMessage"] = picky
    invited = await room.invitations.bring(who)
    assert invited.seen
    assert ["auth_provider" in str(given) for given in room.asked("chat.postMessage")] == [True, False]
    assert '"link.open"' in json.dumps(room.asked("chat.postMessage")[1])
    await room.invitations.bring(who)
    assert len(room.asked("chat.postMessage")) == 3
    clock.forward(hours=1, seconds=1)
    await room.invitations.bring(who)
    assert len(room.asked("chat.postMessage")) == 5


async def test_t73_a_link_that_neither_window_nor_message_takes_is_nowhere(room: Room) -> None:
    """It is in no answer and in no channel, and nothing is tried twice (guard: the except in Invitations.bring)."""
    room.api.answers[REQUEST] = {"ok": False, "error": "not_allowed"}
    room.api.answers["chat.postMessage"] = {"ok": False, "error": "cannot_dm_bot"}
    invited = await room.invitations.bring(WHO)
    assert not invited.seen
    assert "SECRET" not in str(invited)
    assert [given["channel"] for given in room.asked("chat.postMessage")] == ["D1"]


@pytest.mark.parametrize("away", [False, True])
async def test_who_is_linked_is_not_called_unconnected(api: SlackApi, clock: HandClock, away: bool) -> None:
    """Slack stores what block and window say, so a linked person who links again gets our own card; in doubt, too."""
    room = Room(api, clock, ADA)
    room.known.away = away
    await room.invitations.invite(WHO, fresh=True)
    (posted,) = room.asked("chat.postMessage")
    assert room.asked(REQUEST) == []
    assert "auth_provider" not in json.dumps(posted)


async def test_a_live_link_is_pointed_to_and_opens_no_window(room: Room) -> None:
    """Only its hash is stored, so it cannot be shown again; whoever has lost it gets a new one by asking."""
    room.links.live = True
    invited = await room.invitations.bring(WHO)
    assert not invited.seen
    assert room.asked(REQUEST) + room.asked("chat.postMessage") == []
    assert "window or in our direct messages" in invited.note.text
    assert "`/agent link`" in invited.note.text
