"""Bot tokens that end are exchanged in time, by one replica at a time (docs.slack.dev, "Using token rotation")."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

import structlog
from slack_sdk.errors import SlackTokenRotationError
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from handlers.installs.records import Installed
from handlers.installs.store import MongoInstallationStore
from handlers.workspace import reason_of
from oauth import Clock, Vault

log = structlog.get_logger(__name__)

AHEAD = timedelta(hours=2)
LEASE = timedelta(seconds=15)  # longer than Slack's client waits for an answer
_ANY = 1_000_000_000  # minutes: whether it is time is decided here, by our clock
_LOOKS, _PAUSE = 40, 0.1


class Rotation:
    """Renews bot tokens. A refresh token works once, so it is spent under a lease in the database."""

    def __init__(self, store: MongoInstallationStore, rotator: AsyncTokenRotator, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._rotator = rotator
        self._vault = vault
        self._clock = clock

    async def see_to(self) -> None:
        """Renew all that end within two hours, so that nobody has to wait for it."""
        for key in await self._store.ending(self._clock() + AHEAD):
            await self.renewed(key, AHEAD)

    async def renewed(self, key: str, within: timedelta) -> Installed | None:
        """The installation with tokens that do not end `within` this time, if they can be had.

        One whose tokens go on ends no call: where Slack refuses, the old one is given back while it lasts.
        """
        for _ in range(_LOOKS):
            found = await self._store.find([key])
            if found is None or found.expires_at is None or found.expires_at > self._clock() + within:
                return found
            # Between Slack's answer and our save nothing may be cancelled: the old refresh token is spent by then.
            # What comes of it is taken as it is: tokens that end soon by Slack's own will are no reason to ask again.
            if await asyncio.shield(self._spend(found)):
                return await self._store.find([key])
            if found.expires_at > self._clock():
                return found
            await asyncio.sleep(_PAUSE)
        return None

    async def _spend(self, found: Installed) -> bool:
        """Whether there is something new to be read."""
        owner, now = secrets.token_hex(8), self._clock()
        leased = await self._store.lease(found.key, owner, now, now + LEASE)
        if leased is None:
            return False
        try:
            if leased.generation != found.generation:
                return True
            bot = await self._rotator.perform_bot_token_rotation(
                bot=leased.as_bot(self._vault), minutes_before_expiration=_ANY
            )
            if bot is None:
                return False
            return await self._store.rotated(leased, bot)
        except SlackTokenRotationError as refused:
            log.error("bot_token_not_renewed", install=found.key, error=str(reason_of(refused.api_error))[:64])
            return False
        finally:
            await self._store.release(found.key, owner)
