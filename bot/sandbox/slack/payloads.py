"""What Slack sends, field by field (docs.slack.dev: "Slash commands", "Interaction payloads", "Events API").

Pure: each function gets ids and objects and gives back the structure that is signed and sent.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from .model import Channel, Message, View
from .people import Person
from .team import APP, VERIFICATION_TOKEN, Origin

Json = dict[str, Any]


def _team_of(origin: Origin, person: Person) -> str:
    """The workspace that Slack names beside a person: where they act, or their own where that is not of here."""
    return origin.team.id if origin.team.holds(person.team) else person.team


def command(
    origin: Origin, person: Person, channel: Channel, name: str, text: str, *, response_url: str, trigger_id: str
) -> dict[str, str]:
    """A slash command's form."""
    team = _team_of(origin, person)
    made = {
        "token": VERIFICATION_TOKEN,
        "team_id": team,
        "team_domain": origin.team.domain if team == origin.team.id else team.lower(),
        "channel_id": channel.id,
        "channel_name": channel.name,
        "user_id": person.id,
        "user_name": person.name,
        "command": name,
        "text": text,
        "api_app_id": APP,
        "is_enterprise_install": str(origin.org_wide).lower(),
        "response_url": response_url,
        "trigger_id": trigger_id,
    }
    enterprise = origin.team.enterprise
    return made | {"enterprise_id": enterprise.id, "enterprise_name": enterprise.name} if enterprise else made


def _interaction(kind: str, origin: Origin, person: Person) -> Json:
    team, enterprise = origin.team, origin.team.enterprise
    where = {"id": team.id, "domain": team.domain}
    if enterprise is not None:
        where |= {"enterprise_id": enterprise.id, "enterprise_name": enterprise.name}
    who = {"id": person.id, "username": person.name, "name": person.name, "team_id": _team_of(origin, person)}
    return {
        "type": kind,
        "user": who,
        "api_app_id": APP,
        "token": VERIFICATION_TOKEN,
        "team": where,
        "enterprise": {"id": enterprise.id, "name": enterprise.name} if enterprise else None,
        "is_enterprise_install": origin.org_wide,
    }


def _in_view(kind: str, origin: Origin, person: Person) -> Json:
    """A view belongs to no workspace where the app is installed for a whole organization: `team` is null."""
    made = _interaction(kind, origin, person)
    return made | {"team": None} if origin.org_wide else made


def message_actions(
    origin: Origin,
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
    made = _interaction("block_actions", origin, person) | {
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
    return made if hidden else made | {"message": message.as_slack(origin.team)}


def view_actions(origin: Origin, person: Person, view: View, action: Json, *, trigger_id: str) -> Json:
    """block_actions from a modal or the Home tab."""
    return _in_view("block_actions", origin, person) | {
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger_id,
        "view": view.as_slack(origin.team),
        "actions": [action],
    }


def view_submission(origin: Origin, person: Person, view: View, *, trigger_id: str) -> Json:
    """The submit button of a modal."""
    more = {"trigger_id": trigger_id, "view": view.as_slack(origin.team), "response_urls": []}
    return _in_view("view_submission", origin, person) | more


def view_closed(origin: Origin, person: Person, view: View, *, cleared: bool) -> Json:
    """A modal went away without being submitted; sent only where it asked for that."""
    return _in_view("view_closed", origin, person) | {"view": view.as_slack(origin.team), "is_cleared": cleared}


def envelope(origin: Origin, event: Json, *, at: float, shared: bool = False) -> Json:
    """event_callback around an event; `at` is seconds since 1970."""
    team, enterprise = origin.team, origin.team.enterprise
    context = json.dumps({"et": event["type"], "tid": team.id, "aid": APP, "cid": event.get("channel", "")})
    made = callback(event, at, team.id, enterprise.id if enterprise else None)
    return made | {
        "context_team_id": team.id,
        "context_enterprise_id": enterprise.id if enterprise else None,
        "authorizations": [
            {
                "enterprise_id": enterprise.id if enterprise else None,
                "team_id": team.id,
                "user_id": team.bot_user,
                "is_bot": True,
                "is_enterprise_install": origin.org_wide,
            }
        ],
        "is_ext_shared_channel": shared,
        "event_context": f"4-{context}",
    }


def callback(event: Json, at: float, team: str, enterprise: str | None) -> Json:
    """event_callback without authorizations, as it is sent of an app that has none any more. `team` is the workspace;
    where an organization as a whole removed the app, it is the organization."""
    made = {
        "token": VERIFICATION_TOKEN,
        "team_id": team,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev0{secrets.token_hex(5).upper()}",
        "event_time": int(at),
    }
    return made | {"enterprise_id": enterprise} if enterprise else made


def said(kind: str, origin: Origin, person: Person, channel: Channel, message: Message) -> Json:
    """A `message` or an `app_mention` event."""
    words = {"type": "rich_text_section", "elements": [{"type": "text", "text": message.text}]}
    event: Json = {
        "type": kind,
        "user": person.id,
        "ts": message.ts,
        "client_msg_id": secrets.token_hex(16),
        "text": message.text,
        "team": _team_of(origin, person),
        "blocks": [{"type": "rich_text", "block_id": secrets.token_hex(3), "elements": [words]}],
        "channel": channel.id,
        "event_ts": message.ts,
    }
    if not origin.team.holds(person.team):
        event |= {"user_team": person.team, "source_team": person.team}
    if kind == "message":
        event["channel_type"] = "im" if channel.is_im else "channel"
    if message.thread_ts:
        event |= {"thread_ts": message.thread_ts, "parent_user_id": message.extra.get("parent_user_id")}
    return event


def home_opened(origin: Origin, person: Person, channel: Channel, tab: str, home: View | None, *, ts: str) -> Json:
    """`app_home_opened` for the tab `home` or `messages`."""
    event = {"type": "app_home_opened", "user": person.id, "channel": channel.id, "tab": tab, "event_ts": ts}
    return event | {"view": home.as_slack(origin.team)} if tab == "home" and home else event


def user_change(user: Json, *, at: float, ts: str) -> Json:
    """`user_change`, with the whole `user` object of users.info."""
    return {"type": "user_change", "user": user, "cache_ts": int(at), "event_ts": ts}


def tokens_revoked(bots: list[str], *, ts: str) -> Json:
    """`tokens_revoked`: user ids and not tokens, those of people (here always none) and those of bots."""
    return {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": bots}, "event_ts": ts}


def app_uninstalled(*, ts: str) -> Json:
    """`app_uninstalled`."""
    return {"type": "app_uninstalled", "event_ts": ts}
