"""The live links: who is linked, how a link is made, and how it ends."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

from oauth.errors import TokenInvalid
from oauth.grants import Grant, Revoker
from oauth.models import Clock, Link, LinkEvent, LinkObserver, LinkVersion, Principal, SlackUser, Subject
from oauth.ports import LinkStore, Taken
from oauth.vault import Vault
from oauth.verify import Logout


class Links:
    """The links of all workspaces. A link that has ended is gone here at once; the provider may hear of it later."""

    def __init__(
        self, *, store: LinkStore, vault: Vault, revoker: Revoker, observer: LinkObserver, clock: Clock
    ) -> None:
        self._store = store
        self._vault = vault
        self._revoker = revoker
        self._observer = observer
        self._clock = clock

    async def principal(self, slack: SlackUser) -> Principal | None:
        """The live link of a person; one read."""
        link = await self._store.link(slack)
        return link.principal if link else None

    async def principals(self, sub: Subject | None = None) -> AsyncIterator[Principal]:
        """Everybody who is linked, or who is linked to one identity."""
        async for link in self._store.links(sub):
            yield link.principal

    async def make(self, slack: SlackUser, grant: Grant, waiting: str | None) -> Principal:
        """Link a proven person, in place of any former link, whose grant ends. Raises store.Taken.

        The entry is written before the link is made. If anything fails, the new grant is revoked.
        """
        who = grant.identity
        try:
            holder = await self._store.holder(slack.workspace, who)
            if holder is not None and holder != slack:
                raise Taken(holder)
            principal = Principal(slack, who, LinkVersion(secrets.token_hex(12)), grant.scopes, self._clock())
            event = LinkEvent(
                "link.completed", "ok", slack, who, principal=principal, scopes=grant.scopes, waiting=waiting
            )
            await self._observer.record(event)
            sealed = self._vault.seal(grant.refresh_token.encode(), record=f"link:{slack.key}", name="refresh")
            former = await self._store.put_link(Link(principal, sealed))
        except BaseException:
            await self._revoker.discard(grant.refresh_token)
            raise
        if former is not None:
            await self._ended(former, "relinked")
        await self._observer.notify(event)
        return principal

    async def unlink(self, slack: SlackUser, reason: str) -> bool:
        """End a person's link everywhere; False if there was none."""
        link = await self._store.link(slack)
        return link is not None and await self._end(link, reason)

    async def revoke_subject(self, sub: Subject, reason: str) -> int:
        """End all links of one identity; returns how many there were."""
        return sum([await self._end(link, reason) async for link in self._store.links(sub)])

    async def logged_out(self, logout: Logout) -> None:
        """The provider has logged somebody out; a logout token works once. Raises TokenInvalid."""
        if logout.sub is None:
            raise TokenInvalid("sub")
        if not await self._store.spend_logout(logout.jti, self._clock()):
            raise TokenInvalid("jti")
        await self._observer.record(LinkEvent("logout.received", "ok", reason="backchannel"))
        await self.revoke_subject(logout.sub, "logout")

    async def _end(self, link: Link, reason: str) -> bool:
        who = link.principal
        await self._observer.record(LinkEvent("link.revoked", "ok", who.slack, who.identity, reason, principal=who))
        # The token is queued for revocation before the link that holds it goes: a crash in between loses neither.
        name = await self._revoker.queue(self._refresh_token(link))
        if await self._store.remove_link(who.slack, who.version) is None:
            return False
        await self._observer.notify(LinkEvent("link.revoked", "ok", who.slack, who.identity, reason, principal=who))
        await self._revoker.finish(name)
        return True

    async def _ended(self, link: Link, reason: str) -> None:
        who = link.principal
        await self._observer.record(LinkEvent("link.revoked", "ok", who.slack, who.identity, reason, principal=who))
        await self._observer.notify(LinkEvent("link.revoked", "ok", who.slack, who.identity, reason, principal=who))
        await self._revoker.discard(self._refresh_token(link))

    def _refresh_token(self, link: Link) -> str:
        record = f"link:{link.principal.slack.key}"
        return self._vault.open(link.sealed_refresh, record=record, name="refresh").decode()
