"""A grant on its way to a link, and its end: revoked at the provider itself, and noted until that is done."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field

from oauth.errors import ProviderUnavailable, SealBroken
from oauth.models import Clock, Identity, Subject
from oauth.ports import LinkStore
from oauth.provider import Provider
from oauth.vault import Vault

_FIELD = "refresh"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login brought, while it waits for its proof."""

    identity: Identity
    refresh_token: str = field(repr=False)
    scopes: frozenset[str]

    def to_bytes(self) -> bytes:
        """For sealing."""
        who = self.identity
        fields = [who.iss, who.sub, who.email, who.name, who.org, self.refresh_token, sorted(self.scopes)]
        return json.dumps(fields).encode()

    @classmethod
    def from_bytes(cls, plain: bytes) -> Grant:
        """What `to_bytes` wrote."""
        iss, sub, email, name, org, refresh_token, scopes = json.loads(plain)
        return cls(Identity(iss, Subject(sub), email, name, org), refresh_token, frozenset(scopes))


class Revoker:
    """Revokes refresh tokens. A provider that is down only delays it."""

    def __init__(self, store: LinkStore, vault: Vault, provider: Provider, clock: Clock) -> None:
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
            await self.finish(await self.queue(refresh_token))

    async def finish(self, name: str) -> None:
        """Try one of those that are noted."""
        await self._try(await self._store.revocations(name))

    async def sweep(self) -> None:
        """Try what is still open; for the periodic round of every replica."""
        await self._try(await self._store.revocations())

    async def _try(self, noted: list[tuple[str, str]]) -> None:
        for name, sealed in noted:
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
