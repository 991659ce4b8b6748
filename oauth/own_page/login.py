"""Login on our own page: an address, and the one-time code that the provider has sent there.

It is the weaker of two ways (docs/embedded-login.md), so it is off until an operator wants it, and its page always
offers the other. What bounds guessing: a code takes three guesses, as at Auth0 itself, and none of an older one; a link
sends three codes; an address gets five in an hour, whoever asks for them. That makes fifteen tries an hour at the
million values of a code. Who has used them up signs in at the provider, or takes a new link.

Nothing here tells whether an address has an account: an unknown one, a refused one and one that has had its five codes
get the same page, and a code for them is as wrong as any other.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NoReturn

from oauth import tickets
from oauth.email_proof import same_address
from oauth.errors import (
    EmbeddedRefused,
    IdentityError,
    LinkError,
    LoginRefused,
    OtpReplaced,
    OtpSendsSpent,
    OtpSpent,
    OtpWrong,
    SealBroken,
    StateUnknown,
    TicketUnknown,
    TokenInvalid,
    WrongBrowser,
)
from oauth.grants import Grant, Revoker
from oauth.linking import Linking
from oauth.logins import Logins
from oauth.models import Clock, LinkEvent, LinkObserver, TokenSet
from oauth.own_page.awaited import SENDS, Awaited, awaited, sealed
from oauth.own_page.passwordless import Passwordless
from oauth.own_page.typed import address_of, otp_of
from oauth.ports import LinkStore
from oauth.proving import Proving, Returned
from oauth.tickets import Stage, Ticket
from oauth.vault import Vault
from oauth.verify import Nonce

PER_HOUR = 5
_HOUR = timedelta(hours=1)
_DOUBLE_CLICK = timedelta(seconds=20)
_MFA = "mfa_required"
_LIMITED = "otp_limited"


@dataclass(frozen=True, slots=True)
class Onward:
    """The login goes on at the provider, in the browser that gets this secret for a cookie."""

    url: str
    browser: str = field(repr=False)


class Embedded:
    """The use cases. `browser` is a browser's own secret, `ip` its address as far as it is known."""

    def __init__(
        self,
        *,
        linking: Linking,
        logins: Logins,
        provider: Passwordless,
        proving: Proving,
        revoker: Revoker,
        store: LinkStore,
        vault: Vault,
        observer: LinkObserver,
        clock: Clock,
    ) -> None:
        self._linking = linking
        self._logins = logins
        self._provider = provider
        self._proving = proving
        self._revoker = revoker
        self._store = store
        self._vault = vault
        self._observer = observer
        self._clock = clock

    async def send(self, secret: str, typed: str, browser: str, *, ip: str | None) -> None:
        """Have a code sent to what was typed; the login is this browser's from here on, and older codes are void.

        The same address twice within seconds is a double click, and gets one code. Raises AddressMalformed,
        OtpSendsSpent, TicketUnknown, TicketUsed or ProviderUnavailable.
        """
        address = address_of(typed)
        now, start = self._clock(), tickets.new_secret()
        mine = {"browser_hash": tickets.hashed(browser), "otp_start": start}
        ticket = await self._linking.open_ticket(secret)
        if self._just_sent(ticket, address):
            there = {"otp_start": ticket.otp_start}
            if await self._store.advance(ticket, {Stage.STARTED}, mine, match=there) is not None:
                return
        if ticket.otp_sends >= SENDS:
            await self._deny(ticket, OtpSendsSpent())
        place = f"otp:{tickets.hashed(address.lower())}"
        asked = await self._store.take_place(place, PER_HOUR, now, now + _HOUR)

        def begun(former: Ticket) -> dict[str, object]:
            if former.otp_sends >= SENDS:
                raise OtpSendsSpent
            return {
                **mine,
                "stage": Stage.STARTED,
                "state_hash": None,
                "sealed_login": None,
                "sealed_code": None,
                "sealed_slack": None,
                "sealed_address": sealed(self._vault, ticket, address, asked=asked),
                "otp_sends": former.otp_sends + 1,
                "otp_sent_at": now,
                "guesses": 0,
            }

        try:
            await self._linking.own(secret, begun)
        except OtpSendsSpent as spent:
            await self._deny(ticket, spent)
        if asked:
            await self._provider.send_code(address, ip=ip)
        else:
            await self._record(ticket, "denied", _LIMITED)

    async def newest(self, secret: str, browser: str | None) -> Awaited | None:
        """What this browser waits for, or None where it is no code; changes nothing.

        Raises TicketUnknown, TicketUsed, WrongBrowser or SealBroken.
        """
        ticket = await self._linking.open_ticket(secret)
        if browser is None or not hmac.compare_digest(tickets.hashed(browser), ticket.browser_hash or ""):
            raise WrongBrowser
        return awaited(self._vault, ticket)

    async def claimed(self, secret: str, browser: str | None, start: str) -> Awaited:
        """As `newest`, for a form about the code that `start` names. Raises StateUnknown or OtpReplaced as well.

        What is refused is on record.
        """
        try:
            newest = await self.newest(secret, browser)
            if newest is None:
                raise StateUnknown
        except (LinkError, SealBroken) as refused:
            await self._linking.refused_form(secret, refused)
            raise
        if newest.ticket.otp_start != start:
            await self._deny(newest.ticket, OtpReplaced())
        return newest

    async def enter(
        self, secret: str, browser: str | None, start: str, typed: str, *, ip: str | None
    ) -> Returned | Onward:
        """Sign in by the code. Where the provider asks for a second factor, the login goes on there.

        Raises EmbeddedRefused, where the page goes on asking, LinkError, TokenInvalid or ProviderUnavailable. A guess
        counts before it is made, and stays counted where the provider does not answer.
        """
        code = otp_of(typed)
        newest = await self._guess(secret, browser, start)
        ticket = newest.ticket
        try:
            if not newest.asked:
                raise LoginRefused(_LIMITED)
            given = await self._provider.redeem(newest.address, code, ip=ip)
        except LoginRefused as refused:
            if refused.error != _MFA:
                await self._deny(ticket, OtpWrong(newest.guesses))
            await self._record(ticket, "denied", _MFA)
            return await self.onward(secret, newest.address)
        try:
            grant = await self._accepted(given, newest.address)
        except IdentityError as refused:
            await self._proving.refuse(ticket, None, refused)
        await self._spend(ticket, grant)
        return await self._proving.proven_or_waiting(ticket, grant, verified=True)

    async def onward(self, secret: str, address: str) -> Onward:
        """The other way: at the provider, with the address filled in. Raises as `Linking.go_on`."""
        browser = tickets.new_secret()
        return Onward(await self._linking.go_on(secret, browser, login_hint=address), browser)

    async def _guess(self, secret: str, browser: str | None, start: str) -> Awaited:
        """Take one of the guesses, which at once is one too few for everybody else."""
        while True:
            newest = await self.claimed(secret, browser, start)
            ticket = newest.ticket
            if newest.guesses == 0:
                await self._deny(ticket, OtpSpent())
            there: dict[str, str | int | None] = {"otp_start": start, "guesses": ticket.guesses}
            counted = replace(ticket, guesses=ticket.guesses + 1)
            taken = {"guesses": counted.guesses}
            if await self._store.advance(ticket, {Stage.STARTED}, taken, match=there) is not None:
                return replace(newest, ticket=counted)

    async def _accepted(self, given: TokenSet, address: str) -> Grant:
        """The verified grant of the one who owns this address; any other is revoked. Raises IdentityError."""
        grant, verified = await self._logins.accepted(given, nonce=Nonce.NONE)
        if not verified or not same_address(grant.identity.email or "", address):
            await self._revoker.discard(grant.refresh_token)
            raise TokenInvalid("email")
        return grant

    async def _spend(self, ticket: Ticket, grant: Grant) -> None:
        """The login is done, once and if it is this browser's yet. Otherwise its grant ends."""
        now = self._clock()
        done = {"stage": Stage.RETURNED, "sealed_address": None, "otp_start": None, "granted_at": now}
        mine = {"otp_start": ticket.otp_start, "browser_hash": ticket.browser_hash, "sealed_grant": None}
        try:
            former = await self._store.advance(ticket, {Stage.STARTED}, done, match=mine)
            if former is not None:
                await self._record(ticket, "ok", None, grant)
                return
        except BaseException:
            await self._revoker.discard(grant.refresh_token)
            raise
        await self._revoker.discard(grant.refresh_token)
        await self._proving.refuse(ticket, grant.identity, TicketUnknown(), tell=False)

    async def _deny(self, ticket: Ticket, reason: EmbeddedRefused) -> NoReturn:
        await self._record(ticket, "denied", reason.code)
        raise reason

    async def _record(self, ticket: Ticket, outcome: str, reason: str | None, grant: Grant | None = None) -> None:
        # Never that the provider refused to send: the person reads these entries too, and it tells of an account.
        identity = grant.identity if grant else None
        await self._observer.record(LinkEvent("login.embedded", outcome, ticket.slack, identity, reason))

    def _just_sent(self, ticket: Ticket, address: str) -> bool:
        """Whether the newest code went to this address a moment ago."""
        if ticket.otp_sent_at is None or self._clock() - ticket.otp_sent_at >= _DOUBLE_CLICK:
            return False
        try:
            newest = awaited(self._vault, ticket)
        except SealBroken:  # it is sealed anew
            return False
        return newest is not None and newest.address == address
