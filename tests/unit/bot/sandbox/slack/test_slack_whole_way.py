"""From the installation in a second workspace to its end, as an app goes that way."""

from __future__ import annotations

from bot.sandbox.slack import SandboxSlack
from bot.sandbox.tenant import Browser
from tests.unit.bot.sandbox.slack.listener import Calls, Listener
from tests.unit.bot.sandbox.slack.test_slack_identity import claims
from tests.unit.bot.sandbox.slack.visitor import App, came_back


async def test_an_app_comes_meets_somebody_and_goes(
    slack: SandboxSlack, app: App, calls: Calls, listener: Listener
) -> None:
    """Install, sign in, deactivate, uninstall: each step is seen by the app, and by what Slack then answers."""
    second = slack.other("T0SECOND")
    async with Browser() as browser:
        address, _, _ = await browser.submit(app.install(), workspace="T0SECOND", action="accept")
        token = (await app.exchange("oauth.v2.access", code=came_back(address)["code"]))["access_token"]
        address = await browser.sign_in(app.sign_in(team="T0SECOND"), "T0SECOND:U0BOB")
        answer = await app.exchange("openid.connect.token", code=came_back(address)["code"])
    assert (await claims(app, answer))["https://slack.com/team_id"] == "T0SECOND"
    await second.deactivate("U0BOB")
    assert (await calls.raw("users.info", {"user": "U0BOB"}, token))[2]["user"]["deleted"] is True
    await second.uninstall()
    assert (await calls.raw("auth.test", {}, token))[2]["error"] == "account_inactive"
    heard = [heard.envelope["event"]["type"] for heard in listener.heard]
    assert heard == ["user_change", "tokens_revoked", "app_uninstalled"]
