"""The one door: the only place where an action calls out, under its person's own token, between two audit entries."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from bot.actions.model import Action, ActionResult, Call, inert
from bot.actions.tokens import token_of
from bot.approvals.model import Approval
from bot.audit.writer import AuditWriter
from bot.ports import People, Tokens
from bot.receipts import Receipts
from oauth import AccessToken, IdentityError, Principal
from oauth.errors import NotLinked

log = structlog.get_logger(__name__)

BROKE_OFF = "so it may or may not have been done. Look there before you ask again."
PREVIEW = "preview"
_UNSEEN: tuple[tuple[str, str], ...] = (("preview", "The service did not say anything that can be shown here."),)
_LONGEST_LOOK = 10.0


@dataclass(frozen=True, slots=True)
class Door:
    """Token, entry, one more look at the link, call, entry. `longest` is how long a call may take, in seconds."""

    tokens: Tokens
    people: People
    audit: AuditWriter
    audience: str
    longest: float
    receipts: Receipts

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
        audience = action.audience or self.audience
        receipt = self.receipts.make(approval, audience, token) if approval and not action.connection else None
        try:
            async with asyncio.timeout(self.longest):
                result = await action.call(Call(principal, arguments, token, run, receipt))
        except Exception as error:
            log.error("action_failed", action=action.name, kind=type(error).__name__)
            result = ActionResult(ok=False, text=f"The action broke off, {BROKE_OFF}", unknown=True)
        result = inert(inert(result, token.value), receipt or "")
        outcome = "unknown" if result.unknown else "ok" if result.ok else "failed"
        await self._left(common, outcome, reason_of(result), token)
        return result

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

    async def _left(self, common: dict[str, Any], outcome: str, reason: str | None, token: AccessToken) -> None:
        try:
            await self.audit.append("action.finished", outcome, reason=reason, token_jti=token.jti, **common)
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
    if result.ok:
        return None
    return f"http_{result.status}" if result.status else "no_answer"


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
