"""The one door: the only place where an action calls out, under its person's own token, between two audit entries."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot.actions.model import Action, ActionResult, Call, inert
from bot.actions.tokens import token_of
from bot.approvals.model import Approval
from bot.audit.writer import AuditWriter
from bot.ports import People, Tokens
from bot.receipts import Receipts
from bot.work.live import LiveWork
from bot.work.model import Stop
from bot.work.works import Stopped, Works
from oauth import AccessToken, IdentityError, Principal
from oauth.errors import NotLinked

log = structlog.get_logger(__name__)

BROKE_OFF = "so it may or may not have been done. Look there before you ask again."
PREVIEW = "preview"
_UNSEEN: tuple[tuple[str, str], ...] = (("preview", "The service did not say anything that can be shown here."),)
_LONGEST_LOOK = 10.0
CONTINUED = "continued"
_SAFE = {"GET", "HEAD"}
_STOPPED = {
    "stopped": "It was stopped",
    "not_linked": "The account was unlinked while it went on, and so it was stopped",
    "interrupted": "The bot itself was stopped",
    "store_unavailable": "Nobody could see any more whether the account is still linked, and so it was stopped",
}


@dataclass(frozen=True, slots=True)
class Door:
    """Token, entry, one more look at the link, call, entry. `longest` is how long a call may take, in seconds, where
    the action does not say so; with `works` people see those that last, and can stop them.
    """

    tokens: Tokens
    people: People
    audit: AuditWriter
    audience: str
    longest: float
    receipts: Receipts
    works: Works | None = None

    async def call(
        self,
        principal: Principal,
        action: Action,
        arguments: Mapping[str, Any],
        run: str,
        *,
        approval: Approval | None = None,
        request: str | None = None,
    ) -> ActionResult:
        """Carry it out. Raises IdentityError or AuditUnavailable before anything was called."""
        common = _common(principal, action, arguments, run, approval.id if approval else None, request)
        token = await self._entered(principal, action, common)
        receipt, stop = None, None
        try:
            if approval is not None and action.connection is None:
                receipt = self.receipts.make(approval, action.audience or self.audience, token)
            call = Call(principal, arguments, token, run, receipt)
            result, stop = await self._carried_out(call, action, approval, common)
        except Stopped as stopped:
            stop = stopped.stop
            result = _broken_off(action, stop)
        except Exception as error:
            log.error("action_failed", action=action.name, kind=type(error).__name__)
            result = ActionResult(ok=False, text=f"The action broke off, {BROKE_OFF}", unknown=True)
        result = inert(inert(result, token.value), receipt or "")
        outcome = "unknown" if result.unknown else "ok" if result.ok else "failed"
        await self._left(common, outcome, reason_of(result), token, _stopper(stop, principal))
        return result

    async def _carried_out(
        self, call: Call, action: Action, approval: Approval | None, common: dict[str, Any]
    ) -> tuple[ActionResult, Stop | None]:
        """What came back, without any token; and why it had to stop, if it had to. Raises what the call does."""
        longest = action.longest.total_seconds() if action.longest is not None else self.longest
        if self.works is None:
            async with asyncio.timeout(longest):
                return replace(await action.call(call), reason=None), None

        async def act(work: LiveWork) -> ActionResult:
            return await action.call(replace(call, work=work))

        known = {call.token.value}

        async def renew() -> AccessToken:
            token = await self._renewed(call, action, common, known)
            known.add(token.value)
            return token

        running = self.works.running(call.principal, action.name, call.run, approval)
        result, work = await self.works.carry_out(
            running, act, longest=longest, renew=renew, secret=call.token.value, repeatable=action.idempotent
        )
        for secret in work.secrets:
            result = inert(result, secret)
        if work.stop is None or result.ok:
            return replace(result, reason=None), None  # the words in the trail are ours alone
        return replace(result, reason=work.stop.reason), work.stop

    async def _renewed(self, call: Call, action: Action, common: dict[str, Any], known: set[str]) -> AccessToken:
        """A token for the same call; one that is not `known` yet is on record before it is used."""
        token = await token_of(self.tokens, call.principal, action, self.audience)
        if token.value not in known:
            await self.audit.append("action.started", "ok", reason=CONTINUED, token_jti=token.jti, **common)
            await self._still_linked(call.principal)
        return token

    async def look(
        self,
        principal: Principal,
        action: Action,
        arguments: Mapping[str, Any],
        run: str,
        *,
        request: str | None = None,
    ) -> tuple[tuple[str, str], ...]:
        """What the action's preview shows; nothing where it has none. Raises as `call` does.

        It is a call like any other, on record with the reason `preview`; what goes wrong with it is shown instead.
        """
        if action.look is None:
            return ()
        common = _common(principal, action, arguments, run, None, request)
        token = await self._entered(principal, action, common, reason=PREVIEW)
        outcome, seen = "ok", _UNSEEN
        try:
            async with asyncio.timeout(_LONGEST_LOOK):
                seen = await action.look(Call(principal, arguments, token, run)) or _UNSEEN
        except Exception as error:
            log.warning("preview_failed", action=action.name, kind=type(error).__name__)
            outcome = "failed"
        await self._left(common, outcome, PREVIEW, token)
        return tuple((name, value.replace(token.value, "[token]")) for name, value in seen)

    async def _entered(
        self, principal: Principal, action: Action, common: dict[str, Any], reason: str | None = None
    ) -> AccessToken:
        try:
            token = await token_of(self.tokens, principal, action, self.audience)
        except IdentityError as error:
            await self.audit.append("action.refused", "denied", reason=error.code, **common)
            raise
        await self.audit.append("action.started", "ok", reason=reason, token_jti=token.jti, **common)
        try:
            await self._still_linked(principal)  # the entry may have taken its time, and the grant ended meanwhile
        except IdentityError as error:
            await self.audit.append("action.finished", "denied", reason=error.code, token_jti=token.jti, **common)
            raise
        return token

    async def _left(
        self,
        common: dict[str, Any],
        outcome: str,
        reason: str | None,
        token: AccessToken,
        approver: Mapping[str, str] | None = None,
    ) -> None:
        try:
            await self.audit.append(
                "action.finished", outcome, reason=reason, token_jti=token.jti, approver=approver, **common
            )
        except Exception as error:
            # It ran, and its beginning is on record. The log keeps what the trail could not take.
            kind = type(error).__name__
            log.error("audit_lost", action=common["action"], run=common["run"], outcome=outcome, kind=kind)

    async def _still_linked(self, principal: Principal) -> None:
        there = await self.people.principal(principal.slack)
        if there is None or there.version != principal.version:
            raise NotLinked


def reason_of(result: ActionResult) -> str | None:
    """Why it failed, as a stable word."""
    if result.ok or result.reason:
        return None if result.ok else result.reason
    return f"http_{result.status}" if result.status else "no_answer"


def _broken_off(action: Action, stop: Stop) -> ActionResult:
    """It was stopped, and does not say itself what came of it."""
    because = _STOPPED.get(stop.reason, _STOPPED["stopped"])
    if action.definition.get("method") in _SAFE:
        return ActionResult(ok=False, text=f"{because}. It only reads, so nothing was done.", reason=stop.reason)
    return ActionResult(ok=False, text=f"{because}, {BROKE_OFF}", unknown=True, reason=stop.reason)


def _stopper(stop: Stop | None, principal: Principal) -> Mapping[str, str] | None:
    """Who stopped it, where that was not who asked for it."""
    by = stop.by if stop is not None else None
    if by is None or by.slack.key == principal.slack.key:
        return None
    return {"team": by.slack.team, "user": by.slack.user, "sub": by.sub}


def _common(
    principal: Principal,
    action: Action,
    arguments: Mapping[str, Any],
    run: str,
    approval: str | None,
    request: str | None,
) -> dict[str, Any]:
    return {
        "slack": principal.slack,
        "identity": principal.identity,
        "action": action.name,
        "arguments": arguments,
        "scopes": action.scopes,
        "approval": approval,
        "run": run,
        "request": request,
    }
