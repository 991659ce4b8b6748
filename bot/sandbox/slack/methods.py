"""Every Web API method but chat.*, and the table of all (docs.slack.dev/reference/methods)."""

from __future__ import annotations

from typing import NamedTuple

from . import chat, connecting, files, limits, streams, views
from .call import Answer, Call, Handler
from .errors import SlackRefusal
from .model import Channel, View
from .team import APP, APP_NAME, TEAMS, bot_profile


class Method(NamedTuple):
    """What answers, and the scope it needs. `of_team`: an organization's token must say for which workspace."""

    answer: Handler
    scope: str = ""
    of_team: bool = False


def _auth_test(call: Call) -> Answer:
    team, enterprise = call.team, call.team.enterprise
    made = {
        "url": f"https://{team.domain}.slack.com/",
        "team": team.name,
        "user": APP_NAME.lower(),
        "team_id": team.id,
        "user_id": team.bot_user,
        "bot_id": team.bot,
        "is_enterprise_install": call.org_wide,
    }
    if enterprise is None:
        return made
    if call.org_wide:
        url = f"https://{enterprise.domain}.enterprise.slack.com/"
        made |= {"url": url, "team": enterprise.name, "team_id": enterprise.id}
    return made | {"enterprise_id": enterprise.id}


def _team_info(call: Call) -> Answer:
    asked = call.arguments.text("team") or call.team.id
    if not call.team.holds(asked):
        raise SlackRefusal("team_not_found")
    team = TEAMS[asked]
    made: Answer = {"id": team.id, "name": team.name, "domain": team.domain, "email_domain": "example.com"}
    made |= {"url": f"https://{team.domain}.slack.com/", "icon": {"image_default": True}}
    if team.enterprise is not None:
        made |= {"enterprise_id": team.enterprise.id, "enterprise_name": team.enterprise.name}
    return {"team": made}


def _conversation(call: Call) -> Channel:
    channel = call.workspace.channels.get(call.arguments.need("channel", "channel_not_found"))
    if channel is None:
        raise SlackRefusal("channel_not_found")
    return channel


def _conversations_open(call: Call) -> Answer:
    names = call.arguments.ids("users")
    if call.arguments.text("channel"):
        channel = _conversation(call)
    elif len(names) == 1:
        person = call.workspace.people.get(names[0])
        if person is None:
            raise SlackRefusal("user_not_found")
        if person.stranger:
            raise SlackRefusal("user_not_visible")
        if person.deleted:
            raise SlackRefusal("user_disabled")
        channel = call.workspace.channel(f"D{person.id[1:]}")
    else:
        raise SlackRefusal("users_list_not_supplied" if not names else "method_not_supported_for_channel_type")
    if call.arguments.flag("return_im"):
        return {"no_op": True, "already_open": True, "channel": channel.as_slack(call.team)}
    return {"channel": {"id": channel.id}}


def _conversations_info(call: Call) -> Answer:
    return {"channel": _conversation(call).as_slack(call.team)}


def _conversations_list(call: Call) -> Answer:
    kinds = set(call.arguments.ids("types") or ["public_channel"])
    found = [c for c in call.workspace.channels.values() if ("im" if c.is_im else "public_channel") in kinds]
    return {"channels": [c.as_slack(call.team) for c in found], "response_metadata": {"next_cursor": ""}}


def _conversations_history(call: Call) -> Answer:
    """The newest first; metadata only where it is asked for. What is only for somebody is in no history."""
    channel, arguments = _conversation(call), call.arguments
    if call.team.bot_user not in channel.members:
        raise SlackRefusal("not_in_channel")
    most = min(int(arguments.text("limit") or 100), 999)
    oldest = float(arguments.text("oldest") or 0)
    told: list[Answer] = []
    for message in reversed(call.workspace.messages.get(channel.id, [])):
        if message.seen_by(None) and float(message.ts) > oldest and len(told) < most:
            shown = message.as_slack(call.team)
            if not arguments.flag("include_all_metadata"):
                shown.pop("metadata", None)
            told.append(shown)
    return {"messages": told, "has_more": False}


def _conversations_members(call: Call) -> Answer:
    return {"members": sorted(_conversation(call).members), "response_metadata": {"next_cursor": ""}}


def _user(call: Call, name: str, *, with_email: bool) -> Answer:
    team = call.team
    if name == team.bot_user:
        return {
            "id": team.bot_user,
            "team_id": team.id,
            "name": APP_NAME.lower(),
            "real_name": APP_NAME,
            "deleted": False,
            "is_bot": True,
            "profile": {"real_name": APP_NAME, "bot_id": team.bot, "api_app_id": APP},
        }
    if name not in call.workspace.people:
        raise SlackRefusal("user_not_found")
    return call.workspace.people[name].as_slack(team, with_email=with_email)


