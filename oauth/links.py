"""The live links: who is linked, how a link is made, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import structlog

from oauth.errors import (
    GrantDead,
    GrantShared,
    IdentityError,
    LinkedElsewhere,
    ProviderUnavailable,
    SealBroken,
    StateUnknown,
    StoreUnavailable,
    TokenInvalid,
)
from oauth.grants import Grant, Revoker
from oauth.models import (
    AccessToken,
    Clock,
    Link,
    LinkEvent,
    LinkObserver,
    LinkVersion,
    Principal,
    SlackUser,
    Subject,
)
from oauth.ports import LinkStore, Taken
from oauth.tickets import Stage, Ticket
from oauth.vault import Vault
from oauth.verify import Logout

log = structlog.get_logger(__name__)

_T = TypeVar("_T")
_AT_ONCE = 16
Note = tuple[str, str]


class Tokens(Protocol):
    """Hands out tokens."""

    async def token(self, principal: Principal, scopes: frozenset[str], audience: str) -> AccessToken:
        """A token that works now. Raises IdentityError; GrantDead after it has ended the link."""


class Links:
    """The links of all workspaces. A link that has ended is gone here at once; the provider may hear of it later."""

    def __init__(
        self,
        *,
        store: LinkStore,
        vault: Vault,
        revoker: Revoker,
        observer: LinkObserver,
        clock: Clock,
        tokens: Tokens,
        audience: str,
    ) -> None:
        self._store = store
        self._vault = vault
        self._revoker = revoker
        self._observer = observer
        self._clock = clock
        self._tokens = tokens
        self._audience = audience

    async def principal(self, slack: SlackUser) -> Principal | None:
        """The live link of a person; one read."""
        link = await self._store.link(slack)
        return link.principal if link else None

    async def versions(self, people: Iterable[SlackUser]) -> dict[str, LinkVersion]:
        """The versions of those links that live, by `SlackUser.key`; one read for many."""
        return await self._store.versions([slack.key for slack in people])

    async def ended(self, since: datetime) -> list[tuple[SlackUser, LinkVersion]]:
        """Whose links have ended since then, and which they were; some of them may be in the moment of ending.

        A thousand at most: whoever gets so many has to look at everybody.
        """
        return await self._store.ended(since)

    async def principals(self, sub: Subject | None = None, workspace: str | None = None) -> AsyncIterator[Principal]:
        """Everybody who is linked, or who is linked to one identity, or in one workspace."""
        async for link in self._store.links(sub=sub, workspace=workspace):
            yield link.principal

    async def make(self, slack: SlackUser, grant: Grant, version: LinkVersion, since: datetime) -> Principal:
        """Link a proven person. Raises Taken, LinkedElsewhere, GrantShared or StateUnknown; then the grant is left.

        A former link of the same person to the same identity ends, at the provider too. The entry is written before
        the link is made. A logout heard `since` the grant was asked for ends it again: it may have looked for links
        before this one was there.
        """
        who = grant.identity
        owed: list[Note] = []
        while True:
            holder = await self._store.holder(slack.workspace, who)
            if holder is not None and holder.key != slack.key:
                raise Taken(holder)
            former = await self._store.link(slack)
            if former is not None:
                if (former.principal.identity.iss, former.principal.sub) != (who.iss, who.sub):
                    raise LinkedElsewhere
                owed += await self._cut(former, "relinked") or []
            principal = Principal(slack, who, version, grant.scopes, self._clock())
            event = LinkEvent("link.completed", "ok", slack, who, principal=principal, scopes=grant.scopes)
            await self._observer.record(event)
            sealed = self._vault.seal(grant.refresh_token.encode(), record=f"link:{slack.key}", name="refresh")
            try:
                made = Link(principal, sealed, sid=grant.sid)
                await self._store.add_link(made)
            except Taken as taken:
                if taken.holder.key == slack.key:
                    continue
                raise
            if await self._store.logged_out(who.sub, grant.sid, since):
                await self._end(made, "logout")
                raise StateUnknown
            if owed:
                await self._survived(principal, owed)
            await self._observer.notify(event)
            return principal

    async def unlink(self, slack: SlackUser, reason: str) -> bool:
        """End a person's link everywhere, and a login that is under way; False if there was no link."""
        link = await self._store.link(slack)
        ended = link is not None and await self._end(link, reason)
        ticket = await self._store.ticket(slack)
        if ticket is not None:
            await self._revoker.end_ticket(ticket)
            # What waited for a link was asked before this end, and must not go on after it.
            await self._store.advance(ticket, frozenset(Stage), {"sealed_waiting": None})
        return ended

    async def revoke_subject(self, sub: Subject, reason: str) -> int:
        """End all links of one identity, and logins of it that are under way; how many links there were."""
        links = [link async for link in self._store.links(sub=sub)]
        logins = [ticket async for ticket in self._store.tickets(sub=sub)]
        return await self._end_all(links, logins, reason)

    async def _end_all(self, links: Iterable[Link], logins: Iterable[Ticket], reason: str) -> int:
        """Side by side: a provider that hangs over one must not keep the others alive."""
        ended, _ = await asyncio.gather(
            together([self._end(link, reason) for link in links]),
            together([self._revoker.end_ticket(ticket) for ticket in logins]),
        )
        return sum(ended)

    async def unlink_workspace(self, workspace: str, reason: str, *, team: str | None = None) -> int:
        """End all links, and logins under way, of a workspace that the bot has left; how many links there were.

        `team` leaves the other workspaces of an organization alone. Several at a time: each may wait for the provider.
        """
        people = {link.principal.slack async for link in self._store.links(workspace=workspace)}
        people |= {ticket.slack async for ticket in self._store.tickets(workspace=workspace)}
        return sum(await together([self.unlink(person, reason) for person in people if team in {None, person.team}]))

    async def logged_out(self, logout: Logout) -> None:
        """The provider has logged somebody out; a logout token works once. Raises TokenInvalid.

        It is spent last: if anything fails before, the provider's next try must find it unused.
        """
        if await self._store.logout_spent(logout.jti):
            raise TokenInvalid("jti")
        await self._observer.record(LinkEvent("logout.received", "ok", reason="backchannel"))
        await self._store.hear_logout(logout.jti, logout.sub, logout.sid, self._clock(), logout.until)
        whom = {"sub": logout.sub} if logout.sub is not None else {"sid": logout.sid}
        links = [link async for link in self._store.links(**whom) if _meant(link.sid, logout)]
        logins = [ticket async for ticket in self._store.tickets(**whom) if _meant(ticket.sid, logout)]
        await self._end_all(links, logins, "logout")
        if not await self._store.spend_logout(logout.jti, logout.until):
            raise TokenInvalid("jti")

    async def _survived(self, principal: Principal, owed: list[Note]) -> None:
        """Revoke what this link has replaced, and see that it was not the same grant. Raises GrantShared.

        A provider may end all that a person granted an application at once (Auth0, "Refresh Token Revocation Deletes
        Grant"; others within one session). Better to say so now than at the next action.
        """
        with contextlib.suppress(ProviderUnavailable, StoreUnavailable):  # what is noted is revoked later
            for note in owed:
                await self._revoker.finish(*note)
        try:
            await self._tokens.token(principal, frozenset(), self._audience)
        except GrantDead:
            raise GrantShared from None
        except IdentityError as unsure:
            log.info("relinked_grant_not_tried", reason=unsure.code)

    async def _end(self, link: Link, reason: str) -> bool:
        owed = await self._cut(link, reason)
        for note in owed or []:
            await self._revoker.finish(*note)
        return owed is not None

    async def _cut(self, link: Link, reason: str) -> list[Note] | None:
        """End it here; what is to be revoked at the provider, or None if it was not there any more."""
        who = link.principal
        event = LinkEvent("link.revoked", "ok", who.slack, who.identity, reason, principal=who)
        await self._observer.record(event)
        while True:
            token = self._refresh_token(link)
            # The token is queued for revocation before the link that holds it goes: a crash in between loses neither.
            note = await self._revoker.queue(token) if token else None
            if await self._store.remove_link(link):
                break
            there = await self._store.link(who.slack)
            if there is None or there.principal.version != who.version:
                return None
            link = there  # refreshed in this moment, so it is another token that has to end
        await self._observer.notify(event)
        return [(note, token)] if note and token else []

    def _refresh_token(self, link: Link) -> str | None:
        """None where it does not open: nobody can use it, and that must not keep the link alive."""
        try:
            return self._vault.open(link.sealed_refresh, record=link.record, name="refresh").decode()
        except SealBroken:
            return None


def _meant(sid: str | None, logout: Logout) -> bool:
    """A logout token that names a session ends what came of that one, and what came of none that is known.

    Without a session it ends all of its `sub` (OpenID Connect Back-Channel Logout section 2.7).
    """
    return logout.sid is None or sid == logout.sid or (sid is None and logout.sub is not None)


async def together(ends: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Several at a time, and each to its end; then the first failure is raised."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(end: Coroutine[Any, Any, _T]) -> _T:
        async with gate:
            return await end

    done = await asyncio.gather(*map(one, ends), return_exceptions=True)
    for result in done:
        if isinstance(result, BaseException):
            raise result
    return [result for result in done if not isinstance(result, BaseException)]
