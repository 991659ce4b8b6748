"""The one door: the only place where an action executes, under its person's own token, between two audit entries."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import structlog

from bot.actions.arguments import check
from bot.actions.model import Action, ActionResult, Call, digest_of
from bot.actions.registry import Registry
from bot.approvals.model import Approval, Origin, State
from bot.approvals.ports import ApprovalStore
from bot.approvals.service import ApprovalService
from bot.audit.writer import AuditWriter
from bot.errors import ActionUnknown, AuditUnavailable, CountersignError
from oauth import AccessToken, Clock, IdentityError, Principal, SlackUser

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=20)
_BEAT = 5.0


class Tokens(Protocol):
    """Where tokens come from."""

    async def token(
        self, principal: Principal, scopes: frozenset[str], audience: str, fresh_for: float = 0.0
    ) -> AccessToken:
        """A token for this person and these scopes."""


class People(Protocol):
    """Who is linked."""

    async def principal(self, slack: SlackUser) -> Principal | None:
        """The live link of a person."""


@dataclass(frozen=True, slots=True)
class Finished:
    """It ran."""

    action: str
    result: ActionResult


@dataclass(frozen=True, slots=True)
class Waiting:
    """It runs when somebody agrees."""

    approval: Approval


class Runner:
    """Runs actions. Whoever asks is the principal; nothing in arguments can change that."""

    def __init__(
        self,
        *,
        registry: Registry,
        tokens: Tokens,
        people: People,
        audit: AuditWriter,
        approvals: ApprovalService,
        store: ApprovalStore,
        audience: str,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._tokens = tokens
        self._people = people
        self._audit = audit
        self._approvals = approvals
        self._store = store
        self._audience = audience
        self._clock = clock

    async def run(self, principal: Principal, name: str, raw: Mapping[str, Any], origin: Origin) -> Finished | Waiting:
        """Check, then run or ask. Raises ActionUnknown, ArgumentsInvalid, IdentityError or AuditUnavailable."""
        action = self._registry.get(name)
        arguments = check(action, raw)
        run = secrets.token_hex(16)
        if action.approval == "none":
            return Finished(action.name, await self._execute(principal, action, arguments, run, request=origin.request))
        return Waiting(await self._approvals.request(principal, action, arguments, run, origin))

    async def resume(self, approval: Approval) -> None:
        """Execute an approved request, once among all replicas, if all is still as it was agreed."""
        mine = await self._store.move(
            approval,
            State.APPROVED,
            State.EXECUTING,
            now=self._clock(),
            lease_until=self._clock() + LEASE,
            audited_only=True,
        )
        if mine is None:
            return
        await self._carry_out(mine)

    async def sweep(self) -> None:
        """Pick up what a dead replica left, and say what is unsaid. For the periodic round of every replica."""
        async for approval, lease_until in self._store.unsettled():
            now = self._clock()
            over = lease_until is None or lease_until <= now
            decided_long_ago = approval.decided_at is not None and approval.decided_at + LEASE <= now
            if approval.state is State.PENDING and approval.expires_at <= now:
                await self._approvals.expire(approval)
            elif approval.state is State.EXECUTING and over:
                await self._left_behind(approval)
            elif approval.state in {State.APPROVED, State.DENIED} and not approval.audited and decided_long_ago:
                voter = await self._people.principal(approval.decider) if approval.decider else None
                await self._approvals.write_verdict(approval, voter)
            elif approval.state is State.APPROVED and approval.audited:
                await self.resume(approval)
            else:
                await self._approvals.speak(approval)

    async def _carry_out(self, approval: Approval) -> None:
        heart = asyncio.create_task(self._keep_alive(approval))
        try:
            state, text = await self._outcome(approval)
        finally:
            heart.cancel()
        done = await self._store.move(
            approval,
            State.EXECUTING,
            state,
            now=self._clock(),
            result=text,
            reason=None if state is State.DONE else text,
        )
        if done is not None:
            await self._approvals.speak(done)

    async def _outcome(self, approval: Approval) -> tuple[State, str]:
        """How the execution of an approved request ends. Nothing escapes: people must be told."""
        principal = await self._people.principal(approval.requester)
        try:
            action = self._registry.get(approval.action)
            changed = digest_of(action, approval.arguments) != approval.digest
        except ActionUnknown:
            changed = True
        if principal is None or principal.sub != approval.sub or principal.version != approval.link_version:
            await self._refused(approval, "not_linked")
            return State.CANCELLED, "The account was unlinked since, so nothing was done."
        if changed:
            await self._refused(approval, "changed_since_asked")
            return State.CANCELLED, "The action was changed since it was shown, so nothing was done. Ask again."
        try:
            result = await self._execute(
                principal, action, approval.arguments, approval.run, approval=approval.id, request=None
            )
        except (CountersignError, IdentityError) as error:
            return State.FAILED, f"Nothing was done: {error.code.replace('_', ' ')}."
        if result.unknown:
            return State.UNKNOWN, result.text
        return (State.DONE if result.ok else State.FAILED), result.text

    async def _execute(
        self,
        principal: Principal,
        action: Action,
        arguments: Mapping[str, Any],
        run: str,
        *,
        approval: str | None = None,
        request: str | None = None,
    ) -> ActionResult:
        """The call itself: token, entry, call, entry."""
        common: dict[str, Any] = {
            "slack": principal.slack,
            "identity": principal.identity,
            "action": action.name,
            "arguments": arguments,
            "scopes": action.scopes,
            "approval": approval,
            "run": run,
            "request": request,
        }
        try:
            token = await self._tokens.token(principal, action.scopes, action.audience or self._audience)
        except IdentityError as error:
            await self._audit.append("action.refused", "denied", reason=error.code, **common)
            raise
        await self._audit.append("action.started", "ok", token_jti=token.jti, **common)
        try:
            result = await action.call(Call(principal, arguments, token, run))
        except Exception as error:
            log.error("action_failed", action=action.name, kind=type(error).__name__)
            text = "The action broke off, so it may or may not have been done. Look there before you ask again."
            result = ActionResult(ok=False, text=text, unknown=True)
        outcome = "unknown" if result.unknown else "ok" if result.ok else "failed"
        reason = None if result.ok else f"http_{result.status}" if result.status else "no_answer"
        try:
            await self._audit.append("action.finished", outcome, reason=reason, token_jti=token.jti, **common)
        except AuditUnavailable:
            # It ran, and its beginning is on record. The log keeps what the trail could not take.
            log.error("audit_lost", action=action.name, run=run, outcome=outcome)
        return result

    async def _left_behind(self, approval: Approval) -> None:
        """A replica died in mid-call. Only what may be repeated is; the rest is said to be unknown."""
        try:
            again = self._registry.get(approval.action).idempotent
        except ActionUnknown:
            again = False
        if again:
            now = self._clock()
            mine = await self._store.move(approval, State.EXECUTING, State.EXECUTING, now=now, lease_until=now + LEASE)
            if mine is not None:
                await self._carry_out(mine)
            return
        text = "The bot was stopped in mid-call, so it may or may not have been done. Look there before you ask again."
        moved = await self._store.move(
            approval, State.EXECUTING, State.UNKNOWN, now=self._clock(), result=text, reason="interrupted"
        )
        if moved is None:
            return
        await self._audit.append(
            "action.finished",
            "unknown",
            slack=approval.requester,
            reason="interrupted",
            action=approval.action,
            arguments=approval.arguments,
            approval=approval.id,
            run=approval.run,
        )
        await self._approvals.speak(moved)

    async def _refused(self, approval: Approval, reason: str) -> None:
        await self._audit.append(
            "action.refused",
            "denied",
            slack=approval.requester,
            reason=reason,
            action=approval.action,
            arguments=approval.arguments,
            approval=approval.id,
            run=approval.run,
        )

    async def _keep_alive(self, approval: Approval) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            await self._store.beat(approval, self._clock() + LEASE)
