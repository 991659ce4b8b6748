"""The side of the browser: on to the provider's login, and back with how somebody has authenticated.

A link alone counts for nothing: whoever signs in must be, by issuer and subject, whom the Slack person is linked to.
"""

from __future__ import annotations

import hmac
import json
from typing import NoReturn

from oauth import tickets
from oauth.accounts.errors import AccountDiffers
from oauth.errors import IdentityError, NotLinked, StateUnknown, TicketUnknown, TicketUsed, WrongBrowser
from oauth.logins import code_of
from oauth.models import Clock, Evidence, LinkEvent, LinkObserver, Principal
from oauth.ports import LinkStore
from oauth.step_up.asking import REASON, done
from oauth.step_up.errors import LoginTooOld, SecondFactorMissing
from oauth.step_up.login import StepUpLogin
from oauth.step_up.model import FRESH, LIFETIME, OPEN_STAGES, Answer, Stage, Step, StepUpTicket, fresh
from oauth.step_up.ports import StepUpStore
from oauth.vault import Vault
from oauth.verify import Verifier, authentication


class SteppingUp:
    """The use cases, each by a browser's own secrets. Whatever is refused behind a form is on record."""

    def __init__(
        self,
        *,
        store: StepUpStore,
        links: LinkStore,
        login: StepUpLogin,
        verifier: Verifier,
        vault: Vault,
        observer: LinkObserver,
        clock: Clock,
    ) -> None:
        self._store = store
        self._links = links
        self._login = login
        self._verifier = verifier
        self._vault = vault
        self._observer = observer
        self._clock = clock

    async def open(self, secret: str) -> Step:
        """What a link is for; changes nothing. Raises TicketUnknown, TicketUsed or NotLinked."""
        ticket = await self._store.by_hash(tickets.hashed(secret))
        if ticket is not None and ticket.stage is Stage.DONE:
            raise TicketUsed
        if ticket is None or not ticket.opens(self._clock()):
            raise TicketUnknown
        return Step(ticket, await self._live(ticket))

    async def go_on(self, secret: str, browser: str) -> str:
        """Begin in this browser, and return the address of the provider's login; of several the last one counts.

        `browser` is the value of the cookie that this response sets. Raises as `open`, or ProviderUnavailable.
        """
        begun = await self.open(secret)
        state, nonce, verifier = tickets.new_secret(), tickets.new_secret(), tickets.new_secret()
        url = await self._login.authenticate_url(
            state=state, nonce=nonce, verifier=verifier, login_hint=begun.principal.identity.email
        )
        record = begun.ticket.record
        changes = {
            "stage": Stage.STARTED,
            "browser_hash": tickets.hashed(browser),
            "state_hash": tickets.hashed(state),
            "sealed_login": self._vault.seal(json.dumps([nonce, verifier]).encode(), record=record, name="login"),
            "expires_at": self._clock() + LIFETIME,
        }
        if await self._store.advance(begun.ticket, OPEN_STAGES, changes) is None:
            raise TicketUnknown
        return url

    async def returned(self, answer: Answer) -> Step:
        """The browser is back, and what it brings is kept as evidence. Raises IdentityError.

        A state is spent once, and by the right browser only. A link whose login did not count can be used again, for as
        long as it could before.
        """
        ticket = await self._store.by_state(tickets.hashed(answer.state))
        if ticket is None or ticket.stage is not Stage.STARTED:
            await self._refuse(ticket, StateUnknown())
        if not ticket.awaited(self._clock()):
            await self._refuse(ticket, TicketUnknown())
        if not hmac.compare_digest(tickets.hashed(answer.browser or ""), ticket.browser_hash or ""):
            await self._refuse(ticket, WrongBrowser())
        spent = {"stage": Stage.RETURNED, "state_hash": None, "sealed_login": None}
        match = {"state_hash": ticket.state_hash}
        if await self._store.advance(ticket, {Stage.STARTED}, spent, match=match) is None:
            await self._refuse(ticket, StateUnknown())
        try:
            who = await self._live(ticket)
            evidence = await self._evidence(ticket, who, answer)
        except IdentityError as refused:
            await self._refuse(ticket, refused)
        changes = {
            "stage": Stage.DONE,
            "sealed_evidence": self._sealed(ticket, who, evidence),
            "expires_at": self._clock() + FRESH,
        }
        if await self._store.advance(ticket, {Stage.RETURNED}, changes) is None:
            await self._refuse(ticket, TicketUnknown())  # another browser has begun anew meanwhile
        await self._observer.notify(done(ticket, who))
        return Step(ticket, who)

    async def refused_form(self, secret: str, reason: IdentityError) -> None:
        """Write down that a form was refused, under the person whose link it names."""
        await self.refused(reason, await self._store.by_hash(tickets.hashed(secret)))

    async def refused(self, reason: IdentityError, ticket: StepUpTicket | None = None) -> None:
        """Write down a refusal. Without a ticket nobody knows whose authentication it would have been."""
        slack = ticket.slack if ticket is not None else None
        await self._observer.record(LinkEvent("link.refused", "denied", slack, reason=f"{REASON}_{reason.code}"))

    async def _evidence(self, ticket: StepUpTicket, who: Principal, answer: Answer) -> Evidence:
        """How the linked person has authenticated, in this browser, just now. Raises IdentityError."""
        issuer = self._verifier.issuer
        code = await code_of(self._login, issuer, code=answer.code, error=answer.error, iss=answer.iss)
        sealed = ticket.sealed_login or ""
        nonce, verifier = json.loads(self._vault.open(sealed, record=ticket.record, name="login"))
        token = await self._login.id_token(code=code, verifier=verifier)
        signed_in = await self._verifier.id_token(token, nonce=nonce)
        identity = signed_in.identity
        if (identity.iss, identity.sub) != (who.identity.iss, who.sub) or who.sub != ticket.sub:
            raise AccountDiffers
        evidence = authentication(signed_in.claims)
        if "mfa" not in evidence.amr:
            raise SecondFactorMissing
        if not fresh(evidence, self._clock()):
            raise LoginTooOld
        return evidence

    def _sealed(self, ticket: StepUpTicket, who: Principal, evidence: Evidence) -> str:
        """Sealed together with whose it is: whoever writes the database can make none, and move none."""
        kept = {
            "auth_time": evidence.auth_time,
            "amr": list(evidence.amr),
            "of": [who.identity.iss, who.sub, who.version],
        }
        return self._vault.seal(json.dumps(kept).encode(), record=ticket.record, name="evidence")

    async def _live(self, ticket: StepUpTicket) -> Principal:
        """The link that the ticket was made for. Raises NotLinked where it has ended, or another took its place."""
        link = await self._links.link(ticket.slack)
        if link is None or link.principal.version != ticket.link_version:
            raise NotLinked
        return link.principal

    async def _refuse(self, ticket: StepUpTicket | None, reason: IdentityError) -> NoReturn:
        await self.refused(reason, ticket)
        raise reason
