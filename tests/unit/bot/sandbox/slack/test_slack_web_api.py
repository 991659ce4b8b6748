"""The Web API: who may call, how arguments arrive, what is answered, and how it fails on purpose."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import APP, BOT, BOT_USER, TEAM, SandboxSlack
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import TOKEN, Calls, section


async def test_a_call_without_a_token_is_not_authed(calls: Calls) -> None:
    """Slack answers 200 and says so in the body."""
    status, _, body = await calls.raw("auth.test", {}, token=None)
    assert (status, body) == (200, {"ok": False, "error": "not_authed"})


async def test_a_foreign_token_is_refused(calls: Calls) -> None:
    """Only the bot's own token works."""
    _, _, body = await calls.raw("chat.postMessage", {"channel": "C0GENERAL", "text": "x"}, token="xoxb-other")
    assert body["error"] == "invalid_auth"
    assert calls.slack.messages("C0GENERAL") == []


async def test_an_unknown_method_has_its_own_error(calls: Calls) -> None:
    """A typing mistake in a method's name is not taken for something else."""
    assert await calls("chat.post") == {"ok": False, "error": "unknown_method", "req_method": "chat.post"}


async def test_the_bot_learns_who_it_is(calls: Calls) -> None:
    """auth.test leads to bots.info, and that to the app's id."""
    who = await calls.ok("auth.test")
    assert (who["team_id"], who["user_id"], who["bot_id"]) == (TEAM, BOT_USER, BOT)
    bot = (await calls.ok("bots.info", bot=who["bot_id"]))["bot"]
    assert {name: bot[name] for name in ("id", "deleted", "name", "app_id", "user_id")} == {
        "id": BOT,
        "deleted": False,
        "name": "Countersign",
        "app_id": APP,
        "user_id": BOT_USER,
    }
    assert set(bot["icons"]) == {"image_36", "image_48", "image_72"}


@pytest.mark.parametrize("bot", ["B0OTHER", BOT_USER, ""])
async def test_another_bot_is_not_found(calls: Calls, bot: str) -> None:
    """A user's id is no bot's id."""
    assert await calls.error("bots.info", bot=bot) == "bot_not_found"


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        ("bots.info", "users:read"),
        ("users.info", "users:read"),
        ("users.lookupByEmail", "users:read.email"),
        ("chat.postMessage", "chat:write"),
        ("conversations.open", "im:write"),
        ("files.getUploadURLExternal", "files:write"),
        ("files.completeUploadExternal", "files:write"),
        ("usergroups.users.list", "usergroups:read"),
    ],
)
async def test_a_missing_scope_is_named(calls: Calls, method: str, scope: str) -> None:
    """The answer says which scope is needed and which there are."""
    calls.slack.api.scopes = ("commands",)
    answer = await calls(method)
    assert answer == {"ok": False, "error": "missing_scope", "needed": scope, "provided": "commands"}


async def test_every_answer_names_the_granted_scopes(calls: Calls) -> None:
    """A bot can check its grants at the start, as `doctor` does."""
    _, headers, _ = await calls.raw("auth.test", {})
    assert headers["X-OAuth-Scopes"].split(",") == list(calls.slack.api.scopes)


async def test_addresses_need_their_own_scope(calls: Calls) -> None:
    """Without users:read.email a profile has no address."""
    assert (await calls.ok("users.info", user="U0ADA"))["user"]["profile"]["email"] == "ada@example.com"
    calls.slack.api.scopes = ("users:read",)
    assert "email" not in (await calls.ok("users.info", user="U0ADA"))["user"]["profile"]


async def test_people_are_described_as_slack_does(calls: Calls) -> None:
    """What a bot decides by: workspace, deleted, a confirmed address."""
    calls.slack.add_person("Mallory", team="T0OTHER", confirmed=False)
    calls.slack.add_person("Dan", deleted=True)
    mallory = (await calls.ok("users.info", user="U0MALLORY"))["user"]
    assert (mallory["team_id"], mallory["is_stranger"], mallory["is_email_confirmed"]) == ("T0OTHER", False, False)
    assert (await calls.ok("users.info", user="U0DAN"))["user"]["deleted"] is True
    assert (await calls.ok("users.info", user=BOT_USER))["user"]["is_bot"] is True
    assert await calls.error("users.info", user="U0NOBODY") == "user_not_found"


async def test_nobody_is_found_by_the_address_of_a_deactivated_account(calls: Calls) -> None:
    """lookupByEmail finds the living, whatever the case of the letters."""
    calls.slack.add_person("Dan", deleted=True)
    assert (await calls.ok("users.lookupByEmail", email="ADA@example.com"))["user"]["id"] == "U0ADA"
    assert await calls.error("users.lookupByEmail", email="dan@example.com") == "users_not_found"


async def test_direct_messages_are_opened_by_person(calls: Calls) -> None:
    """The id alone, or the whole channel where it was asked for."""
    assert (await calls.ok("conversations.open", users="U0BOB"))["channel"] == {"id": "D0BOB"}
    whole = await calls.ok("conversations.open", users="U0BOB", return_im=True)
    assert whole["channel"]["user"] == "U0BOB"
    assert await calls.error("conversations.open", users="U0NOBODY") == "user_not_found"
    assert await calls.error("conversations.open") == "users_list_not_supplied"


