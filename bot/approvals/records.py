"""How a request is written down: a document with its private parts sealed for this record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Protocol, TypeVar

import structlog

from bot.approvals.model import Approval, CardPlace, Origin, State
from oauth import SlackUser
from oauth.errors import SealBroken

log = structlog.get_logger(__name__)

Document = dict[str, Any]
SCHEMA = 1
_Noun = TypeVar("_Noun", Origin, CardPlace, SlackUser)


class Sealer(Protocol):
    """Seals for one field of one record."""

    def seal(self, plain: bytes, *, record: str, name: str) -> str:
        """The sealed form."""

    def open(self, sealed: str, *, record: str, name: str) -> bytes:
        """What was sealed. Raises SealBroken."""


def key_of(approval: Approval) -> str:
    """The primary key."""
    return f"{approval.requester.workspace}:{approval.id}"


def sealed_result(approval: Approval, result: str, sealer: Sealer) -> str:
    """The outcome's text as it is kept."""
    return sealer.seal(result.encode("utf-8", "replace"), record=key_of(approval), name="result")


def document_of(approval: Approval, sealer: Sealer) -> Document:
    """A new request as it is kept."""
    key = key_of(approval)
    private = {"arguments": dict(approval.arguments), "origin": asdict(approval.origin)}
    return {
        "_id": key,
        "schema": SCHEMA,
        "id": approval.id,
        "workspace": approval.requester.workspace,
        **asdict(approval.requester),
        "sub": approval.sub,
        "link_version": approval.link_version,
        "action": approval.action,
        "description": approval.description,
        "private": sealer.seal(json.dumps(private).encode(), record=key, name="private"),
        "scopes": sorted(approval.scopes),
        "connection": approval.connection,
        "digest": approval.digest,
        "run": approval.run,
        "created_at": approval.created_at,
        "expires_at": approval.expires_at,
        "state": str(approval.state),
        "revision": approval.revision,
        "audited": approval.audited,
        "told": approval.told,
        "card": None,
        "tries": 0,
        "attempts": 0,
        "behind": True,
        "settled": False,
    }


def approval_of(found: Document, sealer: Sealer) -> Approval:
    """The request in a document. What does not open is left out, and the request says that it is not readable."""
    key = found["_id"]
    private = _opened(found.get("private"), key, "private", sealer)
    opened = json.loads(private) if private is not None else {}
    result = _opened(found["result"], key, "result", sealer) if found.get("result") else None
    return Approval(
        id=found["id"],
        requester=_noun(SlackUser, found),
        sub=found["sub"],
        link_version=found["link_version"],
        action=found["action"],
        description=found["description"],
        arguments=opened.get("arguments", {}),
        scopes=frozenset(found["scopes"]),
        digest=found["digest"],
        run=found["run"],
        origin=_noun(Origin, opened.get("origin", {})),
        created_at=found["created_at"],
        expires_at=found["expires_at"],
        state=State(found["state"]),
        revision=found["revision"],
        decider=_noun(SlackUser, found["decider"]) if found.get("decider") else None,
        decided_at=found.get("decided_at"),
        reason=found.get("reason"),
        audited=found.get("audited", False),
        result=result.decode() if result is not None else None,
        card=_noun(CardPlace, found["card"]) if found.get("card") else None,
        told=found.get("told", False),
        tries=found.get("tries", 0),
        attempts=found.get("attempts", 0),
        readable=private is not None,
        connection=found.get("connection"),
    )


def _opened(sealed: object, key: str, name: str, sealer: Sealer) -> bytes | None:
    try:
        return sealer.open(str(sealed), record=key, name=name)
    except SealBroken:
        log.error("seal_broken", record=key, field=name)
        return None


def _noun(kind: type[_Noun], found: Mapping[str, Any]) -> _Noun:
    # A newer replica beside this one may have written more than this one knows.
    return kind(**{field.name: found[field.name] for field in fields(kind) if field.name in found})
