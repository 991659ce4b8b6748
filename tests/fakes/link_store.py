"""Links and tickets in memory, under the promises of `LinkStore`; it can be away, lose its answer, or be overtaken."""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from oauth import utc_now
from oauth.errors import StoreUnavailable
from oauth.models import Clock, Identity, Lease, Link, LinkVersion, Principal, SlackUser, Subject
from oauth.ports import StoredSecret, Taken
from oauth.records import link_document, link_secrets, ticket_document, ticket_secrets
from oauth.tickets import OPEN_STAGES, Stage, Ticket


def _step(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """One call over a network: others may come first, it may fail, or be done and its answer be lost."""

    @functools.wraps(method)
    async def step(self: MemoryLinkStore, *args: Any, **kwargs: Any) -> Any:
        name = method.__name__
        self.calls[name] += 1
        await asyncio.sleep(0)
        before = self.first.pop(name, None)
        if before is not None:
            await before()
        if self.away or self.fails.get(name, 0) > 0:
            self.fails[name] = self.fails.get(name, 0) - 1
            raise StoreUnavailable
        answer = await method(self, *args, **kwargs)
        if name in self.loses_answer_of:
            self.loses_answer_of.discard(name)
            raise StoreUnavailable
        return answer

    return step


class MemoryLinkStore:
    """As `MongoLinkStore`. Between a method's first and last line nothing is awaited, so each is one atomic step.

    `first` names what another replica does in the moment before a method; `fails`, how often it fails.
    """

    def __init__(self, clock: Clock = utc_now) -> None:
        """`clock` is the store's own."""
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self.away = False
        self.fails: dict[str, int] = {}
        self.loses_answer_of: set[str] = set()
        self.first: dict[str, Callable[[], Awaitable[object]]] = {}
        self.kept_links: dict[str, Link] = {}
        self._ended: list[tuple[datetime, SlackUser, LinkVersion]] = []
        self.kept_tickets: dict[str, Ticket] = {}
        self.kept_revocations: dict[str, tuple[str, datetime]] = {}
        self._prolonged: dict[str, datetime] = {}
        self._logouts: dict[str, datetime] = {}
        self._heard: dict[str, tuple[Subject | None, str | None, datetime]] = {}
        self._places: dict[str, list[datetime]] = {}

    @_step
    async def ensure_indexes(self) -> None:
        pass

    def dump(self) -> str:
        """Everything that it holds, as somebody would find it who stole it."""
        links = [link_document(link) for link in self.kept_links.values()]
        return repr([links, [ticket_document(t) for t in self.kept_tickets.values()], self.kept_revocations])

    # links

    @_step
    async def link(self, slack: SlackUser) -> Link | None:
        return self.kept_links.get(slack.key)

    async def versions(self, keys: list[str]) -> dict[str, LinkVersion]:
        return {key: self.kept_links[key].principal.version for key in keys if key in self.kept_links}

    async def links(
        self, *, sub: Subject | None = None, sid: str | None = None, workspace: str | None = None
    ) -> AsyncIterator[Link]:
        for link in list(self.kept_links.values()):
            who = link.principal
            if sub in {None, who.sub} and sid in {None, link.sid} and workspace in {None, who.slack.workspace}:
                yield link

    @_step
    async def holder(self, workspace: str, identity: Identity) -> SlackUser | None:
        return self._holder(workspace, identity)

    def _holder(self, workspace: str, identity: Identity) -> SlackUser | None:
        for link in self.kept_links.values():
            who = link.principal
            if (who.slack.workspace, who.identity.iss, who.sub) == (workspace, identity.iss, identity.sub):
                return who.slack
        return None

    @_step
    async def add_link(self, link: Link) -> None:
        who = link.principal
        holder = self._holder(who.slack.workspace, who.identity)
        if holder is not None or who.slack.key in self.kept_links:
            raise Taken(holder or who.slack)
        self.kept_links[who.slack.key] = link

    @_step
    async def remove_link(self, link: Link) -> bool:
        if not self._same(link):
            return False
        del self.kept_links[link.principal.slack.key]
        self._ended.append((self.clock(), link.principal.slack, link.principal.version))
        return True

    @_step
    async def ended(self, since: datetime) -> list[tuple[SlackUser, LinkVersion]]:
        return [(slack, version) for at, slack, version in self._ended if at > since][:1_000]

    @_step
    async def lease(self, principal: Principal, owner: str) -> Link | None:
        link = self.kept_links.get(principal.slack.key)
        if link is None or link.principal.version != principal.version or link.lease is not None:
            return None
        return self._leased(link, Lease(owner))

    @_step
    async def take_over(self, principal: Principal, owner: str, lasting: float) -> Link | None:
        link = self.kept_links.get(principal.slack.key)
        if link is None or link.principal.version != principal.version or link.lease is None:
            return None
        return self._leased(link, Lease(owner, left=True)) if self._over(principal.slack.key, lasting) else None

    def _leased(self, link: Link, lease: Lease) -> Link:
        key = link.principal.slack.key
        self._prolonged[key] = self.clock()
        self.kept_links[key] = replace(link, lease=lease)
        return self.kept_links[key]

    @_step
    async def prolong(self, principal: Principal, owner: str) -> bool:
        if not self._holds(principal, owner):
            return False
        self._prolonged[principal.slack.key] = self.clock()
        return True

    @_step
    async def release(self, principal: Principal, owner: str) -> None:
        key = principal.slack.key
        if self._holds(principal, owner):
            self.kept_links[key] = replace(self.kept_links[key], lease=None)

    @_step
    async def leave(self, principal: Principal, owner: str) -> None:
        key = principal.slack.key
        if self._holds(principal, owner):
            self._prolonged.pop(key)
            self.kept_links[key] = replace(self.kept_links[key], lease=Lease(owner, left=True))

    @_step
    async def left(self, lasting: float) -> list[Principal]:
        links = [link.principal for link in self.kept_links.values() if link.lease is not None]
        return [one for one in links if self._over(one.slack.key, lasting)][:100]

    def _holds(self, principal: Principal, owner: str) -> bool:
        link = self.kept_links.get(principal.slack.key)
        return link is not None and link.lease is not None and link.lease.owner == owner

    def _over(self, key: str, lasting: float) -> bool:
        prolonged = self._prolonged.get(key)
        return prolonged is None or self.clock() - prolonged >= timedelta(seconds=lasting)

    @_step
    async def save(self, link: Link) -> bool:
        if not self._same(link):
            return False
        key = link.principal.slack.key
        self.kept_links[key] = replace(
            self.kept_links[key],
            sealed_refresh=link.sealed_refresh,
            access=link.access,
            generation=link.generation + 1,
            lease=None,
        )
        return True

    @_step
    async def forget_access(self, principal: Principal, audience: str) -> None:
        link = self.kept_links.get(principal.slack.key)
        if link is not None and link.principal.version == principal.version:
            kept = tuple(one for one in link.access if one.audience != audience)
            self.kept_links[principal.slack.key] = replace(link, access=kept)

    def _same(self, link: Link) -> bool:
        there = self.kept_links.get(link.principal.slack.key)
        wanted = (link.principal.version, link.generation)
        return there is not None and (there.principal.version, there.generation) == wanted

    # tickets

    @_step
    async def put_ticket(self, ticket: Ticket) -> bool:
        return self._replace(ticket)

    @_step
    async def claim_ticket(self, ticket: Ticket, now: datetime) -> bool:
        former = self.kept_tickets.get(ticket.slack.key)
        return (former is None or not former.live(now)) and self._replace(ticket)

    def _replace(self, ticket: Ticket) -> bool:
        former = self.kept_tickets.get(ticket.slack.key)
        if former is not None and former.sealed_grant is not None and former.stage is not Stage.DONE:
            return False
        self.kept_tickets[ticket.slack.key] = ticket
        return True

    @_step
    async def ticket(self, slack: SlackUser) -> Ticket | None:
        return self.kept_tickets.get(slack.key)

    @_step
    async def ticket_by_hash(self, value: str) -> Ticket | None:
        return next((t for t in self.kept_tickets.values() if t.hash == value), None)

    @_step
    async def ticket_after(self, value: str) -> Ticket | None:
        return next((t for t in self.kept_tickets.values() if value in t.former), None)

    @_step
    async def ticket_by_state(self, value: str) -> Ticket | None:
        return next((t for t in self.kept_tickets.values() if t.state_hash == value), None)

    @_step
    async def advance(
        self,
        ticket: Ticket,
        stages: Set[Stage],
        changes: Mapping[str, Any],
        *,
        match: Mapping[str, str | int | None] | None = None,
    ) -> Ticket | None:
        there = self.kept_tickets.get(ticket.slack.key)
        if there is None or there.hash != ticket.hash or there.stage not in stages:
            return None
        if any(getattr(there, name) != value for name, value in (match or {}).items()):
            return None
        self.kept_tickets[ticket.slack.key] = replace(there, **changes)
        return there

    @_step
    async def count_guess(self, slack: SlackUser, most: int, now: datetime) -> Ticket | None:
        there = self.kept_tickets.get(slack.key)
        if there is None or there.stage is not Stage.PROVING or there.guesses >= most or there.expires_at <= now:
            return None
        self.kept_tickets[slack.key] = replace(there, guesses=there.guesses + 1)
        return self.kept_tickets[slack.key]

    async def tickets(
        self, *, workspace: str | None = None, sub: Subject | None = None, sid: str | None = None
    ) -> AsyncIterator[Ticket]:
        for ticket in list(self.kept_tickets.values()):
            wanted = ((workspace, ticket.slack.workspace), (sub, ticket.sub), (sid, ticket.sid))
            if ticket.stage in OPEN_STAGES and all(want in {None, has} for want, has in wanted):
                yield ticket

    async def unasked(self, until: datetime) -> AsyncIterator[Ticket]:
        for ticket in list(self.kept_tickets.values()):
            if ticket.stage is Stage.DONE and ticket.sealed_waiting is not None and ticket.expires_at <= until:
                yield ticket

    async def over(self, now: datetime) -> AsyncIterator[Ticket]:
        for ticket in list(self.kept_tickets.values()):
            if ticket.sealed_grant is not None and (ticket.expires_at <= now or ticket.stage is Stage.VOID):
                yield ticket

    @_step
    async def take_place(self, name: str, most: int, now: datetime, until: datetime) -> bool:
        taken = [end for end in self._places.get(name, []) if end > now]
        free = len(taken) < most
        self._places[name] = [*taken, until] if free else taken
        return free

    @_step
    async def forget(self, before: datetime) -> None:
        for key, ticket in list(self.kept_tickets.items()):
            if ticket.expires_at < before and ticket.sealed_grant is None:
                del self.kept_tickets[key]
        self._ended = [one for one in self._ended if one[0] >= before]
        self._logouts = {jti: until for jti, until in self._logouts.items() if until >= before}
        self._places = {name: ends for name, ends in self._places.items() if max(ends) >= before}

    # revocations

    @_step
    async def queue_revocation(self, name: str, sealed: str, due: datetime) -> None:
        assert name not in self.kept_revocations
        self.kept_revocations[name] = (sealed, due)

    @_step
    async def revocations(self, now: datetime) -> list[tuple[str, str]]:
        noted = sorted(self.kept_revocations.items(), key=lambda item: item[1][1])
        return [(name, sealed) for name, (sealed, due) in noted if due <= now][:100]

    @_step
    async def put_off(self, name: str, due: datetime) -> None:
        if name in self.kept_revocations:
            self.kept_revocations[name] = (self.kept_revocations[name][0], due)

    @_step
    async def revoked(self, name: str) -> None:
        self.kept_revocations.pop(name, None)

    @_step
    async def logout_spent(self, jti: str) -> bool:
        return jti in self._logouts

    @_step
    async def hear_logout(self, jti: str, sub: Subject | None, sid: str | None, now: datetime, until: datetime) -> None:
        self._heard.setdefault(jti, (sub, sid, now))

    @_step
    async def logged_out(self, sub: Subject, sid: str | None, since: datetime) -> bool:
        heard = [(whose, which) for whose, which, at in self._heard.values() if at >= since]
        return any(
            (which is None and whose == sub) or (sid is not None and which == sid) or (sid is None and whose == sub)
            for whose, which in heard
        )

    @_step
    async def spend_logout(self, jti: str, until: datetime) -> bool:
        if jti in self._logouts:
            return False
        self._logouts[jti] = until
        return True

    # sealing under another key

    async def secrets(self) -> AsyncIterator[StoredSecret]:
        for link in list(self.kept_links.values()):
            for secret in link_secrets(link_document(link)):
                yield secret
        for ticket in list(self.kept_tickets.values()):
            for secret in ticket_secrets(ticket_document(ticket)):
                yield secret
        for name, (sealed, _) in list(self.kept_revocations.items()):
            yield StoredSecret(("revocations", name, "sealed"), f"revocation:{name}", "refresh", sealed)

    @_step
    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        collection, key, path = secret.place
        if collection == "revocations":
            note = self.kept_revocations.get(key)
            if note is None or note[0] != secret.sealed:
                return False
            self.kept_revocations[key] = (sealed, note[1])
            return True
        if collection == "tickets":
            ticket = self.kept_tickets.get(key)
            if ticket is None or getattr(ticket, path) != secret.sealed:
                return False
            self.kept_tickets[key] = replace(ticket, **{path: sealed})
            return True
        return self._swap_in_link(key, path, secret.sealed, sealed)

    def _swap_in_link(self, key: str, path: str, former: str, sealed: str) -> bool:
        link = self.kept_links.get(key)
        if link is None:
            return False
        if path == "refresh":
            same = link.sealed_refresh == former
            changed = replace(link, sealed_refresh=sealed)
        else:
            at = int(path.split(".")[1])
            same = at < len(link.access) and link.access[at].sealed == former
            access = [replace(a, sealed=sealed) if n == at else a for n, a in enumerate(link.access)]
            changed = replace(link, access=tuple(access))
        if same:
            self.kept_links[key] = changed
        return same
