"""A grant on its way to a link, and its end: revoked at the provider itself, and noted until that is done."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from oauth.errors import ProviderUnavailable, SealBroken, StoreUnavailable
from oauth.models import Clock, Identity, Subject
from oauth.ports import LinkStore
from oauth.provider import Provider
from oauth.tickets import OPEN_STAGES, Stage, Ticket
from oauth.vault import Vault

_FIELD = "refresh"
# Whoever notes a token tries at once; the sweep of any replica comes after that, and leaves the provider in peace.
_FIRST = timedelta(seconds=15)
_AGAIN = timedelta(minutes=1)
_UNREADABLE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login brought, while it waits for its proof. `sid` is the session at the provider."""

    identity: Identity
    refresh_token: str = field(repr=False)
    scopes: frozenset[str]
    sid: str | None = None

    def to_bytes(self) -> bytes:
        """For sealing."""
        who = self.identity
        fields = [who.iss, who.sub, who.email, who.name, who.org, self.refresh_token, sorted(self.scopes), self.sid]
        return json.dumps(fields).encode()

    @classmethod
    def from_bytes(cls, plain: bytes) -> Grant:
        """What `to_bytes` wrote."""
        iss, sub, email, name, org, refresh_token, scopes, sid = json.loads(plain)
        return cls(Identity(iss, Subject(sub), email, name, org), refresh_token, frozenset(scopes), sid)


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
        await self._store.queue_revocation(name, sealed, self._clock() + _FIRST)
        return name

    async def finish(self, name: str, refresh_token: str) -> bool:
        """Revoke what was noted; False if it must be tried again."""
        try:
            await self._provider.revoke(refresh_token)
        except ProviderUnavailable as away:
            pause = timedelta(seconds=away.retry_after) if away.retry_after else _AGAIN
            await self._store.put_off(name, self._clock() + max(pause, _AGAIN))
            return False
        await self._store.revoked(name)
        return True

    async def discard(self, refresh_token: str | None) -> None:
        """Remember, then try at once; without the store it is tried only, and that failing, StoreUnavailable raised."""
        if not refresh_token:
            return
        try:
            note = await self.queue(refresh_token)
        except StoreUnavailable as away:
            try:
                await self._provider.revoke(refresh_token)
            except ProviderUnavailable:
                raise away from None
        else:
            await self.finish(note, refresh_token)

    async def sweep(self) -> None:
        """Try what is still open; for the periodic round of every replica. One failure ends the round."""
        for name, sealed in await self._store.revocations(self._clock()):
            try:
                token = self._vault.open(sealed, record=f"revocation:{name}", name=_FIELD).decode()
            except SealBroken:  # its key is gone; an operator may bring it back
                await self._store.put_off(name, self._clock() + _UNREADABLE)
                continue
            if not await self.finish(name, token):
                return

    async def end_ticket(self, ticket: Ticket) -> None:
        """Make a ticket void and end the grant that waits in it."""
        former = await self._store.advance(ticket, OPEN_STAGES, {"stage": Stage.VOID})
        await self.end_grant(former or ticket)

    async def end_login(self, ticket: Ticket) -> None:
        """End the grant that waits in a ticket for its proof, if it waits yet; the link can be used again."""
        match = {"sealed_grant": ticket.sealed_grant}
        proving = {Stage.PROVING}
        if ticket.stage in proving and not await self._store.advance(
            ticket, proving, {"stage": Stage.RETURNED}, match=match
        ):
            return  # somebody has taken it, to link it or to end it
        await self.end_grant(ticket)

    async def end_grant(self, ticket: Ticket) -> None:
        """End the grant in a ticket that leads to no link any more.

        It leaves the ticket only when it is noted here, so a crash in between leaves it to the sweep.
        """
        if ticket.sealed_grant is None:
            return
        try:
            plain = self._vault.open(ticket.sealed_grant, record=ticket.record, name="grant")
        except SealBroken:
            plain = None  # nobody can use it either
        if plain is not None:
            await self.discard(Grant.from_bytes(plain).refresh_token)
        await self.clear_grant(ticket)

    async def clear_grant(self, ticket: Ticket) -> None:
        """The grant in this ticket has found its end, or its link."""
        match = {"sealed_grant": ticket.sealed_grant}
        await self._store.advance(ticket, frozenset(Stage), {"sealed_grant": None}, match=match)
