"""Who speaks, read from a signed payload and from nothing else; pure functions over its shape.

Slack's payloads differ by type (docs.slack.dev: "Slash commands", "Interaction payloads", "Events API"), and fields
that are documented can be absent or null, so nothing here trusts that a field is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from handlers.workspace import Installation
from oauth import SlackUser

Payload = Mapping[str, Any]


class Kind(StrEnum):
    """What sort of payload it is."""

    COMMAND = "command"
    INTERACTION = "interaction"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Speaker:
    """The person behind one payload, and where an answer goes. `request` is Slack's name for what was done."""

    slack: SlackUser
    name: str | None
    external: bool
    channel: str | None = None
    thread: str | None = None
    response_url: str | None = field(default=None, repr=False)
    trigger: str | None = field(default=None, repr=False)
    request: str | None = None

    @property
    def in_dm(self) -> bool:
        """Whether this was said in the direct messages with the bot."""
        return (self.channel or "").startswith("D")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a payload says that it comes from."""

    kind: Kind
    app: str | None
    team: str | None
    enterprise: str | None
    claim: str | None


def source(payload: Payload) -> Source:
    """The app and workspace of a payload; `claim` is its one name among repeated deliveries."""
    kind = _kind(payload)
    team, enterprise = payload.get("team_id"), payload.get("enterprise_id")
    if kind is Kind.INTERACTION:
        team, enterprise = _in(payload, "team", "id"), _in(payload, "enterprise", "id")
    return Source(kind, _text(payload.get("api_app_id")), _text(team), _text(enterprise), _claim(kind, payload))


def speaker(payload: Payload, installed: Installation) -> Speaker | None:
    """Who speaks, or None where the payload names nobody."""
    readers = {Kind.COMMAND: _of_command, Kind.INTERACTION: _of_interaction, Kind.EVENT: _of_event}
    return readers[_kind(payload)](payload, installed)


def _of_command(payload: Payload, installed: Installation) -> Speaker | None:
    user = _text(payload.get("user_id"))
    if user is None:
        return None
    return Speaker(
        slack=installed.person(user),
        name=_text(payload.get("user_name")),
        external=installed.is_foreign(_text(payload.get("team_id")), _text(payload.get("enterprise_id"))),
        channel=_text(payload.get("channel_id")),
        response_url=_text(payload.get("response_url")),
        trigger=_text(payload.get("trigger_id")),
        request=_text(payload.get("trigger_id")),
    )


def _of_interaction(payload: Payload, installed: Installation) -> Speaker | None:
    user = _text(_in(payload, "user", "id"))
    if user is None:
        return None
    return Speaker(
        slack=installed.person(user),
        name=_text(_in(payload, "user", "username")) or _text(_in(payload, "user", "name")),
        external=installed.is_foreign(
            _text(_in(payload, "user", "team_id")), _text(_in(payload, "user", "enterprise_id"))
        ),
        channel=_text(_in(payload, "channel", "id")) or _text(_in(payload, "container", "channel_id")),
        thread=_text(_in(payload, "container", "thread_ts")),
        response_url=_text(payload.get("response_url")),
        trigger=_text(payload.get("trigger_id")),
        request=_text(payload.get("trigger_id")),
    )


def _of_event(payload: Payload, installed: Installation) -> Speaker | None:
    event = payload.get("event")
    user = event.get("user") if isinstance(event, Mapping) else None
    name = _text(user.get("id")) if isinstance(user, Mapping) else _text(user)
    if not isinstance(event, Mapping) or name is None:
        return None
    return Speaker(
        slack=installed.person(name),
        name=None,
        external=installed.is_foreign(_text(event.get("user_team")) or _text(event.get("team")), None),
        channel=_text(event.get("channel")),
        thread=_text(event.get("thread_ts")) or _text(event.get("ts")),
        request=_text(event.get("ts")) or _text(event.get("event_ts")),
    )


def _kind(payload: Payload) -> Kind:
    if "command" in payload:
        return Kind.COMMAND
    return Kind.EVENT if payload.get("type") == "event_callback" else Kind.INTERACTION


def _claim(kind: Kind, payload: Payload) -> str | None:
    if kind is not Kind.EVENT:
        return _text(payload.get("trigger_id"))
    event = payload.get("event")
    if isinstance(event, Mapping) and event.get("type") in {"message", "app_mention"}:
        channel, ts = _text(event.get("channel")), _text(event.get("ts"))
        if channel and ts:
            return f"{channel}:{ts}"  # a mention comes twice, as two events of one message
    return _text(payload.get("event_id"))


def _in(payload: Payload, name: str, inner: str) -> Any:
    found = payload.get(name)
    return found.get(inner) if isinstance(found, Mapping) else None


def _text(value: object) -> str | None:
    """A string of reasonable length, or None: the database must never meet an object where a name belongs."""
    return value if isinstance(value, str) and 0 < len(value) <= 2048 else None
