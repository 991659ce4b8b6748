"""What Slack sends, field by field (docs.slack.dev: "Slash commands", "Interaction payloads", "Events API").

Pure: each function gets ids and objects and gives back the structure that is signed and sent.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from .model import (
    APP,
    BOT_USER,
    TEAM,
    TEAM_DOMAIN,
    VERIFICATION_TOKEN,
    Channel,
    Message,
    Person,
    View,
)

Json = dict[str, Any]


def command(
    person: Person, channel: Channel, name: str, text: str, *, response_url: str, trigger_id: str
) -> dict[str, str]:
    """A slash command's form."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": person.team,
        "team_domain": TEAM_DOMAIN if person.team == TEAM else person.team.lower(),
        "channel_id": channel.id,
        "channel_name": channel.name,
        "user_id": person.id,
        "user_name": person.name,
        "command": name,
        "text": text,
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def _who(person: Person) -> Json:
    return {"id": person.id, "username": person.name, "name": person.name, "team_id": person.team}


def _interaction(kind: str, person: Person) -> Json:
    return {
        "type": kind,
        "user": _who(person),
        "api_app_id": APP,
        "token": VERIFICATION_TOKEN,
        "team": {"id": TEAM, "domain": TEAM_DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def message_actions(
    person: Person,
    channel: Channel,
    message: Message,
    action: Json,
    *,
    response_url: str,
    trigger_id: str,
    values: Json,
) -> Json:
    """block_actions from a message; an ephemeral's payload has no `message`, as at Slack."""
    hidden = message.only_for is not None
    made = _interaction("block_actions", person) | {
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": hidden,
        },
        "trigger_id": trigger_id,
        "channel": {"id": channel.id, "name": channel.name},
        "state": {"values": values},
        "response_url": response_url,
        "actions": [action],
    }
    if message.thread_ts:
        made["container"]["thread_ts"] = message.thread_ts
    return made if hidden else made | {"message": message.as_slack()}


def view_actions(person: Person, view: View, action: Json, *, trigger_id: str) -> Json:
    """block_actions from a modal or the Home tab."""
    return _interaction("block_actions", person) | {
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger_id,
        "view": view.as_slack(),
        "actions": [action],
    }


def view_submission(person: Person, view: View, *, trigger_id: str) -> Json:
    """The submit button of a modal."""
    more = {"trigger_id": trigger_id, "view": view.as_slack(), "response_urls": []}
    return _interaction("view_submission", person) | more


def view_closed(person: Person, view: View, *, cleared: bool) -> Json:
    """A modal went away without being submitted; sent only where it asked for that."""
    return _interaction("view_closed", person) | {"view": view.as_slack(), "is_cleared": cleared}


def envelope(person: Person, event: Json, *, at: float, shared: bool) -> Json:
    """event_callback around an event; `at` is seconds since 1970."""
    context = json.dumps({"et": event["type"], "tid": TEAM, "aid": APP, "cid": event.get("channel", "")})
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev0{secrets.token_hex(5).upper()}",
        "event_time": int(at),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": shared,
        "event_context": f"4-{context}",
    }


def said(kind: str, person: Person, channel: Channel, message: Message) -> Json:
    """A `message` or an `app_mention` event."""
    words = {"type": "rich_text_section", "elements": [{"type": "text", "text": message.text}]}
    event: Json = {
        "type": kind,
        "user": person.id,
        "ts": message.ts,
        "client_msg_id": secrets.token_hex(16),
        "text": message.text,
        "team": person.team,
        "blocks": [{"type": "rich_text", "block_id": secrets.token_hex(3), "elements": [words]}],
        "channel": channel.id,
        "event_ts": message.ts,
    }
    if person.team != TEAM:
        event |= {"user_team": person.team, "source_team": person.team}
    if kind == "message":
        event["channel_type"] = "im" if channel.is_im else "channel"
    if message.thread_ts:
        event |= {"thread_ts": message.thread_ts, "parent_user_id": message.extra.get("parent_user_id")}
    return event


def home_opened(person: Person, channel: Channel, tab: str, home: View | None, *, ts: str) -> Json:
    """`app_home_opened` for the tab `home` or `messages`."""
    event = {"type": "app_home_opened", "user": person.id, "channel": channel.id, "tab": tab, "event_ts": ts}
    return event | {"view": home.as_slack()} if tab == "home" and home else event
