"""Accounts that are deactivated, and an app that is removed: what Slack says to the app, and what it then refuses."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from bot.sandbox.slack import BOT_USER, GRID, NORTH, SECOND, TEAM, NoSuchThing, SandboxSlack
from tests.unit.bot.sandbox.slack.listener import TOKEN, Calls, Heard, Listener
from tests.unit.bot.sandbox.slack.test_slack_requests import signature
from tests.unit.bot.sandbox.slack.visitor import App


async def refusal(calls: Calls, token: str) -> Any:
    """What auth.test says to a token; None where it is good."""
    return (await calls.raw("auth.test", {}, token=token))[2].get("error")


async def test_a_deactivation_is_told_with_the_whole_person(
    slack: SandboxSlack, listener: Listener, calls: Calls
) -> None:
    """The event carries the same `user` as users.info does, `deleted` included, and is signed like any other."""
    delivery = await slack.deactivate("U0BOB")
    assert delivery.status == 200
    (heard,) = listener.heard
    assert heard.headers["X-Slack-Signature"] == signature(heard)
    envelope = heard.envelope
    assert (envelope["type"], envelope["team_id"]) == ("event_callback", TEAM)
    assert envelope["authorizations"][0]["user_id"] == BOT_USER
    event = envelope["event"]
    assert (event["type"], event["cache_ts"]) == ("user_change", envelope["event_time"])
    assert (event["user"]["id"], event["user"]["deleted"]) == ("U0BOB", True)
    assert event["user"] == (await calls.ok("users.info", user="U0BOB"))["user"]


async def test_a_deactivated_person_cannot_be_written_to_or_found(slack: SandboxSlack, calls: Calls) -> None:
    """Slack's own errors; once reactivated, everything is as before."""
    await slack.deactivate("Bob")
    assert await calls.error("conversations.open", users="U0BOB") == "user_disabled"
    assert await calls.error("users.lookupByEmail", email="bob@example.com") == "users_not_found"
    await slack.reactivate("Bob")
    assert (await calls.ok("conversations.open", users="U0BOB"))["channel"]["id"] == "D0BOB"
    assert (await calls.ok("users.info", user="U0BOB"))["user"]["deleted"] is False


async def test_a_deactivation_concerns_one_workspace(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """Whoever has the same id elsewhere goes on."""
    await slack.other(SECOND.id).deactivate("U0BOB")
    assert listener.heard[0].envelope["team_id"] == SECOND.id
    assert (await calls.ok("users.info", user="U0BOB"))["user"]["deleted"] is False


async def test_an_address_is_told_only_where_the_app_may_see_it(slack: SandboxSlack, listener: Listener) -> None:
    """As in users.info; what changed is what is told."""
    await slack.change_person("Bob", email="robert@example.com", confirmed=False)
    slack.api.scopes = ("users:read",)
    await slack.change_person("Bob", real_name="Robert Okafor")
    first, second = (heard.envelope["event"]["user"] for heard in listener.heard)
    assert (first["profile"]["email"], first["is_email_confirmed"]) == ("robert@example.com", False)
    assert (second["real_name"], "email" in second["profile"]) == ("Robert Okafor", False)


async def test_an_uninstall_ends_the_token_and_is_told(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """Two events with ids of their own, in Slack's documented shape; when they arrive, the token is dead already."""
    said: list[Any] = []

    async def answer(_: Heard) -> web.Response:
        said.append(await refusal(calls, TOKEN))
        return web.Response()

    listener.answering = answer
    deliveries = await slack.uninstall()
    assert [delivery.status for delivery in deliveries] == [200, 200]
    assert said == ["account_inactive", "account_inactive"]
    revoked, gone = (heard.envelope for heard in listener.heard)
    ts = revoked["event"].pop("event_ts")
    assert revoked["event"] == {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [BOT_USER]}}
    assert gone["event"]["type"] == "app_uninstalled"
    assert gone["event"]["event_ts"] > ts
    assert revoked["event_id"] != gone["event_id"]
    for envelope in (revoked, gone):
        assert (envelope["type"], envelope["team_id"]) == ("event_callback", TEAM)
        assert envelope.keys().isdisjoint({"authorizations", "enterprise_id"})
    with pytest.raises(NoSuchThing):
        await slack.uninstall()


async def test_revoked_tokens_have_their_own_error(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """And one event."""
    await slack.revoke_tokens()
    assert await refusal(calls, TOKEN) == "token_revoked"
    assert [heard.envelope["event"]["type"] for heard in listener.heard] == ["tokens_revoked"]
    with pytest.raises(NoSuchThing):
        await slack.revoke_tokens()


async def test_an_uninstall_concerns_one_workspace(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """The other's token goes on, and the event names the right bot."""
    token = slack.install(SECOND.id).access_token
    await slack.other(SECOND.id).uninstall()
    assert await refusal(calls, token) == "account_inactive"
    assert await refusal(calls, TOKEN) is None
    envelope = listener.heard[0].envelope
    assert (envelope["team_id"], envelope["event"]["tokens"]["bot"]) == (SECOND.id, [SECOND.bot_user])


async def test_an_organization_removes_the_app_as_a_whole(
    slack: SandboxSlack, listener: Listener, calls: Calls
) -> None:
    """From whichever of its workspaces; the event names the organization. A workspace's own install is apart."""
    org, alone = slack.install(GRID.id).access_token, slack.install(NORTH.id).access_token
    await slack.other(NORTH.id).uninstall()
    assert [await refusal(calls, token) for token in (org, alone)] == [None, "account_inactive"]
    await slack.other("T0SOUTH").uninstall()
    assert await refusal(calls, org) == "account_inactive"
    teams = [(heard.envelope["team_id"], heard.envelope["enterprise_id"]) for heard in listener.heard]
    assert teams == [(NORTH.id, GRID.id)] * 2 + [(GRID.id, GRID.id)] * 2


async def test_after_an_uninstall_nothing_refreshes(app: App) -> None:
    """Neither the refresh token nor the access token is good; a new install gives new ones, with its scopes alone."""
    app.slack.registration.rotates = True
    former = await app.installs(SECOND.id)
    await app.slack.other(SECOND.id).uninstall()
    assert (await app.refreshes(former["refresh_token"]))["error"] == "invalid_refresh_token"
    again = await app.installs(SECOND.id, scope="team:read")
    assert again["scope"] == "team:read"
    calls = Calls(app.slack, app.http)
    assert [await refusal(calls, answer["access_token"]) for answer in (former, again)] == ["account_inactive", None]


async def test_an_event_of_an_end_is_sent_again_like_any_other(
    slack: SandboxSlack, listener: Listener, pauses: list[float]
) -> None:
    """With Slack's retry headers and the same event id; the token is dead from the first attempt."""
    listener.answering = lambda heard: web.Response(status=200 if "X-Slack-Retry-Num" in heard.headers else 500)
    await slack.revoke_tokens()
    first, second = await listener.hears(2)
    await slack.stop()
    assert (second.headers["X-Slack-Retry-Num"], second.headers["X-Slack-Retry-Reason"]) == ("1", "http_error")
    assert first.envelope["event_id"] == second.envelope["event_id"]
    assert pauses == [0]


async def test_what_ended_stays_ended(slack: SandboxSlack, listener: Listener, calls: Calls) -> None:
    """An end with a bot that does not answer is an end all the same."""
    listener.says({}, status=500)
    await slack.deactivate("Bob")
    await slack.uninstall()
    assert slack.workspace.person("Bob").deleted
    assert await refusal(calls, TOKEN) == "account_inactive"
