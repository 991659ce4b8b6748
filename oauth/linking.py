"""Linking a Slack person to a verified identity: start, go on, return, prove.

A login link alone links nobody. Whoever signed in must also show that they are the Slack person, by the same
verified e-mail address or by a code that they carry back by hand.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, NoReturn

from oauth import tickets
from oauth.errors import (
    CodeExpired,
    CodeWrong,
    EmailDiffers,
    EmailUnverified,
    IdentityError,
    IdentityTaken,
    LoginRefused,
    NoCodePending,
    StateUnknown,
    TicketUnknown,
    TicketUsed,
    TokenInvalid,
    WrongBrowser,
)
from oauth.grants import Grant, Revoker
from oauth.links import Links
from oauth.models import (
    Clock,
    Identity,
    LinkEvent,
    LinkObserver,
    Principal,
    SlackProfile,
    SlackUser,
)
from oauth.ports import LinkStore, Taken
from oauth.provider import Provider
from oauth.tickets import Stage, Ticket
from oauth.vault import Vault
from oauth.verify import Verifier

Proof = Literal["auto", "code", "email"]


@dataclass(frozen=True, slots=True)
class Started:
    """A login link for a DM. `url` is None where an earlier link is live: the person is pointed to that one."""

    url: str | None = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Returned:
    """How a login ended: linked as `principal`, or waiting for `code` to be typed in Slack."""

    ticket: Ticket
    identity: Identity
    principal: Principal | None
    code: str | None = field(repr=False)


class Linking:
    """The use cases. Each takes the Slack person from a signed payload, or a browser's own secrets."""

    def __init__(
        self,
        *,
        store: LinkStore,
        vault: Vault,
        provider: Provider,
        verifier: Verifier,
        revoker: Revoker,
        links: Links,
        observer: LinkObserver,
        clock: Clock,
        public_url: str,
        audience: str,
        scopes: tuple[str, ...],
        proof: Proof,
    ) -> None:
        self._store = store
        self._vault = vault
        self._provider = provider
        self._verifier = verifier
        self._revoker = revoker
        self._links = links
        self._observer = observer
        self._clock = clock
        self._public_url = public_url
        self._audience = audience
        self._proof = proof
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
            ticket = replace(ticket, sealed_waiting=self._seal(ticket, "waiting", waiting.encode()))
        if fresh:
            former = await self._store.put_ticket(ticket)
        else:
            claimed, former = await self._store.claim_ticket(ticket, now)
            if not claimed:
                return await self._point_to_live(ticket)
        await self._discard_grant(former)
        event = LinkEvent("link.started", "ok", slack, scopes=frozenset(self.scopes))
        await self._observer.record(event)
        return Started(f"{self._public_url}/link/{secret}", ticket.expires_at)

    async def open_ticket(self, secret: str) -> Ticket:
        """What a link is for; changes nothing. Raises TicketUnknown or TicketUsed."""
        ticket = await self._store.ticket_by_hash(tickets.hashed(secret))
        if ticket is None or (not ticket.live(self._clock()) and ticket.stage is not Stage.DONE):
            raise TicketUnknown
        if ticket.stage is Stage.DONE:
            raise TicketUsed
        return ticket

    async def go_on(self, secret: str, browser: str) -> str:
        """Begin a login in this browser and return the provider's address; of several the last one counts.

        `browser` is the value of the cookie that this response sets.
        """
        ticket = await self.open_ticket(secret)
        state, nonce, verifier = tickets.new_secret(), tickets.new_secret(), tickets.new_secret()
        url = await self._provider.authorize_url(
            state=state, nonce=nonce, verifier=verifier, login_hint=ticket.profile.email
        )
        former = await self._store.advance(
            ticket,
            {Stage.OPEN, Stage.STARTED, Stage.RETURNED, Stage.PROVING},
            {
                "stage": Stage.STARTED.value,
                "browser_hash": tickets.hashed(browser),
                "state_hash": tickets.hashed(state),
                "sealed_login": self._seal(ticket, "login", json.dumps([nonce, verifier]).encode()),
                "sealed_grant": None,
                "sealed_code": None,
            },
        )
        if former is None:
            raise TicketUnknown
        await self._discard_grant(former)
        return url

    async def returned(
        self, *, state: str, browser: str | None, code: str | None, error: str | None, iss: str | None
    ) -> Returned:
        """The provider has sent the browser back (RFC 6749 section 4.1.2). Raises LinkError or TokenInvalid.

        Whatever is refused is recorded; the state is spent by the right browser only.
        """
        ticket = await self._store.ticket_by_state(tickets.hashed(state))
        if ticket is None or not ticket.live(self._clock()):
            raise StateUnknown
        if browser is None or not hmac.compare_digest(tickets.hashed(browser), ticket.browser_hash or ""):
            await self._refuse(ticket, None, WrongBrowser())
        spent = {"stage": Stage.RETURNED.value, "state_hash": None, "sealed_login": None}
        if await self._store.advance(ticket, {Stage.STARTED}, spent, match={"state_hash": ticket.state_hash}) is None:
            raise StateUnknown
        try:
            grant = await self._grant(ticket, code=code, error=error, iss=iss)
        except IdentityError as refused:
            await self._refuse(ticket, None, refused)
        return await self._proven_or_waiting(ticket, grant[0], verified=grant[1])

    async def enter_code(self, slack: SlackUser, code: str) -> Principal:
        """Prove by the code from the page. Raises NoCodePending, CodeWrong, CodeExpired or IdentityTaken."""
        ticket = await self._store.count_guess(slack, tickets.GUESSES, self._clock())
        if ticket is None:
            former = await self._store.ticket(slack)
            pending = former is not None and former.sealed_code is not None
            raise CodeExpired if pending else NoCodePending
        if ticket.sealed_code is None or ticket.sealed_grant is None:
            raise NoCodePending
        expected = self._vault.open(ticket.sealed_code, record=ticket.record, name="code").decode()
        grant = Grant.from_bytes(self._vault.open(ticket.sealed_grant, record=ticket.record, name="grant"))
        if not tickets.same_code(code, expected):
            left = tickets.GUESSES - ticket.guesses
            if left == 0:
                void = {"stage": Stage.VOID.value, "sealed_grant": None}
                await self._store.advance(ticket, {Stage.PROVING}, void)
                await self._revoker.discard(grant.refresh_token)
            await self._refuse(ticket, grant.identity, CodeWrong(left))
        return await self._complete(ticket, Stage.PROVING, grant)

    async def sweep(self) -> None:
        """Revoke what waits in tickets whose time is over, and what the provider has not been told yet."""
        async for ticket in self._store.over(self._clock()):
            void = {"stage": Stage.VOID.value, "sealed_grant": None}
            former = await self._store.advance(ticket, {Stage.RETURNED, Stage.PROVING}, void)
            await self._discard_grant(former)
        await self._revoker.sweep()

    async def _point_to_live(self, ticket: Ticket) -> Started:
        live = await self._store.ticket(ticket.slack)
        if live is None:
            return Started(None, ticket.expires_at)
        if ticket.sealed_waiting is not None:
            stages = set(Stage) - {Stage.DONE, Stage.VOID}
            await self._store.advance(live, stages, {"sealed_waiting": ticket.sealed_waiting})
        return Started(None, live.expires_at)

    async def _grant(
        self, ticket: Ticket, *, code: str | None, error: str | None, iss: str | None
    ) -> tuple[Grant, bool]:
        """Exchange and verify; the grant, and whether its e-mail is verified."""
        if await self._provider.answers_with_issuer() and iss != self._verifier.issuer:
            raise TokenInvalid("iss")
        if error is not None or code is None:
            raise LoginRefused(error or "no_code")
        if ticket.sealed_login is None:
            raise StateUnknown
        nonce, verifier = json.loads(self._vault.open(ticket.sealed_login, record=ticket.record, name="login"))
        given = await self._provider.exchange(code=code, verifier=verifier)
        try:
            if given.id_token is None or given.refresh_token is None:
                raise TokenInvalid("id_token" if given.id_token is None else "refresh_token")
            identity, verified = await self._verifier.id_token(given.id_token, nonce=nonce)
            await self._verifier.access_token(given.access_token, audience_=self._audience, sub=identity.sub)
        except IdentityError:
            await self._revoker.discard(given.refresh_token)
            raise
        return Grant(identity, given.refresh_token, given.scopes & frozenset(self.scopes)), verified

    async def _proven_or_waiting(self, ticket: Ticket, grant: Grant, *, verified: bool) -> Returned:
        """Link at once where the e-mail proves the person; else keep the grant until the code comes."""
        same = _same_address(grant.identity.email, ticket.profile.email)
        if self._proof != "code" and verified and same:
            principal = await self._complete(ticket, Stage.RETURNED, grant)
            return Returned(ticket, grant.identity, principal, None)
        if self._proof == "email":
            await self._revoker.discard(grant.refresh_token)
            await self._refuse(ticket, grant.identity, EmailDiffers() if verified else EmailUnverified())
        code = tickets.new_code()
        kept = await self._store.advance(
            ticket,
            {Stage.RETURNED},
            {
                "stage": Stage.PROVING.value,
                "sealed_grant": self._seal(ticket, "grant", grant.to_bytes()),
                "sealed_code": self._seal(ticket, "code", code.encode()),
                "guesses": 0,
                "expires_at": self._clock() + tickets.LIFETIME,
            },
        )
        if kept is None:
            await self._revoker.discard(grant.refresh_token)
            raise TicketUnknown
        return Returned(ticket, grant.identity, None, code)

    async def _complete(self, ticket: Ticket, stage: Stage, grant: Grant) -> Principal:
        """Claim the ticket and make the link."""
        done = {"stage": Stage.DONE.value, "sealed_grant": None, "sealed_code": None, "sealed_waiting": None}
        former_ticket = await self._store.advance(ticket, {stage}, done)
        if former_ticket is None:
            await self._revoker.discard(grant.refresh_token)
            raise TicketUsed
        waiting = self._open_waiting(former_ticket)
        try:
            return await self._links.make(ticket.slack, grant, waiting)
        except Taken as taken:
            await self._taken(ticket, grant, taken.holder)

    async def _taken(self, ticket: Ticket, grant: Grant, holder: SlackUser) -> NoReturn:
        await self._revoker.discard(grant.refresh_token)
        await self._refuse(ticket, grant.identity, IdentityTaken(), holder)

    async def _refuse(
        self, ticket: Ticket, identity: Identity | None, reason: IdentityError, other: SlackUser | None = None
    ) -> NoReturn:
        event = LinkEvent("link.refused", "denied", ticket.slack, identity, reason.code, other=other)
        await self._observer.record(event)
        await self._observer.notify(event)
        raise reason

    async def _discard_grant(self, ticket: Ticket | None) -> None:
        if ticket is not None and ticket.sealed_grant is not None:
            plain = self._vault.open(ticket.sealed_grant, record=ticket.record, name="grant")
            await self._revoker.discard(Grant.from_bytes(plain).refresh_token)

    def _seal(self, ticket: Ticket, name: str, plain: bytes) -> str:
        return self._vault.seal(plain, record=ticket.record, name=name)

    def _open_waiting(self, ticket: Ticket) -> str | None:
        if ticket.sealed_waiting is None:
            return None
        return self._vault.open(ticket.sealed_waiting, record=ticket.record, name="waiting").decode()


def _same_address(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.strip().casefold() == other.strip().casefold()
