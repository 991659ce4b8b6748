"""Installing the app with OAuth, in one workspace after the other and in a whole organization."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import APP, GRID, NORTH, SECOND, NoSuchThing, Registration, SandboxSlack
from bot.sandbox.tenant import Browser, PageRefused
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import SECRET, TOKEN, Calls
from tests.unit.bot.sandbox.slack.visitor import BACK, CLIENT, CLIENT_SECRET, App, came_back

ACCESS = "oauth.v2.access"
EVERYWHERE = ["T0COUNTER", "T0SECOND", "T0NORTH", "T0SOUTH", "E0GRID"]


def offered(page: str) -> list[str]:
    """The values of all choices, in order."""
    return re.findall(r'name="workspace" value="([^"]+)"', page)


async def test_a_second_workspace_is_installed_into(app: App, calls: Calls) -> None:
    """The answer is Slack's to the letter, and the token is that workspace's."""
    answer = await app.installs(SECOND.id)
    token = answer.pop("access_token")
    assert re.fullmatch(r"xoxb-\d+-[\w-]+", token)
    assert answer == {
        "ok": True,
        "app_id": APP,
        "authed_user": {"id": "U0BOB"},
        "scope": "chat:write,users:read",
        "token_type": "bot",
        "bot_user_id": SECOND.bot_user,
        "team": {"id": "T0SECOND", "name": "Second"},
        "enterprise": None,
        "is_enterprise_install": False,
    }
    _, headers, who = await calls.raw("auth.test", {}, token=token)
    assert (who["team_id"], headers["X-OAuth-Scopes"]) == ("T0SECOND", "chat:write,users:read")
    assert (await calls.raw("team.info", {}, token=token))[2]["error"] == "missing_scope"
    assert (await calls.ok("auth.test"))["team_id"] == "T0COUNTER"


async def test_an_organization_is_installed_into_as_a_whole(app: App, calls: Calls) -> None:
    """There is no team, and the install says that it is an organization's."""
    answer = await app.installs(GRID.id)
    assert (answer["team"], answer["enterprise"]) == (None, {"id": "E0GRID", "name": "Grid"})
    assert (answer["is_enterprise_install"], answer["bot_user_id"]) == (True, NORTH.bot_user)
    who = (await calls.raw("auth.test", {}, token=answer["access_token"]))[2]
    assert (who["enterprise_id"], who["is_enterprise_install"]) == ("E0GRID", True)


async def test_a_workspace_of_an_organization_is_installed_into_alone(app: App) -> None:
    """Then there is a team, and the organization beside it; once the organization has the app, it cannot be."""
    answer = await app.installs(NORTH.id)
    assert (answer["team"]["id"], answer["enterprise"]["id"]) == ("T0NORTH", "E0GRID")
    assert answer["is_enterprise_install"] is False
    await app.installs(GRID.id)
    assert (await app.installs(NORTH.id))["error"] == "cannot_install_an_org_installed_app"


@pytest.mark.parametrize("owner", [SECOND.id, GRID.id])
async def test_bolts_own_flow_can_install(app: App, owner: str) -> None:
    """The library that most bots use finds everything that it looks for, in a workspace and in an organization."""
    client = AsyncWebClient(base_url=app.slack.api_url)
    settings = AsyncOAuthSettings(client_id=CLIENT, client_secret=CLIENT_SECRET, redirect_uri=BACK)
    flow = AsyncOAuthFlow(client=client, settings=settings)
    installation = await flow.run_installation(await app.code_for(owner))
    assert installation is not None
    assert installation.is_enterprise_install is (owner == GRID.id)
    assert owner in (installation.team_id, installation.enterprise_id)
    assert installation.bot_id in (SECOND.bot, NORTH.bot)
    assert installation.bot_token is not None


async def test_whoever_cancels_installs_nothing(app: App) -> None:
    """The app hears access_denied, with its state."""
    async with Browser() as browser:
        answer = came_back((await browser.submit(app.install(), action="cancel"))[0])
    assert answer == {"error": "access_denied", "state": "the state"}
    assert app.slack.installations.installed.keys() == {"T0COUNTER"}


async def test_every_workspace_and_every_organization_is_offered(app: App) -> None:
    """One that was asked for is chosen beforehand; looking makes none of them."""
    async with Browser() as browser:
        page = (await browser.open(app.install(team="T0SECOND")))[1]
        assert offered(page) == EVERYWHERE
        assert re.findall(r'value="([^"]+)" required checked', page) == ["T0SECOND"]
        assert "T0SECOND:U0DAN" not in (await browser.open(app.sign_in()))[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": "3333.4444"}, "invalid_client_id"),
        ({"redirect_uri": "https://evil.example/"}, "did not match any configured URIs"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "chat:write,<b>"}, "invalid_scope"),
    ],
)
async def test_a_request_that_is_not_in_order_goes_nowhere(
    app: App, changes: dict[str, str | None], words: str
) -> None:
    """The person is told, and nobody is sent back."""
    async with Browser() as browser:
        with pytest.raises(PageRefused) as refused:
            await browser.open(app.install(**changes))
    assert words in refused.value.text


