"""The side of Slack: a link for whoever has to authenticate once more, and the evidence, once they have."""

from __future__ import annotations

import json
from datetime import timedelta

import structlog

from oauth import tickets
from oauth.errors import SealBroken
from oauth.models import Clock, Evidence, LinkEvent, LinkObserver, Principal
from oauth.ports import LinkStore
from oauth.step_up.model import FRESH, LIFETIME, Stage, StepUpTicket, fresh
from oauth.step_up.ports import StepUpStore
from oauth.vault import Vault

log = structlog.get_logger(__name__)

STEPPED_UP = "step_up.done"
REASON = "step_up"
_MOMENT = timedelta(seconds=10)
# Whoever stored it hands on at once; longer than that takes, and then only a dead process has left it.
_LEFT_AFTER = timedelta(seconds=10)
_DONE = frozenset({Stage.DONE})


class StepUps:
    """Hands out links, and each evidence once."""

    def __init__(
        self,
        *,
        store: StepUpStore,
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

    async def start(self, principal: Principal, subject: str, about: str) -> str | None:
        """The address of a link for this person's DM, good for five minutes; it replaces a former one.

        None where one was made a moment ago, as at a double click: that is the one which they get. `subject` is what it
        counts for, and is given to `take` again; `about` is what the page says of it.
        """
        now, secret = self._clock(), tickets.new_secret()
        ticket = StepUpTicket(
            slack=principal.slack,
            sub=principal.sub,
            link_version=principal.version,
            subject=subject,
            about=about,
            hash=tickets.hashed(secret),
            stage=Stage.OPEN,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        if not await self._store.put(ticket, since=now - _MOMENT):
            return None
        try:
            await self._observer.record(LinkEvent("link.started", "ok", ticket.slack, principal.identity, REASON))
        except BaseException:
            # Nobody will get this link, so it must not be the one that a second click is pointed to.
            await self.withdraw(principal, subject)
            raise
        return f"{self._public_url}/step-up/{secret}"

    async def withdraw(self, principal: Principal, subject: str) -> None:
        """The link has not reached its person, so nobody is to use it."""
        ticket = await self._store.ticket(principal.slack, subject)
        if ticket is not None:
            await self._store.advance(ticket, {Stage.OPEN}, {"stage": Stage.VOID})

    async def take(self, principal: Principal, subject: str) -> Evidence | None:
        """How they have authenticated for it in the last five minutes, handed out once; None if that is not there."""
        ticket = await self._store.ticket(principal.slack, subject)
        if ticket is None or ticket.sealed_evidence is None:
            return None
        match = {"sealed_evidence": ticket.sealed_evidence}
        if await self._store.advance(ticket, _DONE, {"sealed_evidence": None}, match=match) is None:
            return None
        try:
            kept = json.loads(self._vault.open(ticket.sealed_evidence, record=ticket.record, name="evidence"))
        except SealBroken:  # altered in the database, or its key is gone; the person can sign in again
            log.warning("evidence_lost")
            return None
        evidence = Evidence(int(kept["auth_time"]), tuple(kept["amr"]))
        # Whose it is stands in the seal as well: nothing else in the record is believed.
        theirs = kept["of"] == [principal.identity.iss, principal.sub, principal.version]
        return evidence if theirs and fresh(evidence, self._clock()) else None

    async def sweep(self) -> None:
        """Tell once more of what nobody took, where its link stands."""
        now = self._clock()
        async for ticket in self._store.untaken(now, now + FRESH - _LEFT_AFTER):
            link = await self._links.link(ticket.slack)
            if link is not None and link.principal.version == ticket.link_version:
                await self._observer.notify(done(ticket, link.principal))


def done(ticket: StepUpTicket, who: Principal) -> LinkEvent:
    """Word that there is evidence to be taken; its reason is the subject."""
    return LinkEvent(STEPPED_UP, "ok", who.slack, who.identity, ticket.subject, who)
