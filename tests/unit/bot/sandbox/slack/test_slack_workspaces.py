"""Several workspaces on one server: each call and each request belongs to exactly one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.sandbox.slack import GRID, NORTH, SECOND, SOUTH, TEAM, NoSuchThing, SandboxSlack
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import SECRET, TOKEN, Calls, Listener, actions, button, modal


class Bot:
    """The bot's client for the token of one installation."""

    def __init__(self, calls: Calls, owner: str) -> None:
        self.calls = calls
        self.token = calls.slack.install(owner).access_token

    async def __call__(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The answer, whatever it is."""
        return (await self.calls.raw(method, arguments, token=self.token))[2]


def names(directory: Path) -> list[str]:
    """The files in it."""
    return sorted(path.name for path in directory.iterdir())


async def test_a_call_is_answered_for_the_workspace_of_its_token(calls: Calls) -> None:
    """The same user id is two people, and each token sees its own."""
    second = Bot(calls, SECOND.id)
    here = (await calls.ok("users.info", user="U0BOB"))["user"]
    there = (await second("users.info", user="U0BOB"))["user"]
    assert (here["team_id"], here["real_name"]) == (TEAM, "Bob Okafor")
    assert (there["team_id"], there["real_name"]) == (SECOND.id, "Bob Larsen")
    assert (await second("users.info", user="U0ADA"))["error"] == "user_not_found"
    who = await second("auth.test")
    assert (who["team_id"], who["user_id"], who["bot_id"]) == (SECOND.id, SECOND.bot_user, SECOND.bot)
    assert "enterprise_id" not in who


async def test_messages_stay_in_their_workspace(slack: SandboxSlack, calls: Calls) -> None:
    """Also where a channel and a person have the same id in both; and each has its own pace."""
    second = Bot(calls, SECOND.id)
    posted = await second("chat.postMessage", channel="U0BOB", text="there")
    assert posted["message"]["team"] == SECOND.id
    assert posted["message"]["bot_id"] == SECOND.bot
    assert slack.messages("D0BOB") == []
    assert [m["text"] for m in slack.other(SECOND.id).messages("D0BOB")] == ["there"]
    assert await calls.error("chat.update", channel="D0BOB", ts=posted["ts"], text="x") == "message_not_found"
    for number in range(10):
        await calls.ok("chat.postMessage", channel="C0GENERAL", text=str(number))
    assert await calls.error("chat.postMessage", channel="C0GENERAL", text="x") == "ratelimited"
    assert (await second("chat.postMessage", channel="C0GENERAL", text="x"))["ok"]


async def test_what_people_do_is_sent_from_where_they_are(slack: SandboxSlack, listener: Listener) -> None:
    """A command and an event name the second workspace, its bot and no organization."""
    second = slack.other(SECOND.id)
    await second.command("Dan", "/agent status")
    await second.say("Dan", "C0GENERAL", f"<@{SECOND.bot_user}> hello")
    await second.say("Dan", "C0GENERAL", "<@U0BOT> is nobody here")
    form, envelope = listener.heard[0].form, listener.heard[1].envelope
    assert (form["team_id"], form["team_domain"], form["is_enterprise_install"]) == (SECOND.id, "second", "false")
    assert "enterprise_id" not in form
    assert (envelope["team_id"], envelope["authorizations"][0]["user_id"]) == (SECOND.id, SECOND.bot_user)
    assert len(listener.heard) == 2


async def test_answers_go_back_to_the_workspace_that_asked(
    slack: SandboxSlack, listener: Listener, http: aiohttp.ClientSession
) -> None:
    """A response url and a trigger of the second workspace work there and nowhere else."""
    second, calls = slack.other(SECOND.id), Calls(slack, http)
    await second.command("Bob", "/agent status")
    form = listener.heard[0].form
    async with http.post(form["response_url"], json={"text": "hello"}) as response:
        assert response.status == 200
    assert [m["text"] for m in second.messages("C0GENERAL", "Bob")] == ["hello"]
    assert slack.messages("C0GENERAL", "Bob") == []
    view = modal()
    assert await calls.error("views.open", trigger_id=form["trigger_id"], view=view) == "invalid_trigger_id"
    assert (await Bot(calls, SECOND.id)("views.open", trigger_id=form["trigger_id"], view=view))["ok"]
    assert second.view_for("Bob") is not None
    assert slack.view_for("Bob") is None


async def test_an_organization_has_one_token_for_its_workspaces(slack: SandboxSlack, calls: Calls) -> None:
    """auth.test names the organization, people are described as of it, and lists want to know of which workspace."""
    grid = Bot(calls, GRID.id)
    who = await grid("auth.test")
    assert (who["team_id"], who["enterprise_id"], who["is_enterprise_install"]) == (GRID.id, GRID.id, True)
    eve = (await grid("users.info", user="U0EVE"))["user"]
    assert (eve["team_id"], eve["is_stranger"]) == (NORTH.id, False)
    assert (eve["enterprise_user"]["enterprise_id"], eve["enterprise_user"]["teams"]) == (GRID.id, [NORTH.id, SOUTH.id])
    assert (await grid("users.list"))["error"] == "missing_argument"
    assert (await grid("users.list", team_id=TEAM))["error"] == "team_access_not_granted"
    listed = await grid("conversations.list", team_id=SOUTH.id)
    assert {(c["context_team_id"], c["is_org_shared"]) for c in listed["channels"]} == {(SOUTH.id, True)}
    assert (await grid("team.info", team=SOUTH.id))["team"]["enterprise_id"] == GRID.id
    assert (await grid("team.info", team=TEAM))["error"] == "team_not_found"


async def test_one_workspace_of_an_organization_may_be_alone_in_having_the_app(calls: Calls) -> None:
    """The token is that workspace's, which still says to which organization it belongs."""
    who = await Bot(calls, SOUTH.id)("auth.test")
    assert (who["team_id"], who["enterprise_id"], who["is_enterprise_install"]) == (SOUTH.id, GRID.id, False)


async def test_an_organizations_people_are_the_same_in_its_workspaces(
    slack: SandboxSlack, listener: Listener, calls: Calls
) -> None:
    """Eve acts from either, each request says from which, and a view belongs to none where the app is org-wide."""
    grid, north, south = Bot(calls, GRID.id), slack.other(NORTH.id), slack.other(SOUTH.id)
    for place in (north, south):
        await place.command("Eve", "/agent status")
    forms = [heard.form for heard in listener.heard]
    assert [form["team_id"] for form in forms] == [NORTH.id, SOUTH.id]
    assert {(form["enterprise_id"], form["is_enterprise_install"]) for form in forms} == {(GRID.id, "true")}
    ts = (await grid("chat.postMessage", channel="U0EVE", text="x", blocks=[actions(button())]))["ts"]
    assert north.messages("D0EVE")[0]["ts"] == south.messages("D0EVE")[0]["ts"] == ts
    await south.click("Eve", "D0EVE", ts, "press")
    clicked = listener.heard[-1].payload
    assert (clicked["user"]["team_id"], clicked["team"]["id"]) == (SOUTH.id, SOUTH.id)
    assert (clicked["enterprise"], clicked["is_enterprise_install"]) == ({"id": GRID.id, "name": GRID.name}, True)
    await grid("views.open", trigger_id=clicked["trigger_id"], view=modal())
    await south.submit("Eve", south.view_for("Eve")["id"], {})  # type: ignore[index]
    assert listener.heard[-1].payload["team"] is None
    await south.say("Eve", "D0EVE", "hello")
    envelope = listener.heard[-1].envelope
    assert (envelope["team_id"], envelope["enterprise_id"]) == (SOUTH.id, GRID.id)
    assert envelope["authorizations"][0]["is_enterprise_install"] is True
    assert envelope["event"]["team"] == SOUTH.id


async def test_there_are_no_other_workspaces(slack: SandboxSlack) -> None:
    """A mistyped id is said at once; the first one is the sandbox itself."""
    assert slack.other(TEAM) is slack
    with pytest.raises(NoSuchThing):
        slack.other("T0NOWHERE")


async def test_each_workspace_keeps_its_own_file(tmp_path: Path, clock: HandClock, http: aiohttp.ClientSession) -> None:
    """One that nobody used has none; one that was used is there again after a restart, and answers its old urls."""
    first = SandboxSlack(tmp_path, signing_secret=SECRET, bot_token=TOKEN, clock=clock)
    await first.start()
    await first.other(SECOND.id).say("Dan", "C0GENERAL", "kept")
    key = first.other(SECOND.id).workspace.new_response_url("U0DAN", "C0GENERAL")
    await first.stop()
    assert names(tmp_path) == ["slack-T0SECOND.json", "slack-app.json", "slack.json"]
    second = SandboxSlack(tmp_path, signing_secret=SECRET, bot_token=TOKEN, clock=clock)
    await second.start()
    async with http.post(f"{second.url}/hooks/T0SECOND/{key}", json={"text": "late"}) as response:
        assert response.status == 200
    await second.stop()
    assert [m["text"] for m in second.other(SECOND.id).messages("C0GENERAL", "Dan")] == ["kept", "late"]
    assert second.messages("C0GENERAL") == []


async def test_a_workspace_that_was_installed_alone_stays_that(slack: SandboxSlack, listener: Listener) -> None:
    """Where the organization has the app too, only its other workspaces are there by that."""
    slack.install(NORTH.id)
    slack.install(GRID.id)
    for team in (NORTH, SOUTH):
        await slack.other(team.id).command("Eve", "/agent status")
    assert [heard.form["is_enterprise_install"] for heard in listener.heard] == ["false", "true"]
