"""How links and tickets are written down. Nothing here knows the driver; all secrets arrive sealed or hashed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from oauth.models import Identity, Link, LinkVersion, Principal, SealedAccess, SlackProfile, SlackUser, Subject
from oauth.tickets import Stage, Ticket

Document = dict[str, Any]
SCHEMA = 1


def slack_of(found: Document) -> SlackUser:
    return SlackUser(team=found["team"], user=found["user"], enterprise=found.get("enterprise"))


def slack_document(slack: SlackUser) -> Document:
    return {"_id": slack.key, "workspace": slack.workspace, **asdict(slack)}


def link_of(found: Document) -> Link:
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
    access = tuple(SealedAccess(**{**a, "scopes": frozenset(a["scopes"])}) for a in found.get("access", []))
    return Link(principal, found["refresh"], found.get("generation", 0), access, found.get("sid"))


def link_document(link: Link) -> Document:
    principal = link.principal
    return {
        **slack_document(principal.slack),
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
    return {**asdict(access), "scopes": sorted(access.scopes)}


def ticket_of(found: Document) -> Ticket:
    return Ticket(
        slack=slack_of(found),
        profile=SlackProfile(**found["profile"]),
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
        guesses=found.get("guesses", 0),
    )


def ticket_document(ticket: Ticket) -> Document:
    fields = asdict(ticket)
    del fields["slack"]
    return {**slack_document(ticket.slack), **fields, "stage": str(ticket.stage), "schema": SCHEMA}
