"""What a user would write otherwise: a Motor look-up, and authlib's own client for each request."""

from __future__ import annotations

import secrets
import time
from typing import Any

from authlib.integrations.httpx_client import AsyncOAuth2Client

from bot.database import Database
from tests.faults.replica import Given


class NaiveClient:
    """Tokens in the clear in a collection of their own; refreshed by whoever finds them expired."""

    def __init__(self, database: Database, given: Given) -> None:
        self._tokens = database["naive"]
        self._given = given

    async def keep(self, key: str, refresh_token: str, *, seconds: int) -> None:
        """What a login would have brought, with an access token that is valid for so long yet."""
        tokens = {"access_token": secrets.token_urlsafe(285), "refresh_token": refresh_token}
        token = tokens | {"token_type": "Bearer", "expires_at": int(time.time()) + seconds}
        await self._tokens.replace_one({"_id": key}, {"token": token}, upsert=True)

    async def token(self, key: str) -> str:
        """The access token. Raises what authlib raises."""
        found = await self._tokens.find_one({"_id": key})
        assert found is not None

        async def save(token: dict[str, Any], **_: Any) -> None:
            await self._tokens.update_one({"_id": key}, {"$set": {"token": dict(token)}})

        async with AsyncOAuth2Client(
            self._given.client_id,
            self._given.client_secret,
            token_endpoint_auth_method="client_secret_post",
            token_endpoint=f"{self._given.issuer}token",
            token=found["token"],
            update_token=save,
        ) as oauth:
            await oauth.ensure_active_token(oauth.token)
            return str(oauth.token["access_token"])