def _bots_info(call: Call) -> Answer:
    if call.arguments.text("bot") != call.team.bot:
        raise SlackRefusal("bot_not_found")
    icons = {f"image_{size}": f"https://{call.team.domain}.slack.com/bot_{size}.png" for size in (36, 48, 72)}
    return {"bot": bot_profile(call.team) | {"icons": icons}}


def _sees_email(call: Call) -> bool:
    return "users:read.email" in call.scopes


def _users_info(call: Call) -> Answer:
    name = call.arguments.need("user", "user_not_found")
    return {"user": _user(call, name, with_email=_sees_email(call))}


def _users_list(call: Call) -> Answer:
    names = [*call.workspace.people, call.team.bot_user]
    members = [_user(call, name, with_email=_sees_email(call)) for name in names]
    return {"members": members, "cache_ts": 0, "response_metadata": {"next_cursor": ""}}


def _users_lookup(call: Call) -> Answer:
    email = call.arguments.need("email", "users_not_found").lower()
    for person in call.workspace.people.values():
        if person.email.lower() == email and not person.deleted:
            return {"user": person.as_slack(call.team, with_email=True)}
    raise SlackRefusal("users_not_found")


def _usergroup_members(call: Call) -> Answer:
    members = call.workspace.usergroups.get(call.arguments.need("usergroup", "invalid_arguments"))
    if members is None:
        raise SlackRefusal("no_such_subteam")
    return {"users": members}


def _views_open(call: Call) -> Answer:
    content = limits.view(call.arguments.values.get("view"), "modal")
    trigger = call.workspace.use_trigger(call.arguments.need("trigger_id"))
    return {"view": views.open_(call.workspace, trigger.user, content).as_slack(call.team)}


def _views_push(call: Call) -> Answer:
    content = limits.view(call.arguments.values.get("view"), "modal")
    trigger = call.workspace.use_trigger(call.arguments.need("trigger_id"))
    if trigger.view is None:
        raise SlackRefusal("invalid_trigger_id")
    return {"view": views.push(call.workspace, trigger.user, content).as_slack(call.team)}


def _views_update(call: Call) -> Answer:
    view: View | None
    if external := call.arguments.text("external_id"):
        view = views.by_external_id(call.workspace, external)
    else:
        view = views.find(call.workspace, call.arguments.need("view_id"))
    if view is None:
        raise SlackRefusal("not_found")
    content = limits.view(call.arguments.values.get("view"), view.content["type"])
    views.unchanged_since(view, call.arguments.text("hash"))
    return {"view": views.replace(call.workspace, view, content).as_slack(call.team)}


def _views_publish(call: Call) -> Answer:
    person = call.arguments.need("user_id")
    if person not in call.workspace.people:
        raise SlackRefusal("invalid_arguments", messages=["invalid `user_id`"])
    content = limits.view(call.arguments.values.get("view"), "home")
    if home := call.workspace.homes.get(person):
        views.unchanged_since(home, call.arguments.text("hash"))
    return {"view": views.publish(call.workspace, person, content).as_slack(call.team)}


def _refused(call: Call) -> Answer:
    raise SlackRefusal("not_allowed_token_type")


def methods() -> dict[str, Method]:
    """All that want a bot token; whatever is neither here nor answered before is `unknown_method`."""
    return {
        "apps.connections.open": Method(_refused),
        "apps.user.connection.requestAuth": Method(connecting.request_auth),
        "apps.user.connection.update": Method(connecting.update, "users:write"),
        "auth.test": Method(_auth_test),
        "bots.info": Method(_bots_info, "users:read"),
        "chat.postMessage": Method(chat.post_message, "chat:write"),
        "chat.postEphemeral": Method(chat.post_ephemeral, "chat:write"),
        "chat.update": Method(chat.update, "chat:write"),
        "chat.delete": Method(chat.delete, "chat:write"),
        "chat.startStream": Method(streams.start, "chat:write"),
        "chat.appendStream": Method(streams.append, "chat:write"),
        "chat.stopStream": Method(streams.stop, "chat:write"),
        "conversations.open": Method(_conversations_open, "im:write"),
        "conversations.info": Method(_conversations_info, "channels:read"),
        "conversations.history": Method(_conversations_history, "im:history"),
        "conversations.list": Method(_conversations_list, "channels:read", of_team=True),
        "conversations.members": Method(_conversations_members, "channels:read"),
        "files.completeUploadExternal": Method(files.complete_upload, "files:write"),
        "files.getUploadURLExternal": Method(files.get_upload_url, "files:write"),
        "team.info": Method(_team_info, "team:read"),
        "usergroups.users.list": Method(_usergroup_members, "usergroups:read", of_team=True),
        "users.info": Method(_users_info, "users:read"),
        "users.list": Method(_users_list, "users:read", of_team=True),
        "users.lookupByEmail": Method(_users_lookup, "users:read.email"),
        "views.open": Method(_views_open),
        "views.push": Method(_views_push),
        "views.update": Method(_views_update),
        "views.publish": Method(_views_publish),
    }
