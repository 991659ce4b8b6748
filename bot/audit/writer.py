"""The only writer of audit entries. What it cannot write does not happen: callers await it before they act."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.util import urlsafe_b64decode

from bot.audit.chain import Entry, arguments_digest
from bot.audit.groups import GroupCommit
from bot.audit.ports import AuditStore
from oauth import Clock, Identity, SlackUser

_PATIENCE = 8.0


class AuditWriter:
    """Appends to the chain of a workspace. Entries of one process are written in groups; those of others are raced."""

    def __init__(
        self, store: AuditStore, audit_key: Mapping[str, Any], clock: Clock, *, patience: float = _PATIENCE
    ) -> None:
        """`audit_key` is the Ed25519 JWK; the key of the argument digests is derived from it (RFC 5869).

        `patience` in seconds is how long other replicas may be first. By time and not by tries: how many groups the
        others write meanwhile is theirs to say.
        """
        self._store = store
        self._clock = clock
        self._patience = patience
        self._digest_key = HKDF(hashes.SHA256(), 32, None, b"countersign arguments digest").derive(
            urlsafe_b64decode(str(audit_key["d"]).encode())
        )
        self._chains: dict[str, GroupCommit] = {}

    async def append(
        self,
        type_: str,
        outcome: str,
        *,
        slack: SlackUser | None = None,
        identity: Identity | None = None,
        sub: str | None = None,
        org: str | None = None,
        reason: str | None = None,
        action: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        scopes: frozenset[str] | None = None,
        token_jti: str | None = None,
        approval: str | None = None,
        approver: Mapping[str, Any] | None = None,
        run: str | None = None,
        request: str | None = None,
    ) -> Entry:
        """Write one entry and return it. `sub` and `org` are for where only those are known of an identity,
        `approver` is `{team, user, sub, auth_time, amr}` of whoever decided.

        Raises AuditUnavailable.
        """
        chain = slack.workspace if slack else "-"
        fields = {
            "chain": chain,
            "at": _rfc3339(self._clock()),
            "type": type_,
            "outcome": outcome,
            "reason": reason,
            "team": slack.team if slack else None,
            "user": (slack.user or None) if slack else None,
            "sub": identity.sub if identity else sub,
            "org": identity.org if identity else org,
            "action": action,
            "arguments_digest": arguments_digest(arguments, self._digest_key) if arguments is not None else None,
            "scopes": sorted(scopes) if scopes is not None else None,
            "token_jti": token_jti,
            "approval": approval,
            "approver": dict(approver) if approver is not None else None,
            "run": run,
            "request": request,
        }
        # What comes from outside may hold half a surrogate pair, which neither a digest nor a database takes.
        fields = {name: _text(value) for name, value in fields.items()}
        return await self._of(chain).write(fields)

    async def recorded(self, slack: SlackUser, type_: str, approval: str, approver: str | None = None) -> bool:
        """Whether the person's chain has an entry of this type about this approval, and of this approver's if named.

        Raises AuditUnavailable.
        """
        return await self._store.recorded(slack.workspace, slack.user, type_, approval, approver)

    def _of(self, chain: str) -> GroupCommit:
        if chain not in self._chains:
            self._chains[chain] = GroupCommit(chain, self._store, patience=self._patience)
        return self._chains[chain]


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(one) for one in value]
    if isinstance(value, dict):
        return {name: _text(one) for name, one in value.items()}
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _rfc3339(at: datetime) -> str:
    at = at.astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
