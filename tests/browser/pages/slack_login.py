"""Sign in with Slack for browsers, whose app is registered at an address of the run and not at the fake's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from oauth import utc_now
from tests.fakes.slack_openid import CLIENT_ID, CLIENT_SECRET, REDIRECT, FakeSlackOpenId


class SlackLogin(FakeSlackOpenId):
    """As strict as the fake. The app is registered at the address that the first authorization request names."""

    registered: str | None = None

    async def _authorize(self, request: web.Request) -> web.Response:
        self.registered = self.registered or request.query["redirect_uri"]
        at_home = request.rel_url.update_query(redirect_uri=self._as_registered(request.query["redirect_uri"]))
        return await super()._authorize(request.clone(rel_url=at_home))

    def _back(self, redirect_uri: str, **answer: str) -> web.Response:
        return super()._back(self.registered or redirect_uri, **answer)

    def _problem(self, form: dict[str, str]) -> str | None:
        return super()._problem(form | {"redirect_uri": self._as_registered(form["redirect_uri"])})

    def _as_registered(self, address: str) -> str:
        return REDIRECT if address == self.registered else address


@asynccontextmanager
async def slack_login() -> AsyncIterator[dict[str, str]]:
    """The endpoints while they run, as settings of the bot."""
    fake = SlackLogin(utc_now)
    runner = web.AppRunner(fake.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield {
        "LINK_PROOF": "slack",
        "SLACK_OIDC_ISSUER": fake.issuer,
        "SLACK_CLIENT_ID": CLIENT_ID,
        "SLACK_CLIENT_SECRET": CLIENT_SECRET,
    }
    await runner.cleanup()
