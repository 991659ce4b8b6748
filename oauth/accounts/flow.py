"""The side of the browser: whose it is, on to the third party, and back.

A link alone connects nothing. Whoever opens it must first sign in as the very person whom the Slack person is linked
to: else somebody could forward their own link, and have a victim connect the victim's account to theirs.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

import structlog

from oauth import tickets
from oauth.accounts.errors import AccountDiffers, ConnectNotOffered, ConnectRefused, ConnectUnsure
from oauth.accounts.my_account import SCOPES, MyAccount, audience
from oauth.accounts.ports import AccountStore, Tokens
from oauth.accounts.tickets import OPEN_STAGES, AccountTicket, Answer, Stage, Step
from oauth.errors import (
    IdentityError,
    NotLinked,
    ProviderUnavailable,
    ScopeRefused,
    StateUnknown,
    StoreUnavailable,
    TicketUnknown,
    TicketUsed,
    TokenInvalid,
    WrongBrowser,
)
from oauth.logins import code_of
from oauth.models import Clock, LinkEvent, LinkObserver, Principal
from oauth.ports import LinkStore
from oauth.vault import Vault
from oauth.verify import Verifier

log = structlog.get_logger(__name__)

CONNECTED = "account.connected"


class Connecting:
    """The use cases, each by a browser's own secrets. Whatever is refused behind a form is on record."""

    def __init__(
        self,
        *,
        store: AccountStore,
        links: LinkStore,
        tokens: Tokens,
        provider: MyAccount,
        verifier: Verifier,
        vault: Vault,
        observer: LinkObserver,
        clock: Clock,
    ) -> None:
        self._store = store
        self._links = links
        self._tokens = tokens
        self._provider = provider
        self._verifier = verifier
        self._vault = vault
        self._observer = observer
        self._clock = clock

    async def open(self, secret: str) -> Step:
        """What a link is for; changes nothing. Raises TicketUnknown, TicketUsed or NotLinked."""
        ticket = await self._store.by_hash(tickets.hashed(secret))
        if ticket is None or (not ticket.live(self._clock()) and ticket.stage is not Stage.DONE):
            raise TicketUnknown
        if ticket.stage is Stage.DONE:
            raise TicketUsed
        return Step(ticket, await self._live(ticket))

    async def go_on(self, secret: str, browser: str) -> str:
        """Begin in this browser, and return the address of the provider's login; of several the last one counts.

        `browser` is the value of the cookie that this response sets. Raises as `open`, or ProviderUnavailable.
        """
        begun = await self.open(secret)
        state, nonce, verifier = tickets.new_secret(), tickets.new_secret(), tickets.new_secret()
        hint, again = begun.principal.identity.email, begun.ticket.stage is not Stage.OPEN
        url = await self._provider.identify_url(
            state=state, nonce=nonce, verifier=verifier, login_hint=hint, again=again
        )
        changes = {
            "stage": Stage.STARTED,
            "browser_hash": tickets.hashed(browser),
            "state_hash": tickets.hashed(state),
            "sealed_login": self._seal(begun.ticket, "login", [nonce, verifier]),
            "sealed_session": None,
        }
        if await self._store.advance(begun.ticket, OPEN_STAGES, changes) is None:
            raise TicketUnknown
        return url

    async def returned(self, answer: Answer) -> Step:
        """The browser is back. Which of the two steps this ends says the ticket, not the answer. Raises IdentityError.

        A state is spent once, and by the right browser only.
        """
        ticket = await self._store.by_state(tickets.hashed(answer.state))
        if ticket is None:
            await self.refused(StateUnknown())
            raise StateUnknown
        if ticket.stage not in {Stage.STARTED, Stage.CONNECTING} or not ticket.live(self._clock()):
            await self._refuse(ticket, StateUnknown())
        if not hmac.compare_digest(tickets.hashed(answer.browser or ""), ticket.browser_hash or ""):
            await self._refuse(ticket, WrongBrowser())
        if ticket.stage is Stage.STARTED:
            return await self._identified(ticket, answer)
        return await self._allowed(ticket, answer)

    async def refused_form(self, secret: str, reason: IdentityError) -> None:
        """Write down that a form was refused, under the person whose link it names."""
        await self.refused(reason, await self._store.by_hash(tickets.hashed(secret)))

    async def refused(
        self, reason: IdentityError, ticket: AccountTicket | None = None, *, outcome: str = "denied"
    ) -> None:
        """Write down a refusal. Without a ticket nobody knows whose connection it would have been."""
        slack, about = (ticket.slack, ticket.reason) if ticket is not None else (None, "connect")
        await self._observer.record(LinkEvent("link.refused", outcome, slack, reason=f"{about}_{reason.code}"))

    async def _identified(self, ticket: AccountTicket, answer: Answer) -> Step:
        """From the provider's login to the third party, if it was the linked person's."""
        await self._spend(ticket, {"stage": Stage.RETURNED, "state_hash": None, "sealed_login": None})
        state, verifier = tickets.new_secret(), tickets.new_secret()
        try:
            who = await self._live(ticket)
            await self._is_theirs(ticket, who, answer)
            begun = await self._provider.connect(
                await self._token(who),
                connection=ticket.connection,
                scopes=ticket.scopes,
                state=state,
                verifier=verifier,
            )
        except IdentityError as refused:
            await self._refuse(ticket, refused)
        changes = {
            "stage": Stage.CONNECTING,
            "state_hash": tickets.hashed(state),
            "sealed_session": self._seal(ticket, "session", [begun.session, verifier]),
            "expires_at": self._clock() + tickets.LIFETIME,
        }
        mine = {"browser_hash": ticket.browser_hash}
        if await self._store.advance(ticket, {Stage.RETURNED}, changes, match=mine) is None:
            await self._refuse(ticket, TicketUnknown())  # another browser has begun anew meanwhile
        return Step(ticket, who, begun.url)

    async def _is_theirs(self, ticket: AccountTicket, who: Principal, answer: Answer) -> None:
        """Whether the linked person signed in, in this browser. Raises AccountDiffers, or another IdentityError."""
        issuer = self._verifier.issuer
        code = await code_of(self._provider, issuer, code=answer.code, error=answer.error, iss=answer.iss)
        nonce, verifier = self._open(ticket, "login")
        token = await self._provider.id_token(code=code, verifier=verifier)
        identity = (await self._verifier.id_token(token, nonce=nonce)).identity
        if (identity.iss, identity.sub) != (who.identity.iss, who.sub):
            raise AccountDiffers

    async def _allowed(self, ticket: AccountTicket, answer: Answer) -> Step:
        """The third party has agreed, or has not."""
        until = self._clock() + tickets.LIFETIME
        # Done before it is: if this process dies in the next lines, the round finds out what came of it.
        await self._spend(
            ticket, {"stage": Stage.DONE, "state_hash": None, "sealed_session": None, "expires_at": until}
        )
        try:
            who = await self._completed(ticket, answer)
        except ConnectUnsure as unsure:
            await self._refuse(ticket, unsure, outcome="unknown")
        except BaseException as refused:
            # The link can be used again, for as long as it could before.
            again = {"stage": Stage.RETURNED, "expires_at": ticket.expires_at}
            await self._store.advance(ticket, {Stage.DONE}, again)
            if isinstance(refused, IdentityError):
                await self._refuse(ticket, refused)
            raise
        connected = LinkEvent(CONNECTED, "ok", who.slack, who.identity, ticket.connection, who, ticket.scopes)
        await self._observer.notify(connected)
        return Step(ticket, who)

    async def _completed(self, ticket: AccountTicket, answer: Answer) -> Principal:
        who = await self._live(ticket)
        if answer.iss is not None and answer.iss != self._verifier.issuer:
            raise TokenInvalid("iss")
        if answer.error is not None or answer.connect_code is None:
            raise ConnectRefused(answer.error or "no_code")
        session, verifier = self._open(ticket, "session")
        token = await self._token(who)
        await self._record("link.started", ticket, who, f"{ticket.reason}_allowed")
        try:
            await self._provider.complete(token, session=session, code=answer.connect_code, verifier=verifier)
        except ProviderUnavailable:
            raise ConnectUnsure from None
        with suppress(StoreUnavailable):  # then the former account's token is used to its end
            await self._tokens.forget(who, ticket.connection)
        try:
            await self._record("link.completed", ticket, who, ticket.reason)
        except Exception as error:  # it is done, and its beginning is on record
            log.error("audit_lost", reason=ticket.reason, kind=type(error).__name__)
        return await self._live(ticket)

    async def _token(self, who: Principal) -> str:
        """The person's own token for the API that connects accounts. Raises ConnectNotOffered, or as `Broker.token`."""
        try:
            return (await self._tokens.token(who, SCOPES, audience(self._verifier.issuer))).value
        except (ScopeRefused, TokenInvalid) as refused:
            log.warning("my_account_refused", step="token", reason=refused.code, hint="see docs/token-vault.md")
            raise ConnectNotOffered from None

    async def _live(self, ticket: AccountTicket) -> Principal:
        """The link that the ticket was made for. Raises NotLinked where it has ended, or another took its place."""
        link = await self._links.link(ticket.slack)
        if link is None or link.principal.version != ticket.link_version:
            raise NotLinked
        return link.principal

    async def _spend(self, ticket: AccountTicket, changes: Mapping[str, object]) -> None:
        match = {"state_hash": ticket.state_hash}
        if await self._store.advance(ticket, {ticket.stage}, changes, match=match) is None:
            await self._refuse(ticket, StateUnknown())

    async def _refuse(self, ticket: AccountTicket, reason: IdentityError, *, outcome: str = "denied") -> NoReturn:
        await self.refused(reason, ticket, outcome=outcome)
        raise reason

    async def _record(self, type_: str, ticket: AccountTicket, who: Principal, reason: str) -> None:
        await self._observer.record(LinkEvent(type_, "ok", who.slack, who.identity, reason, scopes=ticket.scopes))

    def _seal(self, ticket: AccountTicket, name: str, secrets: list[str]) -> str:
        return self._vault.seal(json.dumps(secrets).encode(), record=ticket.record, name=name)

    def _open(self, ticket: AccountTicket, name: str) -> Any:
        """What was sealed as this field of the ticket. Raises SealBroken."""
        sealed = getattr(ticket, f"sealed_{name}") or ""
        return json.loads(self._vault.open(sealed, record=ticket.record, name=name))