async def test_a_place_that_is_not_offered_cannot_be_chosen(app: App) -> None:
    """Whatever the form says."""
    async with Browser() as browser:
        for place in ("T0NOWHERE", "T0SECOND:U0DAN", ""):
            assert (await browser.submit(app.install(), workspace=place, action="accept"))[1] == 400


async def test_codes_of_the_two_pages_are_not_each_others(app: App) -> None:
    """A sign-in installs nothing, and an install signs nobody in."""
    signed_in = await app.code_of("T0COUNTER:U0ADA")
    installed = await app.code_for(SECOND.id)
    assert (await app.exchange(ACCESS, code=signed_in))["error"] == "oauth_authorization_url_mismatch"
    assert (await app.exchange("openid.connect.token", code=installed))["error"] == "oauth_authorization_url_mismatch"


async def test_an_exchange_needs_the_app_and_a_fresh_code(app: App, clock: HandClock) -> None:
    """As for a sign-in: the app's secret, one use, ten minutes."""
    code = await app.code_for(SECOND.id)
    assert (await app.exchange(ACCESS, code=code, client_secret="wrong"))["error"] == "bad_client_secret"
    assert (await app.exchange(ACCESS, code=code))["ok"]
    assert (await app.exchange(ACCESS, code=code))["error"] == "invalid_code"
    old = await app.code_for(SECOND.id)
    clock.forward(minutes=10)
    assert (await app.exchange(ACCESS, code=old))["error"] == "invalid_code"
    assert (await app.exchange(ACCESS, grant_type="password"))["error"] == "invalid_grant_type"


async def test_installing_again_adds_scopes_to_the_one_token(app: App, calls: Calls) -> None:
    """Without rotation a workspace has one token, also where it was given from outside; scopes only add up."""
    first = await app.installs(SECOND.id)
    again = await app.installs(SECOND.id, scope="users:read,team:read")
    assert again["access_token"] == first["access_token"]
    assert again["scope"] == "chat:write,users:read,team:read"
    assert (await calls.raw("team.info", {}, token=first["access_token"]))[2]["ok"]
    assert (await app.installs("T0COUNTER"))["access_token"] == TOKEN


async def test_without_a_token_from_outside_nothing_is_installed(
    tmp_path: Path, clock: HandClock, http: aiohttp.ClientSession
) -> None:
    """The first workspace is installed into like any other."""
    registration = Registration(CLIENT, CLIENT_SECRET, (BACK,))
    slack = SandboxSlack(tmp_path, signing_secret=SECRET, clock=clock, registration=registration)
    await slack.start()
    try:
        calls = Calls(slack, http)
        assert await calls.error("auth.test") == "invalid_auth"
        token = (await App(slack, http).installs("T0COUNTER"))["access_token"]
        assert (await calls.raw("auth.test", {}, token=token))[2]["ok"]
    finally:
        await slack.stop()


async def test_a_test_may_install_without_a_browser(slack: SandboxSlack, calls: Calls) -> None:
    """The same as the pages do, in one line; a mistyped place is said at once."""
    token = slack.install(SECOND.id).access_token
    assert (await calls.raw("team.info", {}, token=token))[2]["team"]["id"] == "T0SECOND"
    assert slack.installations.installed[SECOND.id].installer == "U0BOB"
    with pytest.raises(NoSuchThing):
        slack.install("T0NOWHERE")


async def test_what_was_installed_outlives_a_restart(
    tmp_path: Path, clock: HandClock, http: aiohttp.ClientSession
) -> None:
    """Its tokens go on; the one from outside is whatever the next start is given."""
    tokens: list[Any] = []
    for given in ("xoxb-first", "xoxb-second"):
        slack = SandboxSlack(tmp_path, signing_secret=SECRET, bot_token=given, clock=clock)
        await slack.start()
        try:
            tokens.append(slack.install(SECOND.id).access_token)
            calls = Calls(slack, http)
            assert (await calls.raw("users.info", {"user": "U0DAN"}, token=tokens[0]))[2]["ok"]
            assert (await calls.raw("auth.test", {}, token=given))[2]["team_id"] == "T0COUNTER"
            former = (await calls.raw("auth.test", {}, token="xoxb-first"))[2]
            assert former["ok"] is (given == "xoxb-first")
        finally:
            await slack.stop()
    assert tokens[0] == tokens[1]
