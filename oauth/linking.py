"""Linking a Slack person to a verified identity: start, go on, return, prove.

A login link alone links nobody. Whoever signed in must also show that they are the Slack person: see `proving`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from oauth import tickets
from oauth.errors import IdentityError, StateUnknown, TicketUnknown, TicketUsed, WrongBrowser
from oauth.grants import Revoker
from oauth.logins import Logins
from oauth.models import Clock, Identity, LinkEvent, LinkObserver, Principal, SlackProfile, SlackUser
from oauth.ports import LinkStore
from oauth.proving import Proving, Returned
from oauth.tickets import OPEN_STAGES, Stage, Ticket
from oauth.vault import Vault

_KEPT = timedelta(days=1)
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Started:
    """A login link for a DM. `url` is None where an earlier link is live: the person is pointed to that one."""

    url: str | None = field(repr=False)
    expires_at: datetime


class Linking:
    """The use cases. Each takes the Slack person from a signed payload, or a browser's own secrets."""

    def __init__(
        self,
        *,
        store: LinkStore,
        vault: Vault,
        logins: Logins,
        proving: Proving,
        revoker: Revoker,
        observer: LinkObserver,
        clock: Clock,
        public_url: str,
        scopes: tuple[str, ...],
    ) -> None:
        self._store = store
        self._vault = vault
        self._logins = logins
        self._proving = proving
        self._revoker = revoker
        self._observer = observer
        self._clock = clock
        self._public_url = public_url
        self.scopes = scopes

    async def start(
        self, slack: SlackUser, profile: SlackProfile, *, waiting: str | None = None, fresh: bool = False
    ) -> Started:
        """A link for the person's DM. With `fresh` always a new one, which ends any earlier.

        Without it a live one stays, and `waiting`, what goes on by itself after linking, replaces what waited.
        """
        now = self._clock()
        secret = tickets.new_secret()
        ticket = Ticket(slack, profile, tickets.hashed(secret), Stage.OPEN, now, now + tickets.LIFETIME)
        if waiting is not None:
            sealed = self._vault.seal(waiting.encode("utf-8", "replace"), record=ticket.record, name="waiting")
            ticket = replace(ticket, sealed_waiting=sealed)
        former = await self._store.ticket(slack)
        if former is not None:
            ticket = ticket.after(former)
        while not await (self._store.put_ticket(ticket) if fresh else self._store.claim_ticket(ticket, now)):
            former = await self._store.ticket(slack)
            if former is not None and not fresh and former.live(now):
                return await self._point_to(former, ticket)
            if former is not None:
                await self._revoker.end_ticket(former)
        try:
            await self._observer.record(LinkEvent("link.started", "ok", slack, scopes=frozenset(self.scopes)))
        except BaseException:
            # Nobody will get this link, so it must not be the one that later requests are pointed to.
            await self._revoker.end_ticket(ticket)
            raise
        return Started(f"{self._public_url}/link/{secret}", ticket.expires_at)

    async def open_ticket(self, secret: str) -> Ticket:
        """What a link is for; changes nothing. Raises TicketUnknown or TicketUsed."""
        ticket = await self._store.ticket_by_hash(tickets.hashed(secret))
        if ticket is None or (not ticket.live(self._clock()) and ticket.stage is not Stage.DONE):
            raise TicketUnknown
        if ticket.stage is Stage.DONE:
            raise TicketUsed
        return ticket

    async def go_on(self, secret: str, browser: str, *, login_hint: str | None = None) -> str:
        """Begin a login in this browser and return the provider's address; of several the last one counts.

        `browser` is the value of the cookie that this response sets.
        """
        begun = await self._logins.begin(await self.open_ticket(secret), login_hint)
        changes = {
            "stage": Stage.STARTED,
            "browser_hash": tickets.hashed(browser),
            "state_hash": tickets.hashed(begun.state),
            "sealed_login": begun.sealed,
            "sealed_code": None,
            "sealed_slack": None,
            "sealed_address": None,
            "otp_start": None,
        }
        await self.own(secret, lambda _: changes)
        return begun.url

    async def own(self, secret: str, changes: Callable[[Ticket], Mapping[str, object]]) -> None:
        """Give the link to the login that is beginning; what an earlier one brought ends. Raises as `open_ticket`.

        `changes` is asked anew for each try, since it may build on what the ticket says of codes that were sent.
        """
        for _ in range(_TRIES):
            ticket = await self.open_ticket(secret)
            match = {"sealed_grant": None, "otp_start": ticket.otp_start}
            if ticket.sealed_grant is not None:
                await self._revoker.end_login(ticket)
            elif await self._store.advance(ticket, OPEN_STAGES, changes(ticket), match=match) is not None:
                return
        raise TicketUnknown  # so many others are at it that none of them can mean well

    async def returned(
        self, *, state: str, browser: str | None, code: str | None, error: str | None, iss: str | None
    ) -> Returned:
        """The provider has sent the browser back (RFC 6749 section 4.1.2). Raises LinkError or TokenInvalid.

        Whatever is refused is recorded; the state is spent by the right browser only.
        """
        ticket = await self._begun(state, browser, Stage.STARTED)
        spent = {"stage": Stage.RETURNED, "sealed_login": None, "granted_at": self._clock()}
        match = {"state_hash": ticket.state_hash, "sealed_grant": None}
        if await self._store.advance(ticket, {Stage.STARTED}, spent, match=match) is None:
            await self._proving.refuse(ticket, None, StateUnknown(), tell=False)
        try:
            grant, verified = await self._logins.finish(ticket, code=code, error=error, iss=iss)
        except IdentityError as refused:
            await self._proving.refuse(ticket, None, refused)
        return await self._proving.proven_or_waiting(ticket, grant, verified=verified)

    async def returned_from_slack(
        self, *, state: str, browser: str | None, code: str | None, error: str | None, iss: str | None
    ) -> Returned:
        """Slack has sent the browser back, which is the proof of this link. Raises IdentityError; all as `returned`."""
        ticket = await self._begun(state, browser, Stage.PROVING)
        return await self._proving.by_slack(ticket, code=code, error=error, iss=iss)

    async def _begun(self, state: str, browser: str | None, stage: Stage) -> Ticket:
        """The ticket whose login has come to this stage in this browser. Raises StateUnknown or WrongBrowser."""
        ticket = await self._store.ticket_by_state(tickets.hashed(state))
        if ticket is None:
            await self.refused_unknown(StateUnknown())
            raise StateUnknown
        if ticket.stage is not stage or not ticket.live(self._clock()):
            await self._proving.refuse(ticket, None, StateUnknown(), tell=False)
        if browser is None or not hmac.compare_digest(tickets.hashed(browser), ticket.browser_hash or ""):
            await self._proving.refuse(ticket, None, WrongBrowser())
        return ticket

    async def refused_form(self, secret: str, reason: IdentityError) -> None:
        """Write down that a form was refused, under the person whose link it names."""
        ticket = await self._store.ticket_by_hash(tickets.hashed(secret))
        await self.refused_unknown(reason, ticket.slack if ticket else None)

    async def refused_unknown(self, reason: IdentityError, slack: SlackUser | None = None) -> None:
        """Write down a refusal of somebody who showed nothing that ties them to a login."""
        await self._observer.record(LinkEvent("link.refused", "denied", slack, reason=reason.code))

    async def enter_code(self, slack: SlackUser, code: str) -> Principal:
        """Prove by the code from the page. Raises NoCodePending, CodeWrong, CodeExpired or IdentityTaken."""
        return await self._proving.by_code(slack, code)

    @property
    def takes_codes(self) -> bool:
        """Whether a code from the page can be the proof."""
        return self._proving.takes_codes

    async def open_until(self, slack: SlackUser) -> datetime | None:
        """How long a person's login link is valid, if there is one."""
        ticket = await self._store.ticket(slack)
        return ticket.expires_at if ticket is not None and ticket.live(self._clock()) else None

    async def pending(self, slack: SlackUser) -> Identity | None:
        """Who has signed in through this person's link and waits for their code; raises SealBroken."""
        return await self._proving.pending(slack)

    async def sweep(self) -> None:
        """Revoke what waits in tickets whose time is over, and what the provider has not been told yet."""
        now = self._clock()
        async for ticket in self._store.over(now):
            await self._proving.mend(ticket)
        await self._revoker.sweep()
        await self._store.forget(now - _KEPT)

    async def _point_to(self, live: Ticket, ticket: Ticket) -> Started:
        if ticket.sealed_waiting is not None:
            await self._store.advance(live, OPEN_STAGES, {"sealed_waiting": ticket.sealed_waiting})
        return Started(None, live.expires_at)
