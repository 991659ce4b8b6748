"""What Slack says about people and workspaces that leave: user_change, app_uninstalled, tokens_revoked.

(docs.slack.dev, "Events".) They are heard before Slack gets its ack and are taken as often as they come: each of them
only ever ends something, and one that was lost would leave a door open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import structlog

from handlers.workspace import Installation
from oauth import Links, SlackUser

log = structlog.get_logger(__name__)

EVENTS = frozenset({"user_change", "app_uninstalled", "tokens_revoked"})


class Leaving(Protocol):
    """Ends what there is of a workspace."""

    async def left(self, installed: Installation, since: datetime) -> None:
        """The bot was removed at `since`; an installation made later is another one."""


def event_of(payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The event of a payload, if it is one of these."""
    event = payload.get("event")
    if payload.get("type") != "event_callback" or not isinstance(event, Mapping):
        return None
    return event if event.get("type") in EVENTS else None


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """Ends the links of people who are not there any more, or not as members."""

    links: Links
    leaving: Leaving
    external: Literal["deny", "allow"]

    async def heard(self, payload: Mapping[str, Any], event: Mapping[str, Any], installed: Installation) -> None:
        """One event. Raises what the store or the trail raise; then Slack sends it again."""
        if event["type"] == "user_change":
            await self._changed(event.get("user"), installed)
        elif event["type"] == "app_uninstalled" or _holds_bot(event.get("tokens")):
            await self.leaving.left(installed, _at(payload))

    async def _changed(self, user: object, installed: Installation) -> None:
        if not isinstance(user, Mapping) or not isinstance(user.get("id"), str):
            return
        slack = installed.person(user["id"])
        reason = "deactivated" if user.get("deleted") is True else None
        if reason is None and self.external == "deny" and is_outside(user, slack):
            reason = "guest"
        if reason is not None:
            await self.links.unlink(slack, reason)


def is_outside(user: Mapping[str, Any], slack: SlackUser) -> bool:
    """Whether Slack's word on a person of this workspace is that they are a guest, or at home elsewhere.

    Somebody from another workspace in a shared channel is no `is_stranger` there (docs.slack.dev, "User object"), so
    their home is looked at too.
    """
    if any(user.get(name) is True for name in ("is_restricted", "is_ultra_restricted", "is_stranger")):
        return True
    home, organization = user.get("team_id"), user.get("enterprise_user")
    if not isinstance(home, str) or not home or home in {slack.team, slack.enterprise}:
        return False
    found = organization.get("enterprise_id") if isinstance(organization, Mapping) else None
    return slack.enterprise is None or found != slack.enterprise


def _holds_bot(tokens: object) -> bool:
    """Whether tokens of the bot are among those that were revoked; people's own are none of ours."""
    return isinstance(tokens, Mapping) and bool(tokens.get("bot"))


def _at(payload: Mapping[str, Any]) -> datetime:
    """When it happened; Slack may send an event again an hour later."""
    at = payload.get("event_time")
    if isinstance(at, bool) or not isinstance(at, int) or not 0 < at < 253_402_300_000:
        return datetime.now(UTC)
    return datetime.fromtimestamp(at + 1, UTC)  # whole seconds
