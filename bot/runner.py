"""What is asked for is checked, agreed to, and carried out once; every call goes through `bot.door`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from bot.actions.arguments import check
from bot.actions.model import WHY, Action, ActionResult, digest_of
from bot.actions.registry import Registry
from bot.actions.tokens import token_of
from bot.approvals.devices import Devices, Polling
from bot.approvals.executions import End, Executions
from bot.approvals.model import Approval, Origin, State
from bot.approvals.ports import ApprovalStore
from bot.approvals.service import ApprovalService, Draft
from bot.approvals.states import agreed
from bot.audit.writer import AuditWriter
from bot.begun import Begun
from bot.door import BROKE_OFF, Door, reason_of
from bot.ended import EndedLinks
from bot.errors import (
    ActionError,
    ActionUnknown,
    ApprovalError,
    ArgumentsInvalid,
    AuditUnavailable,
    CountersignError,
    PolicyUnclear,
)
from bot.habits import Habits
from bot.ports import People, Tokens
from bot.receipts import Receipts
from bot.sweep import Sweep
from bot.work import Works
from oauth import Clock, IdentityError, Principal
from oauth.errors import ScopeRefused

log = structlog.get_logger(__name__)

_LONGEST_WHY = 500
_PATIENCE = 10.0  # how long a round waits for what it has begun; the work itself goes on
_ENDING = 6.0
_AT_ONCE = 0.3  # seconds; what takes no longer changes the card once
_TRIES = 3  # what brought down this many replicas brings down the next one too


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
        habits: Habits,
        receipts: Receipts,
        audience: str,
        clock: Clock,
        longest: float = 120.0,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        works: Works | None = None,
        devices: Devices | None = None,
    ) -> None:
        """`longest` is how long one call may take, in seconds, where its action does not say so; `pause` is how this
        waits. With `works` people see what lasts, and can stop it.
        """
        self._registry = registry
        self._tokens = tokens
        self._people = people
        self._audit = audit
        self._approvals = approvals
        self._habits = habits
        self._audience = audience
        self._door = Door(tokens, people, audit, audience, longest, receipts, works)
        self._works = works
        self._executions = Executions(store, clock, pause)
        self._ended_links = EndedLinks(store, approvals, people, clock)
        self._sweep = Sweep(store, approvals, clock, self._ended_links, self._begin, self._left_behind, self._poll)
        self._polling = Polling(devices, store, approvals, clock) if devices is not None else None
        self._begun = Begun(pause)

    async def run(self, principal: Principal, name: str, raw: Mapping[str, Any], origin: Origin) -> Finished | Waiting:
        """Check, then run or ask. Raises ActionUnknown, ArgumentsInvalid, TooLargeToShow, IdentityError or
        AuditUnavailable; AccountNotConnected before anybody is asked to approve what could not be carried out.

        Under `WHY` in `raw` is what the requester says about it.
        """
        why = str(raw.get(WHY) or "").strip()[:_LONGEST_WHY] or None
        try:
            action = self._registry.get(name)
            arguments = check(action, raw)
            if not action.login_scopes <= principal.scopes:
                raise ScopeRefused(action.login_scopes - principal.scopes)
            policy = action.policy_for(arguments, principal)
            if policy.reason and why is None:
                raise ArgumentsInvalid({}, (WHY,))
            if action.connection is not None and policy.kind != "none":
                # Only to see that there is one. It is let go of: while a person decides, nobody holds a token.
                await token_of(self._tokens, principal, action, self._audience)
        except (ActionError, IdentityError) as error:
            # Values that are only missing are asked for in a form; all else is a refusal.
            if not isinstance(error, ArgumentsInvalid) or error.problems:
                known = None if isinstance(error, ActionUnknown) else name
                await self._turned_down(principal, known, error.code, origin)
            raise
        run = secrets.token_hex(16)
        if policy.kind == "none":
            work = self._door.call(principal, action, arguments, run, request=origin.request)
            return Finished(action.name, await self._begun.to_its_end(work))
        try:
            seen = await self._door.look(principal, action, arguments, run, request=origin.request)
            unusual = await self._habits.unusual(principal, name, arguments)
            draft = Draft(action, arguments, policy, run, why, seen, unusual)
            return Waiting(await self._approvals.request(principal, draft, origin))
        except (ApprovalError, IdentityError) as error:
            await self._turned_down(principal, name, error.code, origin)
            raise

    async def _turned_down(self, principal: Principal, action: str | None, reason: str, origin: Origin) -> None:
        await self._audit.append(
            "action.refused",
            "denied",
            slack=principal.slack,
            identity=principal.identity,
            reason=reason,
            action=action,
            request=origin.request,
        )

    async def resume(self, approval: Approval) -> bool:
        """Execute an approved request, once among all replicas, if all is still as it was agreed.

        Whether it was this one.
        """
        work = await self._started(approval)
        if work is not None:
            await asyncio.shield(work)
        return work is not None

    async def _begin(self, approval: Approval) -> None:
        """As `resume`, for a round that has others to see to while this one takes its time."""
        work = await self._started(approval)
        if work is not None:
            await self._begun.for_a_while(work, _PATIENCE)

    async def _started(self, approval: Approval) -> asyncio.Task[None] | None:
        """What takes no time changes the card once; else that shows the person meanwhile that it goes on."""
        mine = await self._executions.begin(approval)
        if mine is None:
            return None
        work = self._begun.start(self._carry_out(mine))
        if not await self._begun.for_a_while(work, _AT_ONCE):
            await self._approvals.speak(mine)  # the card offers to stop it from now on, and no longer to undo it
        return work

    async def end_left_runs(self) -> None:
        """Say of work that lasted, and whose process is gone, that nobody knows what came of it."""
        if self._works is not None:
            await self._works.sweep()

    async def sweep(self) -> None:
        """Pick up what a dead replica left, and say what is unsaid. For the periodic round of every replica."""
        await self._sweep()

    async def end_with_links(self) -> None:
        """Cancel what was asked for under links that have ended: a round of its own, that waits for no Slack."""
        await self._ended_links()

    async def close(self, seconds: float = 25.0) -> None:
        """Wait for what is being executed and said."""
        await self._begun.close(seconds)
        if self._works is not None:
            self._works.break_off()
            await self._begun.close(_ENDING)
            await self._works.close(_ENDING)
        await self._approvals.close()

    async def _carry_out(self, approval: Approval) -> None:
        async with self._executions.alive(approval):
            ended = await self._executions.end(approval, await self._outcome(approval))
        if ended is not None:
            await self._approvals.speak(ended)
            if ended.state is State.DONE:
                await self._habits.carried_out(ended.requester, ended.sub, ended.action, ended.arguments)

    async def _outcome(self, approval: Approval) -> End:
        """How the execution of an approved request ends. Nothing escapes: people must be told."""
        try:
            principal = await self._people.principal(approval.requester)
            if principal is None or principal.sub != approval.sub or principal.version != approval.link_version:
                await self._refused(approval, "not_linked")
                return End(State.CANCELLED, "The account was unlinked since, so nothing was done.", "not_linked")
            for vote in approval.votes:
                if vote.by.key == approval.requester.key:
                    continue
                voter = await self._people.principal(vote.by)
                if voter is None or voter.sub != vote.sub or voter.version != vote.link_version:
                    await self._refused(approval, "approver_unlinked")
                    text = "The account of somebody who agreed was unlinked since, so nothing was done. Ask again."
                    return End(State.CANCELLED, text, "approver_unlinked")
            action = self._unchanged(approval, principal)
            if action is None or not agreed(approval):
                await self._refused(approval, "changed_since_asked")
                text = "The action was changed since it was shown, so nothing was done. Ask again."
                return End(State.CANCELLED, text, "changed_since_asked")
            result = await self._door.call(principal, action, approval.arguments, approval.run, approval=approval)
        except (CountersignError, IdentityError) as error:
            return End(State.FAILED, f"Nothing was done: {error.code.replace('_', ' ')}.", error.code)
        except Exception as error:  # all that the call itself raises ends in its result, so this came before it
            log.error("execution_failed", approval=approval.id, kind=type(error).__name__)
            return End(State.FAILED, "Nothing was done: something in the bot failed. Ask again.", "internal")
        state = State.UNKNOWN if result.unknown else State.DONE if result.ok else State.FAILED
        return End(state, result.text, reason_of(result))

    def _unchanged(self, approval: Approval, principal: Principal | None) -> Action | None:
        """The action, if what would run is what was shown."""
        try:
            action = self._registry.get(approval.action)
        except ActionUnknown:
            return None
        try:
            policy = action.policy_for(approval.arguments, principal) if principal else approval.policy
        except PolicyUnclear:
            return None
        same = approval.readable and digest_of(action, approval.arguments, policy) == approval.digest
        return action if same else None

    async def _poll(self, approval: Approval) -> None:
        """What came of it on the requester's own device; what was agreed to there begins at once."""
        requester = await self._people.principal(approval.requester)
        if self._polling is not None and requester is not None and requester.version == approval.link_version:
            decided = await self._polling.heard(approval, requester)
            if decided is not None and decided.state is State.APPROVED and decided.audited:
                await self._begin(decided)
                return
            approval = decided or approval
        await self._approvals.speak(approval)

    async def _left_behind(self, approval: Approval) -> None:
        """A replica died in mid-call. Only what may be repeated is; the rest is said to be unknown."""
        action = self._unchanged(approval, await self._people.principal(approval.requester))
        if action is None or not action.idempotent or approval.tries >= _TRIES:
            await self._approvals.interrupted(approval, f"The bot was stopped in mid-call, {BROKE_OFF}")
            return
        mine = await self._executions.take_over(approval)
        if mine is not None:
            await self._begun.for_a_while(self._begun.start(self._carry_out(mine)), _PATIENCE)

    async def _refused(self, approval: Approval, reason: str) -> None:
        try:
            await self._audit.append(
                "action.refused",
                "denied",
                slack=approval.requester,
                sub=approval.sub,
                reason=reason,
                action=approval.action,
                arguments=approval.arguments if approval.readable else None,
                approval=approval.id,
                run=approval.run,
            )
        except AuditUnavailable:
            log.error("audit_lost", approval=approval.id, reason=reason)
