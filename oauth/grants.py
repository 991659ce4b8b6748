"""The end of a grant: revoked at the provider itself, and remembered until the provider has done it."""

from __future__ import annotations

import secrets

from oauth.errors import ProviderUnavailable, SealBroken
from oauth.models import Clock
from oauth.provider import Provider
from oauth.store import MongoLinkStore
from oauth.vault import Vault

_FIELD = "refresh"


class Revoker:
    """Revokes refresh tokens. A provider that is down only delays it."""

    def __init__(self, store: MongoLinkStore, vault: Vault, provider: Provider, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._provider = provider
        self._clock = clock

    async def queue(self, refresh_token: str) -> str:
        """Remember a token that must end, before anything forgets it; returns the name of the note."""
        name = secrets.token_hex(12)
        sealed = self._vault.seal(refresh_token.encode(), record=f"revocation:{name}", name=_FIELD)
        await self._store.queue_revocation(name, sealed, self._clock())
        return name

    async def discard(self, refresh_token: str | None) -> None:
        """Remember, then try at once."""
        if refresh_token:
            name = await self.queue(refresh_token)
            await self._revoke(name, refresh_token)

    async def sweep(self) -> None:
        """Try what is still open; for the periodic round of every replica."""
        for name, sealed in await self._store.revocations():
            try:
                token = self._vault.open(sealed, record=f"revocation:{name}", name=_FIELD).decode()
            except SealBroken:
                continue  # its key is gone; an operator may bring it back
            await self._revoke(name, token)

    async def _revoke(self, name: str, token: str) -> None:
        try:
            await self._provider.revoke(token)
        except ProviderUnavailable:
            return
        await self._store.revoked(name)
