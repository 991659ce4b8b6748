"""The last step of linking: whoever signed in shows that they are the Slack person, and the grant becomes a link.

The proof is the same verified e-mail address, a code that the person carries back by hand, or their being signed in
to Slack in the same browser. A grant has one owner at any time: the ticket that it stands in. Only who takes it from
there by an atomic step may link it or end it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn

from oauth import tickets
from oauth.email_proof import email_problem
from oauth.errors import (
    CodeExpired,
    CodeWrong,
    IdentityError,
    IdentityTaken,
    LinkError,
    NoCodePending,
    ProviderUnavailable,
    SealBroken,
    StateUnknown,
    StoreUnavailable,
    TicketUnknown,
    TicketUsed,
)
from oauth.grants import Grant, Revoker
from oauth.links import Links
from oauth.models import Clock, Identity, LinkEvent, LinkObserver, Principal, SlackUser
from oauth.ports import LinkStore, Taken
from oauth.slack_login import SlackLogins
from oauth.tickets import Stage, Ticket
from oauth.vault import Vault

Proof = Literal["auto", "code", "email", "slack"]


@dataclass(frozen=True, slots=True)
class Returned:
    """How a login ended: linked as `principal`, or waiting for `code` to be typed in Slack.

    Or it goes on `onward`: the browser is to show who it is at that address of Slack's.
    """

    ticket: Ticket
    identity: Identity
    principal: Principal | None
    code: str | None = field(default=None, repr=False)
    onward: str | None = field(default=None, repr=False)


class Proving:
    """From a grant to a link, or to a refusal."""

    def __init__(
        self,
        *,
        store: LinkStore,
        vault: Vault,
        revoker: Revoker,
        links: Links,
        observer: LinkObserver,
        clock: Clock,
        proof: Proof,
        slack: SlackLogins | None = None,
    ) -> None:
        """`slack` is there where the proof is `slack`, and then no other proof counts."""
        self._store = store
        self._vault = vault
        self._revoker = revoker
        self._links = links
        self._observer = observer
        self._clock = clock
        self._proof = proof
        self._slack = slack

    async def proven_or_waiting(self, ticket: Ticket, grant: Grant, *, verified: bool) -> Returned:
        """Link at once where the e-mail proves the person; else keep the grant until the code, or Slack's word, comes.

        Both hold only while no other browser has begun anew with this link.
        """
        try:
            if self._slack is not None:
                return await self._send_to_slack(self._slack, ticket, grant)
            taken, code = await self._settle(ticket, grant, verified=verified)
        except StoreUnavailable:
            await self._revoker.discard(grant.refresh_token)  # nobody has seen a code, so it is of no use to anybody
            raise
        if taken is None:
            return Returned(ticket, grant.identity, None, code)
        return Returned(ticket, grant.identity, await self._complete(taken, grant), None)

    async def _settle(self, ticket: Ticket, grant: Grant, *, verified: bool) -> tuple[Ticket | None, str | None]:
        """The claimed ticket where the e-mail is proof, else the code to wait for."""
        mine = {"browser_hash": ticket.browser_hash}
        problem = email_problem(ticket.profile, grant.identity, verified=verified)
        if self._proof != "code" and problem is None:
            sealed = self._seal(ticket, "grant", grant.to_bytes())
            taken = await self._take(ticket, Stage.RETURNED, sealed, mine)
            if taken is None:
                await self._superseded(ticket, grant)
            return taken, None
        if self._proof == "email" and problem is not None:
            await self._revoker.discard(grant.refresh_token)
            await self.refuse(ticket, grant.identity, problem)
        code = tickets.new_code()
        await self._wait(ticket, grant, {"sealed_code": self._seal(ticket, "code", code.encode()), "guesses": 0})
        await self._observer.notify(LinkEvent("link.proving", "ok", ticket.slack, grant.identity))
        return None, code

    async def _send_to_slack(self, slack: SlackLogins, ticket: Ticket, grant: Grant) -> Returned:
        """The grant waits without a code while the same browser goes to Slack."""
        try:
            begun = await slack.begin(ticket)
        except ProviderUnavailable as away:
            await self._revoker.discard(grant.refresh_token)
            await self.refuse(ticket, grant.identity, away)
        secrets = {"state_hash": tickets.hashed(begun.state), "sealed_slack": begun.sealed, "sealed_code": None}
        await self._wait(ticket, grant, secrets)
        return Returned(ticket, grant.identity, None, onward=begun.url)

    async def _wait(self, ticket: Ticket, grant: Grant, secrets: Mapping[str, object]) -> None:
        """Keep the grant in the ticket for its proof, as long as its browser still owns the login."""
        waiting = {
            "stage": Stage.PROVING,
            "sealed_grant": self._seal(ticket, "grant", grant.to_bytes()),
            "sub": grant.identity.sub,
            "sid": grant.sid,
            "expires_at": self._clock() + tickets.LIFETIME,
        }
        mine = {"browser_hash": ticket.browser_hash}
        if await self._store.advance(ticket, {Stage.RETURNED}, {**waiting, **secrets}, match=mine) is None:
            await self._superseded(ticket, grant)

    @property
    def takes_codes(self) -> bool:
        """Whether a code can be the proof."""
        return self._slack is None and self._proof in {"auto", "code"}

    async def pending(self, slack: SlackUser) -> Identity | None:
        """Who has signed in through this person's link and waits for their code."""
        ticket = await self._store.ticket(slack)
        if ticket is None or ticket.stage is not Stage.PROVING or not ticket.live(self._clock()):
            return None
        waits = ticket.sealed_grant is not None and ticket.sealed_code is not None
        return self._grant(ticket).identity if waits else None

    async def by_code(self, slack: SlackUser, code: str) -> Principal:
        """Prove by the code from the page. Raises LinkError or SealBroken."""
        if self._slack is not None:
            await self._nothing_to_prove(slack, NoCodePending())  # nor by a code from before this was the proof
        ticket = await self._store.count_guess(slack, tickets.GUESSES, self._clock())
        if ticket is None or ticket.sealed_code is None or ticket.sealed_grant is None:
            former = await self._store.ticket(slack)
            pending = former is not None and former.sealed_code is not None
            await self._nothing_to_prove(slack, CodeExpired() if pending else NoCodePending())
        try:
            expected = self._vault.open(ticket.sealed_code, record=ticket.record, name="code").decode()
            grant = self._grant(ticket)
        except SealBroken as broken:
            await self.refuse(ticket, None, broken)
        if not tickets.same_code(code, expected):
            left = tickets.GUESSES - ticket.guesses
            if left == 0:
                await self._revoker.end_ticket(ticket)
            await self.refuse(ticket, grant.identity, CodeWrong(left))
        # The very grant that this code was made for: the browser may have begun anew since the line above.
        mine = {"sealed_grant": ticket.sealed_grant}
        taken = await self._take(ticket, Stage.PROVING, ticket.sealed_grant, mine)
        if taken is None:
            former = await self._store.ticket(slack)
            done = former is not None and (former.hash, former.stage) == (ticket.hash, Stage.DONE)
            await self._nothing_to_prove(slack, TicketUsed() if done else CodeExpired())
        return await self._complete(taken, grant)

    async def _nothing_to_prove(self, slack: SlackUser, reason: LinkError) -> NoReturn:
        await self._observer.record(LinkEvent("link.refused", "denied", slack, reason=reason.code))
        raise reason

    async def by_slack(self, ticket: Ticket, *, code: str | None, error: str | None, iss: str | None) -> Returned:
        """Prove by who is signed in to Slack in the login's own browser. Raises IdentityError; the grant ends then.

        The answer works once: what it is checked against is taken from the ticket first.
        """
        mine = {"state_hash": ticket.state_hash, "sealed_slack": ticket.sealed_slack}
        spent = ticket.sealed_slack and await self._store.advance(
            ticket, {Stage.PROVING}, {"sealed_slack": None}, match=mine
        )
        if self._slack is None or not spent:
            await self.refuse(ticket, None, StateUnknown(), tell=False)
        grant: Grant | None = None
        try:
            grant = self._grant(ticket)
            await self._slack.finish(ticket, code=code, error=error, iss=iss)
        except IdentityError as refused:
            await self._revoker.end_login(ticket)
            await self.refuse(ticket, grant.identity if grant else None, refused)
        # The very grant that this browser brought: somebody may have begun anew while Slack was asked.
        mine = {"sealed_grant": ticket.sealed_grant}
        taken = await self._take(ticket, Stage.PROVING, ticket.sealed_grant or "", mine)
        if taken is None:
            await self.refuse(ticket, grant.identity, TicketUnknown(), tell=False)
        return Returned(ticket, grant.identity, await self._complete(taken, grant))

    async def mend(self, ticket: Ticket) -> None:
        """End the grant in a ticket that is over, unless it did become a link before a crash."""
        link = await self._store.link(ticket.slack) if ticket.stage is Stage.DONE else None
        if link is not None and link.principal.version == ticket.link_version:
            await self._revoker.clear_grant(ticket)
        elif ticket.stage is Stage.DONE:
            await self._revoker.end_grant(ticket)
        else:
            await self._revoker.end_ticket(ticket)

    async def refuse(
        self,
        ticket: Ticket,
        identity: Identity | None,
        reason: IdentityError,
        other: SlackUser | None = None,
        *,
        tell: bool = True,
    ) -> NoReturn:
        """Write it down, tell the person, and raise it."""
        event = LinkEvent("link.refused", "denied", ticket.slack, identity, reason.code, other=other)
        await self._observer.record(event)
        if tell:
            await self._observer.notify(event)
        raise reason

    async def _take(
        self, ticket: Ticket, stage: Stage, sealed_grant: str, match: Mapping[str, str | None]
    ) -> Ticket | None:
        """Claim the ticket, once among all callers. The grant stays in it until the link stands: see `mend`."""
        done = {
            "stage": Stage.DONE,
            "sealed_grant": sealed_grant,
            "sealed_code": None,
            "expires_at": self._clock() + tickets.LIFETIME,
        }
        former = await self._store.advance(ticket, {stage}, done, match=match)
        return None if former is None else replace(former, stage=Stage.DONE, sealed_grant=sealed_grant)

    async def _complete(self, ticket: Ticket, grant: Grant) -> Principal:
        """Make the link of a claimed ticket."""
        try:
            since = ticket.granted_at or ticket.created_at
            principal = await self._links.make(ticket.slack, grant, ticket.link_version, since)
        except Taken as taken:
            # The grant is dropped and not revoked: that could end the live grant of the same identity as well.
            await self._revoker.clear_grant(ticket)
            await self.refuse(ticket, grant.identity, IdentityTaken(), taken.holder)
        except (LinkError, SealBroken) as refused:
            await self._revoker.end_grant(ticket)
            await self.refuse(ticket, grant.identity, refused)
        except BaseException:
            await self._revoker.end_grant(ticket)
            raise
        await self._revoker.clear_grant(ticket)
        return principal

    async def _superseded(self, ticket: Ticket, grant: Grant) -> NoReturn:
        await self._revoker.discard(grant.refresh_token)
        await self.refuse(ticket, grant.identity, TicketUnknown(), tell=False)

    def _grant(self, ticket: Ticket) -> Grant:
        return Grant.from_bytes(self._vault.open(ticket.sealed_grant or "", record=ticket.record, name="grant"))

    def _seal(self, ticket: Ticket, name: str, plain: bytes) -> str:
        return self._vault.seal(plain, record=ticket.record, name=name)
