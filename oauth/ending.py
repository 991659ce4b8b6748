"""Links that end because of what the provider says of them, each once: an entry, a notice, and no way back."""

from __future__ import annotations

import contextlib

from oauth.errors import GrantDead, GrantRefused, SealBroken, WrongOrganization
from oauth.grants import Revoker
from oauth.models import Link, LinkEvent, LinkObserver
from oauth.ports import LinkStore
from oauth.vault import Vault


class Endings:
    """Ends links."""

    def __init__(self, store: LinkStore, vault: Vault, revoker: Revoker, observer: LinkObserver) -> None:
        self._store = store
        self._vault = vault
        self._revoker = revoker
        self._observer = observer

    async def bury(self, link: Link, dead: GrantDead, refresh_token: str) -> bool:
        """The grant is dead; False if it is not: another process may have spent the token and saved."""
        who = link.principal
        there = await self._store.link(who.slack)
        if there is None or (there.principal.version, there.generation) != (who.version, link.generation):
            return False
        await self._on_record(link, dead.code)
        if not await self._store.remove_link(link):
            return False
        await self._observer.notify(LinkEvent("link.revoked", "ok", who.slack, who.identity, dead.code, principal=who))
        if isinstance(dead, GrantRefused):
            await self._revoker.discard(refresh_token)
        return True

    async def expel(self, link: Link, problem: WrongOrganization) -> None:
        """Whoever is no member of the organization any more is not linked any more."""
        who = link.principal
        await self._on_record(link, problem.code)
        there = await self._store.link(who.slack)
        if there is None or there.principal.version != who.version or not await self._store.remove_link(there):
            return
        event = LinkEvent("link.revoked", "ok", who.slack, who.identity, problem.code, principal=who)
        await self._observer.notify(event)
        with contextlib.suppress(SealBroken):
            token = self._vault.open(there.sealed_refresh, record=there.record, name="refresh").decode()
            await self._revoker.discard(token)

    async def _on_record(self, link: Link, reason: str) -> None:
        who = link.principal
        for type_, outcome in (("token.refused", "denied"), ("link.revoked", "ok")):
            await self._observer.record(LinkEvent(type_, outcome, who.slack, who.identity, reason, principal=who))
