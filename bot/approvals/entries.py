"""The audit entries of a request: each vote has one, and so has each end that nobody voted for.

A step is taken first, atomically, and owes its entry until that is written; whoever finds one owed may write it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog

from bot.approvals.model import Approval, State, Verdict, Vote
from bot.approvals.ports import ApprovalStore
from bot.audit.writer import AuditWriter
from oauth import Clock, SlackUser

log = structlog.get_logger(__name__)

WRITING = timedelta(seconds=10)
_LOOKS, _LOOK_AGAIN = 20, 0.05  # so many, so many seconds apart; whoever clicked waits
_VERDICTS = {
    Verdict.APPROVE: ("approval.approved", "ok", None),
    Verdict.DENY: ("approval.denied", "denied", None),
    Verdict.WITHDRAW: ("approval.cancelled", "denied", "withdrawn"),
    Verdict.UNDO: ("approval.cancelled", "denied", "undone"),
}
_ENDS = {
    State.EXPIRED: ("approval.expired", "denied"),
    State.CANCELLED: ("approval.cancelled", "denied"),
    State.UNKNOWN: ("action.finished", "unknown"),
}


@dataclass(frozen=True, slots=True)
class _Entry:
    type: str
    outcome: str
    reason: str | None = None
    vote: Vote | None = None


class Entries:
    """Writes them, in the order of what happened."""

    def __init__(
        self,
        store: ApprovalStore,
        audit: AuditWriter,
        clock: Clock,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`pause` is how this waits, in seconds."""
        self._store = store
        self._audit = audit
        self._clock = clock
        self._pause = pause

    async def requested(self, approval: Approval) -> None:
        """Before anybody is asked. Raises AuditUnavailable."""
        await self._audit.append("approval.requested", "ok", request=approval.origin.request, **_common(approval))

    async def unasked(self, approval: Approval, reason: str) -> None:
        """It could not be asked after all. Raises AuditUnavailable."""
        await self._audit.append("approval.cancelled", "failed", reason=reason, **_common(approval))

    async def settle(self, approval: Approval, *, before: Approval | None = None) -> Approval:
        """The request with its entries written, or as it was if the trail cannot take them now.

        `before` is the request as the step found it: one more entry is owed since, the last one, and nobody else
        writes it. What was owed before that is being written by whoever took that step, so it is waited for.
        """
        fresh = before is not None and before.audited and approval.revision == before.revision + 1
        owed = list(_owed(approval))
        try:
            if before is None:
                for entry in owed:
                    if not await self._stands(approval, entry):
                        await self._write(approval, entry)
            else:
                for entry in () if fresh else owed[:-1]:
                    await self._awaited(approval, entry)
                # Whoever is taken for dead may have written down how it ended, and only not stored it any more.
                if owed[-1].type != "action.finished" or not await self._stands(approval, owed[-1]):
                    await self._write(approval, owed[-1])
            # What executes at once is noted down as settled by that very step; if that never comes, the round finds
            # the entry standing.
            if not (fresh and approval.state is State.APPROVED and approval.not_before is None):
                await self._store.audited(approval)
        except Exception as error:  # the trail or the store is away: what was decided stands, the round completes it
            log.error("entry_owed", approval=approval.id, state=str(approval.state), kind=type(error).__name__)
            return approval
        return replace(approval, audited=True)

    async def complete(self, approval: Approval) -> Approval:
        """Write what a replica owed when it went away, unless somebody is at it."""
        now = self._clock()
        if not await self._store.claim_entry(approval, now, now + WRITING):
            return approval
        return await self.settle(approval)

    async def refused(self, slack: SlackUser, sub: str, org: str | None, id_: str, reason: str) -> None:
        """Somebody's vote does not count. Raises AuditUnavailable."""
        await self._audit.append(
            "action.refused", "denied", slack=slack, sub=sub, org=org, reason=reason, approval=id_[:64]
        )

    async def _awaited(self, approval: Approval, entry: _Entry) -> None:
        """Raises LookupError where whoever has to write it seems to be gone: then the round completes them all."""
        for _ in range(_LOOKS):
            if await self._stands(approval, entry):
                return
            await self._pause(_LOOK_AGAIN)
        raise LookupError

    async def _stands(self, approval: Approval, entry: _Entry) -> bool:
        approver = entry.vote.by.user if entry.vote else None
        return await self._audit.recorded(approval.requester, entry.type, approval.id, approver)

    async def _write(self, approval: Approval, entry: _Entry) -> None:
        approver = _approver(entry.vote) if entry.vote else None
        await self._audit.append(entry.type, entry.outcome, reason=entry.reason, approver=approver, **_common(approval))


def _owed(approval: Approval) -> Iterator[_Entry]:
    """Every entry that there has to be, in order."""
    for vote in approval.votes:
        type_, outcome, reason = _VERDICTS[vote.verdict]
        yield _Entry(type_, outcome, reason, vote)
    by_vote = approval.last is not None and approval.last.verdict in {Verdict.WITHDRAW, Verdict.UNDO}
    if approval.state in _ENDS and not (by_vote and approval.state is State.CANCELLED):
        type_, outcome = _ENDS[approval.state]
        yield _Entry(type_, outcome, approval.reason)


def _common(approval: Approval) -> dict[str, Any]:
    return {
        "slack": approval.requester,
        "sub": approval.sub,
        "org": approval.org,
        "action": approval.action,
        "arguments": approval.arguments if approval.readable else None,
        "scopes": approval.scopes,
        "approval": approval.id,
        "run": approval.run,
    }


def _approver(vote: Vote) -> dict[str, Any]:
    """Who agreed to it, or did not: as the verified identity that they were then."""
    known: dict[str, Any] = {"team": vote.by.team, "user": vote.by.user, "sub": vote.sub}
    if vote.evidence is not None:
        known |= {"auth_time": vote.evidence.auth_time, "amr": list(vote.evidence.amr)}
    return known
