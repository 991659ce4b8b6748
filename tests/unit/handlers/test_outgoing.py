"""What goes out to Slack, and what is made of odd answers: over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from bot.errors import ConfigurationError
from handlers import cards
from handlers.invitations import Invitations
from handlers.message import Message
from handlers.one_workspace import OneWorkspace
from handlers.people import Guest, NoPerson, People, PersonUnknown
from handlers.post import Post, client
from handlers.speaker import Speaker
from handlers.workspace import Installation
from oauth import SlackUser, Started
from tests.unit.handlers.slack_api import SlackApi

ADA = Speaker(SlackUser("T1", "U0ADA"), "ada", external=False, channel="C1")
WHO = {"ok": True, "team": "Work", "team_id": "T1", "user_id": "UBOT", "bot_id": "BBOT"}


@pytest.fixture
async def api() -> AsyncIterator[SlackApi]:
    made = SlackApi(
        auth_test=WHO,
        bots_info={"ok": True, "bot": {"app_id": "A1"}},
        conversations_open={"ok": True, "channel": {"id": "D1"}},
        chat_postMessage={"ok": True, "channel": "D1", "ts": "1.1"},
    )
    await made.server.start_server()
    yield made
    await made.server.close()


def workspace(api: SlackApi, app: str | None = None) -> OneWorkspace:
    return OneWorkspace(client("xoxb-1", api.url), app)


async def test_the_installation_is_learnt_once(api: SlackApi) -> None:
    """auth.test and bots.info are asked at start, and never again: no request costs a call."""
    learnt = workspace(api)
    await learnt.see_to()
    await learnt.see_to()
    assert learnt.installed == Installation("T1", "Work", "UBOT", "BBOT", "A1", None)
    assert [method for method, _ in api.calls] == ["auth.test", "bots.info"]


async def test_a_wrong_token_is_a_sentence_at_the_start(api: SlackApi) -> None:
    """`invalid_auth` will not mend itself, so the program says so and ends."""
    api.answers["auth.test"] = {"ok": False, "error": "invalid_auth"}
    with pytest.raises(ConfigurationError, match="SLACK_BOT_TOKEN"):
        await workspace(api).see_to()


@pytest.mark.parametrize(
    "answer",
    [{"ok": False, "error": "internal_error"}, web.Response(status=502), web.Response(text="<html>"), {"ok": True}],
)
async def test_slack_away_at_the_start_is_asked_again(api: SlackApi, answer: Any) -> None:
    """An outage at Slack does not end the bot; the next round learns who we are."""
    api.answers["auth.test"] = answer
    learnt = workspace(api)
    await learnt.see_to()
    assert learnt.installed is None
    api.answers["auth.test"] = WHO
    await learnt.see_to()
    assert learnt.installed is not None


async def test_an_app_id_that_slack_does_not_tell_is_unknown(api: SlackApi) -> None:
    """Without bots.info the bot still starts; an app-level token names the app by itself."""
    del api.answers["bots.info"]
    plain, socket = workspace(api), workspace(api, "A7")
    await plain.see_to()
    await socket.see_to()
    assert (plain.installed.app, socket.installed.app) == (None, "A7")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("user", "email"),
    [
        ({"is_email_confirmed": True, "profile": {"email": "ada@example.com"}}, "ada@example.com"),
        ({"is_email_confirmed": False, "profile": {"email": "ada@example.com"}}, None),
        ({"profile": {"email": "ada@example.com"}}, None),
        ({"is_email_confirmed": True, "profile": {}}, None),
        ({"is_email_confirmed": True, "profile": None}, None),
    ],
)
async def test_only_a_confirmed_address_counts(api: SlackApi, user: dict[str, Any], email: str | None) -> None:
    """An address that Slack does not vouch for proves nothing, and linking asks for a code instead."""
    api.answers["users.info"] = {"ok": True, "user": user}
    assert (await People(workspace(api), "deny").profile(ADA)).email == email


@pytest.mark.parametrize("user", [{"deleted": True}, {"is_bot": True}])
async def test_t15_bots_and_ended_accounts_are_not_invited(api: SlackApi, user: dict[str, Any]) -> None:
    """A deactivated person or a bot gets no login link (guard: NoPerson)."""
    api.answers["users.info"] = {"ok": True, "user": user}
    with pytest.raises(NoPerson):
        await People(workspace(api), "deny").profile(ADA)


@pytest.mark.parametrize(
    "about",
    [
        {"is_restricted": True}, {"is_ultra_restricted": True}, {"is_stranger": True}, {"team_id": "T9"},
        {"team_id": "T9", "is_stranger": False}, {"team_id": "T9", "enterprise_user": {"enterprise_id": "E9"}},
    ],
)  # fmt: skip
async def test_t60_guests_are_not_invited(api: SlackApi, about: dict[str, Any]) -> None:
    """By default neither guests nor people from elsewhere are linked; one word allows them (guard: `is_outside`)."""
    api.answers["users.info"] = {"ok": True, "user": {"real_name": "Eve", **about}}
    with pytest.raises(Guest):
        await People(workspace(api), "deny").profile(ADA)
    assert (await People(workspace(api), "allow").profile(ADA)).user_name == "Eve"


async def test_members_are_at_home_in_all_of_their_organization(api: SlackApi) -> None:
    """Another workspace of the same Enterprise Grid is no other home."""
    about = {"real_name": "Eve", "team_id": "T9", "enterprise_user": {"enterprise_id": "E1"}}
    api.answers["users.info"] = {"ok": True, "user": about}
    eve = Speaker(SlackUser("T1", "U0EVE", "E1"), "eve", external=False)
    assert (await People(workspace(api), "deny").profile(eve)).user_name == "Eve"


@pytest.mark.parametrize(
    "answer",
    [
        {"ok": False, "error": "internal_error"},
        lambda _: web.Response(status=500),
        lambda _: web.Response(status=502, text="<html>"),
    ],
)
async def test_t60_without_slacks_word_nobody_passes_for_a_member(api: SlackApi, answer: Any) -> None:
    """While Slack does not answer, a guest cannot be told from a member, so nobody is invited (guard: `PersonUnknown`
    in `People.profile`)."""
    api.answers["users.info"] = answer
    with pytest.raises(PersonUnknown):
        await People(workspace(api), "deny").profile(ADA)
    assert (await People(workspace(api), "allow").profile(ADA)).email is None


async def test_a_person_whom_slack_does_not_tell_has_no_address(api: SlackApi) -> None:
    """Where the app may not ask users.info, that costs the shortcut by e-mail, and nothing else."""
    found = await People(workspace(api), "deny").profile(ADA)
    assert (found.user_name, found.email) == ("ada", None)


async def test_t63_nothing_that_is_sent_unfurls(api: SlackApi) -> None:
    """A link in a message is fetched by nobody (guard: unfurl_links and unfurl_media in `say`)."""
    await Post(workspace(api)).dm(ADA.slack, Message("https://example.com"))
    method, sent = api.calls[-1]
    assert (method, sent["unfurl_links"], sent["unfurl_media"]) == ("chat.postMessage", False, False)


async def test_a_message_that_came_too_fast_is_sent_again(api: SlackApi) -> None:
    """429 with Retry-After is waited for, and the message arrives once."""
    answers = [web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "0"})]
    arrived = {"ok": True, "channel": "D1", "ts": "1.1"}
    api.answers["chat.postMessage"] = lambda _: answers.pop() if answers else arrived
    assert await Post(workspace(api)).dm(ADA.slack, Message("hello")) == ("D1", "1.1")
    assert [method for method, _ in api.calls].count("chat.postMessage") == 2


class OneLink:
    """Starts a login as `Linking` does, with a link that is always the same."""

    takes_codes = True

    async def start(self, *_: object, **__: object) -> Started:
        return Started("https://bot.example.com/link/SECRET", datetime(2030, 1, 1, 12, 0, tzinfo=UTC))


@pytest.mark.parametrize("refused", ["conversations.open", "chat.postMessage"])
async def test_t73_a_link_that_cannot_be_sent_is_posted_nowhere_else(api: SlackApi, refused: str) -> None:
    """Without direct messages the person is told, and the link is in no answer and no channel (guard: the except)."""
    api.answers[refused] = {"ok": False, "error": "cannot_dm_bot"}
    api.answers["users.info"] = {"ok": True, "user": {}}
    known = workspace(api)
    rooms = Invitations(OneLink(), People(known, "deny"), Post(known))  # type: ignore[arg-type]
    said = await rooms.invite(ADA, fresh=True)
    assert "SECRET" not in str(said)
    assert "direct message" in said.text
    assert {sent.get("channel") for method, sent in api.calls if method == "chat.postMessage"} <= {"D1"}


def test_a_login_button_is_a_link_with_an_id() -> None:
    """The card's button opens the browser, and its id is the contract's."""
    card = cards.link_card("https://bot.example.com/link/x", datetime(2030, 1, 1, tzinfo=UTC), "Work")
    elements = [e for block in card.blocks for e in block.get("elements", []) if e.get("action_id") == "link.open"]
    assert [e["url"] for e in elements] == ["https://bot.example.com/link/x"]
