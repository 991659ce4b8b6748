"""What people asked before they were linked. It stays in the ticket until somebody takes it, so a crash loses nothing.

Whoever speaks to people takes it once the link stands; the round of any replica reminds them of what was left behind.
"""

from __future__ import annotations

from datetime import timedelta

from oauth import tickets
from oauth.models import Clock, LinkEvent, LinkObserver, Principal
from oauth.ports import LinkStore
from oauth.tickets import Stage, Ticket
from oauth.vault import Vault

LEFT = "link.waiting"
_LEFT_AFTER = timedelta(seconds=15)  # whoever made the link takes it at once; only a dead one leaves it
_DONE = frozenset({Stage.DONE})


class Questions:
    """Hands each question out once."""

    def __init__(self, store: LinkStore, vault: Vault, observer: LinkObserver, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._observer = observer
        self._clock = clock

    async def take(self, principal: Principal) -> str | None:
        """What this person asked before this very link, as `Linking.start` was given it; None if nothing is left.

        Raises SealBroken.
        """
        ticket = await self._store.ticket(principal.slack)
        if ticket is None or ticket.link_version != principal.version or ticket.sealed_waiting is None:
            return None
        if not await self._taken(ticket):
            return None
        return self._vault.open(ticket.sealed_waiting, record=ticket.record, name="waiting").decode()

    async def sweep(self) -> None:
        """Remind of what nobody took, where its link stands."""
        ended = self._clock() + tickets.LIFETIME - _LEFT_AFTER
        async for ticket in self._store.unasked(ended):
            link = await self._store.link(ticket.slack)
            if link is None or link.principal.version != ticket.link_version:
                await self._taken(ticket)
                continue
            who = link.principal
            await self._observer.notify(LinkEvent(LEFT, "ok", who.slack, who.identity, principal=who))

    async def _taken(self, ticket: Ticket) -> bool:
        match = {"sealed_waiting": ticket.sealed_waiting}
        return await self._store.advance(ticket, _DONE, {"sealed_waiting": None}, match=match) is not None
