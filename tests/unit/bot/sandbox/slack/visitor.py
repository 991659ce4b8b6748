"""An app that sends browsers to Slack and exchanges what they bring back; and what is in an address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from bot.sandbox.slack import SandboxSlack
from bot.sandbox.tenant import Browser

BACK = "http://127.0.0.1:9/back"
CLIENT, CLIENT_SECRET = "1111.2222", "client-secret-of-the-tests"


class App:
    """`sign_in` and `install` are the two addresses; each is called with what should be different."""

    def __init__(self, slack: SandboxSlack, http: aiohttp.ClientSession) -> None:
        self.slack = slack
        self.http = http

    def sign_in(self, **changes: str | None) -> str:
        """Where Sign in with Slack begins."""
        asked = {"scope": "openid email profile", "response_type": "code", "nonce": "the nonce", **changes}
        return self._address("/openid/connect/authorize", asked)

    def install(self, **changes: str | None) -> str:
        """Where an installation begins."""
        return self._address("/oauth/v2/authorize", {"scope": "chat:write,users:read", **changes})

    def _address(self, path: str, changes: Mapping[str, str | None]) -> str:
        asked = {"client_id": CLIENT, "redirect_uri": BACK, "state": "the state", **changes}
        return (
            f"{self.slack.url}{path}?{urlencode({name: value for name, value in asked.items() if value is not None})}"
        )

    async def code_of(self, person: str, **changes: str | None) -> str:
        """Let somebody sign in with Slack; gives the code that their browser brought back."""
        async with Browser() as browser:
            return came_back(await browser.sign_in(self.sign_in(**changes), person))["code"]

    async def code_for(self, owner: str, **changes: str | None) -> str:
        """Let somebody install into a workspace or an organization; gives the code that their browser brought back."""
        async with Browser() as browser:
            address, _, text = await browser.submit(self.install(**changes), workspace=owner, action="accept")
            assert not text, text
            return came_back(address)["code"]

    async def installs(self, owner: str, **changes: str | None) -> dict[str, Any]:
        """The whole installation; gives Slack's answer to the app."""
        return await self.exchange("oauth.v2.access", code=await self.code_for(owner, **changes))

    async def refreshes(self, token: str) -> dict[str, Any]:
        """The answer to a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": token, "redirect_uri": None}
        return await self.exchange("oauth.v2.access", **form)

    async def exchange(self, method: str, basic: tuple[str, str] | None = None, **form: str | None) -> dict[str, Any]:
        """Call a method under the app's own name; gives the answer, whatever it is."""
        known = {} if basic else {"client_id": CLIENT, "client_secret": CLIENT_SECRET}
        sent = {name: value for name, value in {"redirect_uri": BACK, **known, **form}.items() if value is not None}
        auth = aiohttp.BasicAuth(*basic) if basic else None
        async with self.http.post(f"{self.slack.api_url}{method}", data=sent, auth=auth) as response:
            assert response.status == 200
            answer: dict[str, Any] = await response.json()
            return answer


def came_back(address: str) -> dict[str, str]:
    """The query of the address to which a browser was sent back."""
    assert address.startswith(f"{BACK}?"), address
    return dict(parse_qsl(urlsplit(address).query))
