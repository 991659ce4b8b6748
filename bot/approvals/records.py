"""How a request is written down: a document with its private parts sealed for this record.

Sealed are also its terms and its votes, so that nobody who writes to the database can lower what has to be agreed to,
or agree in somebody's name. The same things lie beside them in the clear where a query needs them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Protocol, TypeVar

import structlog

from bot.actions.policy import Policy
from bot.approvals.model import Approval, Copy, Origin, Part, State, Verdict, Vote
from oauth import Evidence, SlackUser
from oauth.errors import SealBroken

log = structlog.get_logger(__name__)

Document = dict[str, Any]
SCHEMA = 2
_Noun = TypeVar("_Noun", Origin, SlackUser)


class Sealer(Protocol):
    """Seals for one field of one record."""

    def seal(self, plain: bytes, *, record: str, name: str) -> str:
        """The sealed form."""

    def open(self, sealed: str, *, record: str, name: str) -> bytes:
        """What was sealed. Raises SealBroken."""


def key_of(approval: Approval) -> str:
    """The primary key."""
    return f"{approval.requester.workspace}:{approval.id}"


def sealed_text(approval: Approval, name: str, text: str, sealer: Sealer) -> str:
    """A text that comes later, as it is kept: the outcome's, or what a decider says."""
    return sealer.seal(text.encode("utf-8", "replace"), record=key_of(approval), name=name)


def document_of(approval: Approval, sealer: Sealer) -> Document:
    """A new request as it is kept."""
    key = key_of(approval)
    private = {
        "terms": _terms(approval.requester, approval.sub, approval.digest) | {"policy": approval.policy.as_json()},
        "arguments": dict(approval.arguments),
        "origin": asdict(approval.origin),
        "why": approval.why,
        "seen": approval.seen,
        "unusual": approval.unusual,
    }
    asked = {"asked": sealed_text(approval, "asked", approval.asked, sealer)} if approval.asked is not None else {}
    return {
        **asked,
        "poll_at": approval.poll_at,
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
        "org": approval.org,
        "digest": approval.digest,
        "run": approval.run,
        "created_at": approval.created_at,
        "expires_at": approval.expires_at,
        "state": str(approval.state),
        "revision": approval.revision,
        "kind": approval.policy.kind,
        "voters": [],
        "confirmed": [],
        "copies": copies_document(approval.copies),
        "audited": approval.audited,
        "told": approval.told,
        "reminded": False,
        "tries": 0,
        "attempts": 0,
        "turns": 0,
        "due_at": approval.created_at,
    }


def copies_document(copies: tuple[Copy, ...]) -> list[Document]:
    """Copies of a card as they are kept; what is attached to them is kept sealed beside them."""
    places = ("to", "channel", "ts", "shown")
    return [{"part": str(copy.part)} | {name: getattr(copy, name) for name in places} for copy in copies]


def files_document(approval: Approval, copies: tuple[Copy, ...], sealer: Sealer) -> Document:
    """What is attached to the copies, as it is kept: nobody may lead approvers to another file by the database."""
    attached = {f"{copy.part}:{copy.to}": copy.files for copy in copies if copy.files}
    return {"files": sealed_text(approval, "files", json.dumps(attached), sealer)} if attached else {}


def votes_document(approval: Approval, sealer: Sealer) -> Document:
    """The votes as they are kept, and whose links they stand on."""
    votes = [asdict(vote) | {"at": vote.at.isoformat(), "verdict": str(vote.verdict)} for vote in approval.votes]
    voters = [asdict(vote.by) | {"link_version": vote.link_version} for vote in approval.votes]
    return {"votes": sealed_text(approval, "votes", json.dumps(votes), sealer), "voters": voters}


def approval_of(found: Document, sealer: Sealer) -> Approval:
    """The request in a document. What does not open is left out, and the request says that it is not readable."""
    key = found["_id"]
    private = _opened(found.get("private"), key, "private", sealer)
    opened = json.loads(private) if private is not None else {}
    votes = _opened(found["votes"], key, "votes", sealer) if found.get("votes") else b"[]"
    requester = _noun(SlackUser, found)
    terms = opened.get("terms") or {}  # a former version had none
    same = terms.items() >= _terms(requester, found["sub"], found["digest"]).items() if terms else True
    return Approval(
        id=found["id"],
        requester=requester,
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
        policy=Policy.from_json(terms.get("policy") or {}),
        votes=tuple(_vote(one) for one in json.loads(votes or b"[]")),
        confirmed=frozenset(found.get("confirmed") or ()),
        not_before=found.get("not_before"),
        reason=found.get("reason"),
        audited=found.get("audited", False),
        result=_text(found, "result", key, sealer),
        copies=tuple(_copies(found, json.loads(_text(found, "files", key, sealer) or "{}"))),
        told=found.get("told", False),
        tries=found.get("tries", 0),
        attempts=found.get("attempts", 0),
        turns=found.get("turns", 0),
        readable=private is not None and votes is not None and same,
        connection=found.get("connection"),
        org=found.get("org"),
        why=opened.get("why"),
        note=_text(found, "note", key, sealer),
        seen=tuple((name, value) for name, value in opened.get("seen") or ()),
        unusual=tuple(opened.get("unusual") or ()),
        reminded=found.get("reminded", False),
        asked=_text(found, "asked", key, sealer),
        poll_at=found.get("poll_at"),
    )


def _terms(requester: SlackUser, sub: str, digest: str) -> dict[str, Any]:
    """What nobody may exchange."""
    return {"user": requester.user, "sub": sub, "digest": digest}


def _vote(found: Mapping[str, Any]) -> Vote:
    evidence = found.get("evidence")
    return Vote(
        by=_noun(SlackUser, found["by"]),
        sub=found["sub"],
        link_version=found["link_version"],
        verdict=Verdict(found["verdict"]),
        at=datetime.fromisoformat(found["at"]),
        evidence=Evidence(evidence["auth_time"], tuple(evidence["amr"])) if evidence else None,
    )


def _copies(found: Document, files: Mapping[str, Any]) -> list[Copy]:
    if "copies" in found:
        return [_copy(one, files.get(f"{one['part']}:{one['to']}", ())) for one in found["copies"]]
    card = found.get("card")  # of a version with one card for each request
    place = (card["channel"], card["ts"], card["shown"]) if card else (None, None, 0)
    return [Copy(Part.APPROVER, found["user"], *place)]


def _copy(found: Mapping[str, Any], files: Iterable[tuple[str, str]]) -> Copy:
    return Copy(
        Part(found["part"]),
        found["to"],
        found["channel"],
        found["ts"],
        found["shown"],
        tuple((name, address) for name, address in files),
    )


def _text(found: Document, name: str, key: str, sealer: Sealer) -> str | None:
    opened = _opened(found[name], key, name, sealer) if found.get(name) else None
    return opened.decode() if opened is not None else None


def _opened(sealed: object, key: str, name: str, sealer: Sealer) -> bytes | None:
    try:
        return sealer.open(str(sealed), record=key, name=name)
    except SealBroken:
        log.error("seal_broken", record=key, field=name)
        return None


def _noun(kind: type[_Noun], found: Mapping[str, Any]) -> _Noun:
    # A newer replica beside this one may have written more than this one knows.
    return kind(**{field.name: found[field.name] for field in fields(kind) if field.name in found})
