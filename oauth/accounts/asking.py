"""The side of Slack: a link for whoever needs an account connected, and what they asked for, once it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from oauth import tickets
from oauth.accounts.ports import AccountStore
from oauth.accounts.tickets import OPEN_STAGES, AccountTicket, Stage
from oauth.linking import Started
from oauth.models import Clock, LinkEvent, LinkObserver, Principal, SlackProfile
from oauth.ports import LinkStore
from oauth.vault import Vault

LEFT = "account.waiting"
_KEPT = timedelta(hours=1)
# Whoever completed it hands on at once; longer than a provider may take, and then only a dead one has left it.
_LEFT_AFTER = timedelta(minutes=1)
_DONE = frozenset({Stage.DONE})


class Accounts:
    """Hands out links, and each question once."""

    def __init__(
        self,
        *,
        store: AccountStore,
        links: LinkStore,
        vault: Vault,
        observer: LinkObserver,
        clock: Clock,
        public_url: str,
    ) -> None:
        self._store = store
        self._links = links
        self._vault = vault
        self._observer = observer
        self._clock = clock
        self._public_url = public_url

    async def start(
        self, principal: Principal, profile: SlackProfile, connection: str, scopes: frozenset[str], *, waiting: str
    ) -> Started:
        """A link for the person's DM; without an address where a live one is there, which they are pointed to.

        `waiting` is what goes on by itself afterwards; it replaces what waited.
        """
        now = self._clock()
        secret = tickets.new_secret()
        ticket = AccountTicket(
            slack=principal.slack,
            profile=profile,
            connection=connection,
            scopes=scopes,
            link_version=principal.version,
            hash=tickets.hashed(secret),
            stage=Stage.OPEN,
            created_at=now,
            expires_at=now + tickets.LIFETIME,
        )
        sealed = self._vault.seal(waiting.encode("utf-8", "replace"), record=ticket.record, name="waiting")
        ticket = replace(ticket, sealed_waiting=sealed)
        while not await self._store.claim(ticket, now):
            live = await self._store.ticket(principal.slack, connection)
            if live is not None and await self._store.advance(live, OPEN_STAGES, {"sealed_waiting": sealed}):
                return Started(None, live.expires_at)
        try:
            await self._observer.record(
                LinkEvent("link.started", "ok", ticket.slack, principal.identity, ticket.reason, scopes=scopes)
            )
        except BaseException:
            # Nobody will get this link, so it must not be the one that later requests are pointed to.
            await self._end(ticket)
            raise
        return Started(f"{self._public_url}/connect/{secret}", ticket.expires_at)

    async def withdraw(self, principal: Principal, connection: str) -> None:
        """The link has not reached its person, so the next request gets another one."""
        ticket = await self._store.ticket(principal.slack, connection)
        if ticket is not None:
            await self._end(ticket)

    async def take(self, principal: Principal, connection: str) -> str | None:
        """What waited for this account, as `start` was given it; None if nothing is left. Raises SealBroken."""
        ticket = await self._store.ticket(principal.slack, connection)
        if ticket is None or ticket.link_version != principal.version or ticket.sealed_waiting is None:
            return None
        if not await self._taken(ticket):
            return None
        return self._vault.open(ticket.sealed_waiting, record=ticket.record, name="waiting").decode()

    async def sweep(self) -> None:
        """Remind of what nobody took, where its link stands; and let go of what is over.

        It is not known then whether the account was connected: whoever goes on with it finds out.
        """
        now = self._clock()
        async for ticket in self._store.unasked(now, now + tickets.LIFETIME - _LEFT_AFTER):
            link = await self._links.link(ticket.slack)
            if link is None or link.principal.version != ticket.link_version:
                await self._taken(ticket)
                continue
            who = link.principal
            await self._observer.notify(LinkEvent(LEFT, "ok", who.slack, who.identity, ticket.connection, who))
        await self._store.forget(now - _KEPT)

    async def _taken(self, ticket: AccountTicket) -> bool:
        match = {"sealed_waiting": ticket.sealed_waiting}
        return await self._store.advance(ticket, _DONE, {"sealed_waiting": None}, match=match) is not None

    async def _end(self, ticket: AccountTicket) -> None:
        await self._store.advance(ticket, {Stage.OPEN}, {"stage": Stage.VOID, "sealed_waiting": None})
