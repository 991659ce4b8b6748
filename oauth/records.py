"""How links and tickets are written down. Nothing here knows the driver; all secrets arrive sealed or hashed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

from oauth.models import (
    Identity,
    Lease,
    Link,
    LinkVersion,
    Principal,
    SealedAccess,
    SlackProfile,
    SlackUser,
    Subject,
    access_field,
)
from oauth.ports import StoredSecret
from oauth.tickets import Stage, Ticket

Document = dict[str, Any]
SCHEMA = 1
_TICKET_SECRETS = ("login", "grant", "code", "waiting", "slack", "address")


def slack_of(found: Document) -> SlackUser:
    """The person in a document."""
    return SlackUser(team=found["team"], user=found["user"], enterprise=found.get("enterprise"))


def link_of(found: Document) -> Link:
    """The link in a document; fields that a newer replica has added are left alone."""
    identity = Identity(
        iss=found["iss"],
        sub=Subject(found["sub"]),
        email=found.get("email"),
        name=found.get("name"),
        org=found.get("org"),
    )
    principal = Principal(
        slack=slack_of(found),
        identity=identity,
        version=LinkVersion(found["version"]),
        scopes=frozenset(found["scopes"]),
        linked_at=found["linked_at"],
    )
    access = tuple(_access_of(a) for a in found.get("access", []))
    return Link(
        principal, found["refresh"], found.get("generation", 0), access, found.get("sid"), _lease_of(found.get("lease"))
    )


def link_document(link: Link) -> Document:
    """A new link as it is kept, under no lease."""
    principal = link.principal
    return {
        **_slack_document(principal.slack),
        **asdict(principal.identity),
        "schema": SCHEMA,
        "version": principal.version,
        "scopes": sorted(principal.scopes),
        "linked_at": principal.linked_at,
        "refresh": link.sealed_refresh,
        "generation": link.generation,
        "access": [access_document(a) for a in link.access],
        "sid": link.sid,
        "lease": None,
    }


def access_document(access: SealedAccess) -> Document:
    """A sealed access token as it is kept."""
    return {**asdict(access), "scopes": sorted(access.scopes)}


def ticket_of(found: Document) -> Ticket:
    """The ticket in a document."""
    return Ticket(
        slack=slack_of(found),
        profile=SlackProfile(**{f.name: found["profile"].get(f.name) for f in fields(SlackProfile)}),
        hash=found["hash"],
        stage=Stage(found["stage"]),
        created_at=found["created_at"],
        expires_at=found["expires_at"],
        browser_hash=found.get("browser_hash"),
        state_hash=found.get("state_hash"),
        sealed_login=found.get("sealed_login"),
        sealed_grant=found.get("sealed_grant"),
        sealed_code=found.get("sealed_code"),
        sealed_waiting=found.get("sealed_waiting"),
        sealed_slack=found.get("sealed_slack"),
        guesses=found.get("guesses", 0),
        sealed_address=found.get("sealed_address"),
        otp_start=found.get("otp_start"),
        otp_sends=found.get("otp_sends", 0),
        otp_sent_at=found.get("otp_sent_at"),
        former=tuple(found.get("former", ())),
        granted_at=found.get("granted_at"),
        sub=Subject(found["sub"]) if found.get("sub") else None,
        sid=found.get("sid"),
    )


def ticket_document(ticket: Ticket) -> Document:
    """A ticket as it is kept."""
    ticket_fields = asdict(ticket)
    del ticket_fields["slack"]
    return {**_slack_document(ticket.slack), **ticket_fields, "stage": str(ticket.stage), "schema": SCHEMA}


def changes_document(changes: Mapping[str, object]) -> Document:
    """Changes of a ticket as they are kept."""
    return {name: str(value) if isinstance(value, Stage) else value for name, value in changes.items()}


def link_secrets(found: Document) -> Iterator[StoredSecret]:
    """What is sealed in a link's document."""
    key = found["_id"]
    yield StoredSecret(("links", key, "refresh"), f"link:{key}", "refresh", found["refresh"])
    for at, access in enumerate(found.get("access", [])):
        name = access_field(LinkVersion(found["version"]), access["audience"], frozenset(access["scopes"]))
        yield StoredSecret(("links", key, f"access.{at}.sealed"), f"link:{key}", name, access["sealed"])


def ticket_secrets(found: Document) -> Iterator[StoredSecret]:
    """What is sealed in a ticket's document."""
    key = found["_id"]
    for name in _TICKET_SECRETS:
        sealed = found.get(f"sealed_{name}")
        if sealed is not None:
            yield StoredSecret(("tickets", key, f"sealed_{name}"), f"ticket:{key}", name, sealed)


def revocation_secret(found: Document) -> StoredSecret:
    """What is sealed in a note."""
    key = found["_id"]
    return StoredSecret(("revocations", key, "sealed"), f"revocation:{key}", "refresh", found["sealed"])


def _slack_document(slack: SlackUser) -> Document:
    return {"_id": slack.key, "workspace": slack.workspace, **asdict(slack)}


def _lease_of(found: Document | None) -> Lease | None:
    return Lease(found["owner"], found.get("left", False)) if found else None


def _access_of(found: Document) -> SealedAccess:
    return SealedAccess(
        audience=found["audience"],
        scopes=frozenset(found["scopes"]),
        sealed=found["sealed"],
        issued_at=found["issued_at"],
        expires_at=found["expires_at"],
        jti=found.get("jti"),
    )
