"""Approvals on the requester's own device: asked through the identity provider, and heard of by asking again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from bot.approvals.model import Approval, State, Verdict
from bot.approvals.ports import ApprovalStore
from bot.errors import ApprovalError
from oauth import Asked, Clock, Declined, Evidence, IdentityError, Principal, StillAsked

log = structlog.get_logger(__name__)

_LONGEST_NAME = 51  # with a dash and twelve digits it is 64 characters, which is what Auth0 takes
_PATIENCE = timedelta(seconds=15)  # for one answer; then another replica may ask


class Devices(Protocol):
    """Asks people on their devices (OpenID Connect CIBA)."""

    async def ask(
        self, principal: Principal, binding_message: str, span: timedelta, details: Mapping[str, Any] | None = None
    ) -> Asked:
        """Raises NoDevice, DeviceRefused or ProviderUnavailable."""

    async def poll(self, asked: Asked, principal: Principal) -> StillAsked | Declined | Evidence:
        """Raises TokenInvalid or ProviderUnavailable."""


def binding_message(action: str, digest: str) -> str:
    """What the device shows and the card too, so that a person sees that both are about the same: at most 64 of the
    characters that Auth0 takes.
    """
    return f"{action[:_LONGEST_NAME]}-{digest[:12]}"


def details(approval_id: str, action: str, digest: str, scopes: frozenset[str]) -> dict[str, Any]:
    """What is asked, for a provider that shows it (RFC 9396): no value of an argument leaves the bot."""
    return {"approval": approval_id, "action": action, "digest": digest, "scopes": sorted(scopes)}


class Decisions(Protocol):
    """What can become of a request: `ApprovalService`."""

    async def decide(
        self, voter: Principal, id_: str, verdict: Verdict, *, evidence: Evidence | None = None
    ) -> Approval:
        """Raises ApprovalError."""

    async def expire(self, approval: Approval) -> Approval | None:
        """Its time is over."""

    async def cancel(self, approval: Approval, source: State, reason: str) -> Approval | None:
        """It cannot go on."""


class Polling:
    """Hears what came of it: one replica at a time, and no more often than the provider says."""

    def __init__(self, devices: Devices, store: ApprovalStore, approvals: Decisions, clock: Clock) -> None:
        self._devices = devices
        self._store = store
        self._approvals = approvals
        self._clock = clock

    async def heard(self, approval: Approval, requester: Principal) -> Approval | None:
        """The request as it stands if something came of it; None if it still waits, or another replica is at it."""
        now = self._clock()
        if approval.asked is None or not await self._store.claim_poll(approval, now, now + _PATIENCE):
            return None
        asked = Asked.from_json(approval.asked)
        try:
            came = await self._devices.poll(asked, requester)
        except IdentityError as error:
            log.warning("device_not_heard", approval=approval.id, kind=type(error).__name__)
            wait = max(asked.interval, getattr(error, "retry_after", None) or 0.0)
            await self._again(approval, asked, now + timedelta(seconds=wait))
            return None
        match came:
            case StillAsked(interval):
                slower = Asked(asked.auth_req_id, asked.expires_at, interval)
                await self._again(approval, slower, now + timedelta(seconds=interval))
                return None
            case Declined("expired_token"):
                return await self._approvals.expire(approval)
            case Declined():
                return await self._decided(approval, requester, Verdict.DENY, None)
            case evidence:
                return await self._decided(approval, requester, Verdict.APPROVE, evidence)

    async def _decided(
        self, approval: Approval, requester: Principal, verdict: Verdict, evidence: Evidence | None
    ) -> Approval | None:
        try:
            return await self._approvals.decide(requester, approval.id, verdict, evidence=evidence)
        except ApprovalError as error:
            # It came too late, or it is not enough for the policy: then nobody can ever agree to this one.
            return await self._approvals.cancel(approval, State.PENDING, error.code)

    async def _again(self, approval: Approval, asked: Asked, at: datetime) -> None:
        changed = asked.to_json() if asked.to_json() != approval.asked else None
        await self._store.poll_again(approval, min(at, approval.expires_at), changed)
