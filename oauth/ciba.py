"""Asking somebody on a device of their own: OpenID Connect CIBA Core 1.0, poll mode (Auth0, "User authentication with
CIBA")."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError

from oauth.answers import retry_after
from oauth.errors import DeviceRefused, NoDevice, ProviderRefused, ProviderUnavailable, TokenInvalid
from oauth.models import Clock, Evidence, Principal
from oauth.relying_party import RelyingParty
from oauth.verify import Nonce, Verifier, authentication

log = structlog.get_logger(__name__)

DETAILS = "countersign_action"
GRANT = "urn:openid:params:grant-type:ciba"
LONGEST = timedelta(seconds=300)  # what Auth0 takes as `requested_expiry`
BINDING = re.compile(r"[A-Za-z0-9+\-_.,:#]{1,64}")  # what Auth0 takes as `binding_message`
_INTERVAL, _SLOWER = 5.0, 5.0  # seconds: CIBA Core sections 7.3 and 11
_LONGEST_INTERVAL = 60.0

_UNKNOWN_THERE = {"unknown_user_id", "expired_login_hint_token", "missing_user_code"}
_NOT_OURS = {"invalid_client", "unauthorized_client", "invalid_scope", "invalid_binding_message"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits on somebody's device. `interval` in seconds is how long to wait between two polls."""

    auth_req_id: str = field(repr=False)
    expires_at: datetime
    interval: float = _INTERVAL

    def to_json(self) -> str:
        """To be sealed: whoever has it gets what the person agrees to."""
        return json.dumps([self.auth_req_id, self.expires_at.isoformat(), self.interval])

    @classmethod
    def from_json(cls, text: str) -> Asked:
        """What `to_json` gave."""
        name, until, interval = json.loads(text)
        return cls(str(name), datetime.fromisoformat(until), float(interval))


@dataclass(frozen=True, slots=True)
class StillAsked:
    """Nothing yet. The next poll may come after so many seconds."""

    interval: float


@dataclass(frozen=True, slots=True)
class Declined:
    """It will not be: `reason` is `access_denied` or `expired_token`."""

    reason: str


class Devices:
    """Asks, and hears what came of it. Keeps no token that comes with the answer: only who, when and how."""

    def __init__(self, provider: RelyingParty, verifier: Verifier, clock: Clock) -> None:
        self._provider = provider
        self._verifier = verifier
        self._clock = clock

    async def ask(
        self, principal: Principal, binding_message: str, span: timedelta, details: Mapping[str, Any] | None = None
    ) -> Asked:
        """Ask this person on their device. `binding_message` is shown there and here (`BINDING`), `span` how long.

        Where the provider knows the type `countersign_action`, `details` go along as its `authorization_details` (RFC
        9396). Raises NoDevice, DeviceRefused or ProviderUnavailable.
        """
        if BINDING.fullmatch(binding_message) is None:
            raise ValueError(binding_message)
        found = await self._provider.metadata()
        endpoint = found.get("backchannel_authentication_endpoint")
        if not isinstance(endpoint, str):
            raise DeviceRefused("unsupported")
        now, seconds = self._clock(), int(min(span, LONGEST).total_seconds())
        who = {"format": "iss_sub", "iss": principal.identity.iss, "sub": principal.sub}
        form = {
            "scope": "openid",
            "login_hint": json.dumps(who),
            "binding_message": binding_message,
            "requested_expiry": str(seconds),
        }
        types = found.get("authorization_details_types_supported")
        if details is not None and isinstance(types, list) and DETAILS in types:
            form["authorization_details"] = json.dumps([{"type": DETAILS, **details}])
        answer = await self._provider.posted(endpoint, form)
        body = _object(answer)
        if answer.status_code != 200:
            raise _refused(answer, body)
        name, lasts = body.get("auth_req_id"), body.get("expires_in")
        if not isinstance(name, str) or not 0 < len(name) <= 4096:
            raise ProviderUnavailable
        lasts = lasts if isinstance(lasts, int) and not isinstance(lasts, bool) and lasts > 0 else seconds
        return Asked(name, now + timedelta(seconds=min(lasts, seconds)), _sensible(body.get("interval")))

    async def poll(self, asked: Asked, principal: Principal) -> StillAsked | Declined | Evidence:
        """What came of it, asked no more often than it says. Raises TokenInvalid or ProviderUnavailable.

        The ID token has to be of this very person (CIBA Core section 10.1.1).
        """
        try:
            given = await self._provider.granted({"grant_type": GRANT, "auth_req_id": asked.auth_req_id})
        except OAuthError as error:
            match error.error:
                case "authorization_pending":
                    return StillAsked(asked.interval)
                case "slow_down":
                    return StillAsked(min(asked.interval + _SLOWER, _LONGEST_INTERVAL))
                case "access_denied" | "expired_token":
                    return Declined(str(error.error))
                case "invalid_grant":
                    return Declined("expired_token")  # unknown there, so over
            log.error("provider_refused", asked_for="ciba")
            raise ProviderRefused(untouched=True) from None
        token = given.get("id_token")
        if not isinstance(token, str):
            raise TokenInvalid("id_token")
        signed_in = await self._verifier.id_token(token, nonce=Nonce.NONE)
        if (signed_in.identity.iss, signed_in.identity.sub) != (principal.identity.iss, principal.sub):
            raise TokenInvalid("sub")
        claims = dict(signed_in.claims)
        if claims.get("urn:openid:params:jwt:claim:auth_req_id", asked.auth_req_id) != asked.auth_req_id:
            raise TokenInvalid("auth_req_id")
        # It was just now that they have authenticated, whether or not the token says so in a claim of its own.
        return authentication({"auth_time": claims.get("iat"), **claims})


def _refused(answer: httpx2.Response, body: Mapping[str, Any]) -> Exception:
    """Of the errors of CIBA Core section 13, and what Auth0 says where nobody can be reached."""
    error, said = str(body.get("error", "")), str(body.get("error_description", "")).lower()
    if answer.status_code == 429:
        return ProviderUnavailable(retry_after(answer), untouched=True)
    if answer.status_code >= 500:
        return ProviderUnavailable(retry_after(answer))
    if error in _UNKNOWN_THERE or "enroll" in said or "push notification" in said:
        return NoDevice()
    log.error("provider_refused", asked_for="ciba", error=error if error in _NOT_OURS else "other")
    return DeviceRefused(error if error in _NOT_OURS else "refused")


def _object(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _sensible(interval: object) -> float:
    """Seconds; 5 where none is given (CIBA Core section 7.3)."""
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not 0 < interval <= _LONGEST_INTERVAL:
        return _INTERVAL
    return float(interval)