@pytest.mark.parametrize("form", ["json", "form", "query"])
async def test_arguments_come_in_three_forms(calls: Calls, http: aiohttp.ClientSession, form: str) -> None:
    """JSON, form and query mean the same; in a form, blocks are JSON text and booleans are words."""
    url, headers = f"{calls.slack.api_url}chat.postMessage", {"Authorization": f"Bearer {TOKEN}"}
    blocks = [section("*Hi*")]
    fields = {"channel": "C0GENERAL", "text": "Hi", "blocks": json.dumps(blocks), "unfurl_links": "false"}
    given: dict[str, Any] = {
        "json": {"json": {"channel": "C0GENERAL", "text": "Hi", "blocks": blocks}},
        "form": {"data": fields},
        "query": {"params": fields},
    }
    async with http.post(url, headers=headers, **given[form]) as response:
        answer = await response.json()
    assert answer["ok"], answer
    assert answer["message"]["blocks"][0]["text"] == blocks[0]["text"]


async def test_the_token_may_be_an_argument(calls: Calls, http: aiohttp.ClientSession) -> None:
    """And it is not remembered among them."""
    async with http.post(f"{calls.slack.api_url}auth.test", data={"token": TOKEN}) as response:
        assert (await response.json())["ok"]
    assert calls.slack.api.calls[-1].arguments == {}


@pytest.mark.parametrize(
    ("body", "error"),
    [(b"{", "invalid_json"), (b"[]", "json_not_object"), (b"[" * 100_000, "invalid_json")],
)
async def test_a_broken_body_is_refused(calls: Calls, http: aiohttp.ClientSession, body: bytes, error: str) -> None:
    """Also one that is nested too deeply to be read."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    async with http.post(f"{calls.slack.api_url}chat.postMessage", data=body, headers=headers) as response:
        assert (await response.json())["error"] == error


async def test_who_posts_too_fast_is_told_how_long_to_wait(calls: Calls, clock: HandClock) -> None:
    """After ten at once, 429 with Retry-After; a second later there is room for one, and other channels have theirs."""
    for number in range(10):
        await calls.ok("chat.postMessage", channel="C0GENERAL", text=str(number))
    post = {"channel": "C0GENERAL", "text": "eleven"}
    status, headers, body = await calls.raw("chat.postMessage", post)
    assert (status, headers["Retry-After"], body["error"]) == (429, "1", "ratelimited")
    assert len(calls.slack.messages("C0GENERAL")) == 10
    await calls.ok("chat.postMessage", channel="C0SUPPORT", text="here I may")
    clock.forward(seconds=1)
    await calls.ok("chat.postMessage", **post)
    assert (await calls.raw("chat.postMessage", post))[0] == 429


async def test_slacks_own_client_understands_the_limit(calls: Calls) -> None:
    """The SDK sees a 429 with the header that its retry handler reads."""
    calls.slack.fail("chat.postMessage", "ratelimited", retry_after=7)
    client = AsyncWebClient(TOKEN, base_url=calls.slack.api_url)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="C0GENERAL", text="Hi")
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")
    assert (await client.chat_postMessage(channel="C0GENERAL", text="Hi"))["ok"]


async def test_a_failure_on_purpose_has_its_effect_once(calls: Calls) -> None:
    """`refuse` has no effect, `broken` is a 500 without one, and both are over after as many times as asked."""
    calls.slack.fail("chat.postMessage", error="channel_is_archived", times=2)
    for _ in range(2):
        assert await calls.error("chat.postMessage", channel="C0GENERAL", text="x") == "channel_is_archived"
    calls.slack.fail("auth.test", "broken")
    url = f"{calls.slack.api_url}auth.test"
    async with calls.http.post(url, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
        assert response.status == 500
    assert calls.slack.messages("C0GENERAL") == []
    await calls.ok("auth.test")


async def test_a_lost_answer_has_its_effect(calls: Calls) -> None:
    """The hardest failure: the message is there, and the caller does not know."""
    calls.slack.fail("chat.postMessage", "lost")
    with pytest.raises(aiohttp.ClientError):
        await calls("chat.postMessage", channel="C0GENERAL", text="x")
    assert [message["text"] for message in calls.slack.messages("C0GENERAL")] == ["x"]


async def test_a_usergroup_has_the_members_it_was_given(calls: Calls) -> None:
    """And an unknown one its own error."""
    calls.slack.workspace.usergroups["S0LEADS"] = ["U0BOB"]
    assert (await calls.ok("usergroups.users.list", usergroup="S0LEADS"))["users"] == ["U0BOB"]
    assert await calls.error("usergroups.users.list", usergroup="S0OTHER") == "no_such_subteam"


async def test_lists_name_channels_of_the_kinds_asked_for(slack: SandboxSlack, calls: Calls) -> None:
    """Public ones where nothing else is asked."""
    assert [c["id"] for c in (await calls.ok("conversations.list"))["channels"]] == ["C0GENERAL", "C0SUPPORT"]
    direct = (await calls.ok("conversations.list", types="im"))["channels"]
    assert {c["user"] for c in direct} == set(slack.workspace.people)
    assert (await calls.ok("conversations.members", channel="D0ADA"))["members"] == ["U0ADA", BOT_USER]
    assert await calls.error("conversations.info", channel="C0NONE") == "channel_not_found"
