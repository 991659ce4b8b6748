"""OAuth spelled out, with nothing of the product in it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from tests.foreign import rig
from tests.foreign.browser import Browser

CALLBACK = "http://127.0.0.1:9/oauth/callback"
ASKED = "openid profile email offline_access orders:read orders:refund"
Answer = dict[str, Any]


class Client:
    """One client of a provider."""

    def __init__(self, provider: rig.Provider, session: aiohttp.ClientSession, metadata: Mapping[str, Any]) -> None:
        self.provider = provider
        self.session = session
        self._metadata = metadata

    async def login(self, account: str, *, pkce: bool = True, choice: str = "go on") -> tuple[Mapping[str, str], str]:
        """Sign in; what came to the callback, and the verifier."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "client_id": rig.CLIENT_ID, "redirect_uri": CALLBACK, "response_type": "code", "scope": ASKED,
            "audience": rig.AUDIENCE, "state": "of-this-test", "nonce": "n-1", "prompt": "consent",
        }  # fmt: skip
        if pkce:
            query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        url = URL(self._metadata["authorization_endpoint"]).with_query(query)
        async with Browser() as browser:
            page = await browser.open(url, stop_before=CALLBACK)
            if page.forms and choice == "cancel":
                page = await browser.submit(page, stop_before=CALLBACK, choice=choice)
            page = await browser.sign_in(page, account, stop_before=CALLBACK)
        return page.url.query, verifier

    async def tokens(self, account: str) -> Answer:
        """What a whole login brings."""
        back, verifier = await self.login(account)
        status, given = await self.ask(
            grant_type="authorization_code", code=back["code"], redirect_uri=CALLBACK, code_verifier=verifier
        )
        assert status == 200, given
        return given

    async def refresh(self, token: str, scope: str | None = None, audience: str | None = None) -> tuple[int, Answer]:
        """The next tokens."""
        narrowed = {name: value for name, value in {"scope": scope, "audience": audience}.items() if value}
        return await self.ask(grant_type="refresh_token", refresh_token=token, **narrowed)

    async def revoke(self, token: str) -> int:
        """End the grant."""
        return (await self._post("revocation_endpoint", token=token))[0]

    async def ask(self, **fields: str) -> tuple[int, Answer]:
        """A call of the token endpoint."""
        return await self._post("token_endpoint", **fields)

    async def _post(self, endpoint: str, **fields: str) -> tuple[int, Answer]:
        known = {"client_id": rig.CLIENT_ID, "client_secret": rig.CLIENT_SECRET}
        async with self.session.post(self._metadata[endpoint], data=known | fields) as answer:
            return answer.status, await _read(answer)


def claims(token: str) -> Answer:
    """What is written in a JWT; the shop verifies, this only reads."""
    middle = token.split(".")[1]
    found: Answer = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return found


@asynccontextmanager
async def client(**settings: Any) -> AsyncIterator[Client]:
    """A client of a provider of its own, which is set up so."""
    async with rig.provider(CALLBACK, **settings) as provider, aiohttp.ClientSession() as session:
        metadata = await rig.got(f"{provider.issuer}/.well-known/openid-configuration")
        assert metadata["issuer"] == provider.issuer
        yield Client(provider, session, metadata)


async def _read(answer: aiohttp.ClientResponse) -> Answer:
    if answer.content_type != "application/json":
        return {}
    found: Answer = await answer.json()
    return found
