"""Token rotation: bot tokens that expire, and refresh tokens for one use."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.errors import SlackTokenRotationError
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import GRID, SECOND, Registration, SandboxSlack
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import SECRET, Calls
from tests.unit.bot.sandbox.slack.visitor import BACK, CLIENT, CLIENT_SECRET, App

ACCESS = "oauth.v2.access"


@pytest.fixture
def rotating(app: App) -> App:
    """The app with its setting switched on."""
    app.slack.registration.rotates = True
    return app


async def said(calls: Calls, token: str) -> str:
    """What auth.test says to this token: the workspace, or the error."""
    answer = (await calls.raw("auth.test", {}, token=token))[2]
    return str(answer["team_id"] if answer["ok"] else answer["error"])


async def test_a_rotating_token_lives_for_twelve_hours(rotating: App, calls: Calls, clock: HandClock) -> None:
    """It says so, looks so, and is refused with its own error afterwards."""
    answer = await rotating.installs(SECOND.id)
    assert re.fullmatch(r"xoxe\.xoxb-1-[\w-]+", answer["access_token"])
    assert re.fullmatch(r"xoxe-1-[\w-]+", answer["refresh_token"])
    assert answer["expires_in"] == 43200
    clock.forward(seconds=43199)
    assert await said(calls, answer["access_token"]) == "T0SECOND"
    clock.forward(seconds=1)
    assert await said(calls, answer["access_token"]) == "token_expired"


async def test_a_refresh_gives_a_new_pair_in_the_shape_of_an_install(rotating: App, calls: Calls) -> None:
    """The same fields with two new tokens; the former access token goes on until it expires."""
    first = await rotating.installs(GRID.id)
    second = await rotating.refreshes(first["refresh_token"])
    assert second.keys() == first.keys()
    assert {name for name in first if first[name] != second[name]} == {"access_token", "refresh_token"}
    assert [await said(calls, answer["access_token"]) for answer in (first, second)] == ["E0GRID", "E0GRID"]


async def test_a_refresh_token_is_for_one_use(rotating: App, calls: Calls) -> None:
    """A second use is refused, as one of a token that never was; what the first one gave goes on."""
    first = await rotating.installs(SECOND.id)
    second = await rotating.refreshes(first["refresh_token"])
    for spent in (first["refresh_token"], "xoxe-1-guess", ""):
        assert await rotating.refreshes(spent) == {"ok": False, "error": "invalid_refresh_token"}
    assert await said(calls, second["access_token"]) == "T0SECOND"
    assert (await rotating.refreshes(second["refresh_token"]))["ok"]


async def test_no_more_than_two_tokens_are_alive(rotating: App, calls: Calls) -> None:
    """Whoever refreshes early and often loses the oldest one."""
    answers = [await rotating.installs(SECOND.id)]
    for _ in range(2):
        answers.append(await rotating.refreshes(answers[-1]["refresh_token"]))
    said_to = [await said(calls, answer["access_token"]) for answer in answers]
    assert said_to == ["token_revoked", "T0SECOND", "T0SECOND"]


async def test_a_refresh_token_needs_the_app_itself(rotating: App) -> None:
    """Somebody else's secret does not even spend it."""
    first = await rotating.installs(SECOND.id)
    stolen = await rotating.exchange(
        ACCESS, grant_type="refresh_token", refresh_token=first["refresh_token"], client_secret="wrong"
    )
    assert stolen["error"] == "bad_client_secret"
    assert (await rotating.refreshes(first["refresh_token"]))["ok"]


async def test_a_lost_answer_has_spent_the_token(rotating: App) -> None:
    """The hardest failure of a rotation: the new pair exists, and the app never saw it."""
    first = await rotating.installs(SECOND.id)
    rotating.slack.fail(ACCESS, "lost")
    with pytest.raises(aiohttp.ClientError):
        await rotating.refreshes(first["refresh_token"])
    assert (await rotating.refreshes(first["refresh_token"]))["error"] == "invalid_refresh_token"


async def test_without_the_setting_tokens_stay(app: App, calls: Calls, clock: HandClock) -> None:
    """There is nothing to refresh with; switched on later, the next install begins to rotate."""
    answer = await app.installs(SECOND.id)
    assert answer.keys().isdisjoint({"refresh_token", "expires_in"})
    clock.forward(days=400)
    assert await said(calls, answer["access_token"]) == "T0SECOND"
    app.slack.registration.rotates = True
    assert (await app.installs(SECOND.id))["expires_in"] == 43200


async def test_slacks_own_rotator_can_rotate(rotating: App, calls: Calls) -> None:
    """The SDK's, which many bots use: it gets the next pair once, and an error for a spent one."""
    answer = await rotating.installs(SECOND.id)
    client = AsyncWebClient(base_url=rotating.slack.api_url)
    rotator = AsyncTokenRotator(client_id=CLIENT, client_secret=CLIENT_SECRET, client=client)
    bot = Bot(
        bot_token=answer["access_token"],
        bot_id=SECOND.bot,
        bot_user_id=SECOND.bot_user,
        bot_refresh_token=answer["refresh_token"],
        bot_token_expires_at=0,
        installed_at=0.0,
    )
    rotated = await rotator.perform_bot_token_rotation(bot=bot)
    assert rotated is not None
    assert await said(calls, str(rotated.bot_token)) == "T0SECOND"
    with pytest.raises(SlackTokenRotationError):
        await rotator.perform_bot_token_rotation(bot=bot)


async def test_rotation_outlives_a_restart(tmp_path: Path, clock: HandClock, http: aiohttp.ClientSession) -> None:
    """What was spent stays spent, what was ended stays ended, and what was not goes on."""
    refresh = []
    access = []
    for _ in range(2):
        registration = Registration(CLIENT, CLIENT_SECRET, (BACK,), rotates=True)
        slack = SandboxSlack(tmp_path, signing_secret=SECRET, clock=clock, registration=registration)
        await slack.start()
        try:
            app = App(slack, http)
            answer = await (app.refreshes(refresh[-1]) if refresh else app.installs(SECOND.id))
            assert answer["ok"], answer
            refresh.append(answer["refresh_token"])
            access.append(answer["access_token"])
            assert [await said(Calls(slack, http), token) for token in access] == ["T0SECOND"] * len(access)
            if len(refresh) == 2:
                assert (await app.refreshes(refresh[0]))["error"] == "invalid_refresh_token"
        finally:
            await slack.stop()
