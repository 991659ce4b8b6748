"""Every Web API method but chat.*, and the table of all (docs.slack.dev/reference/methods)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from . import chat, limits, views
from .arguments import Arguments
from .errors import SlackRefusal
from .model import APP, APP_NAME, BOT, BOT_USER, TEAM, TEAM_DOMAIN, TEAM_NAME, Channel, View, bot_profile
from .pace import Pace
from .state import Workspace

Answer = dict[str, Any]
Handler = Callable[[Workspace, Arguments, Pace], Answer]


class Method(NamedTuple):
    """What answers, and the scope it needs."""

    answer: Handler
    scope: str = ""


def _auth_test(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    return {
        "url": f"https://{TEAM_DOMAIN}.slack.com/",
        "team": TEAM_NAME,
        "user": APP_NAME.lower(),
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT,
        "is_enterprise_install": False,
    }


def _team_info(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    if arguments.text("team") not in ("", TEAM):
        raise SlackRefusal("team_not_found")
    team = {"id": TEAM, "name": TEAM_NAME, "domain": TEAM_DOMAIN, "email_domain": "example.com"}
    return {"team": team | {"url": f"https://{TEAM_DOMAIN}.slack.com/", "icon": {"image_default": True}}}


def _conversation(workspace: Workspace, arguments: Arguments) -> Channel:
    channel = workspace.channels.get(arguments.need("channel", "channel_not_found"))
    if channel is None:
        raise SlackRefusal("channel_not_found")
    return channel


def _conversations_open(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    names = arguments.ids("users")
    if arguments.text("channel"):
        channel = _conversation(workspace, arguments)
    elif len(names) == 1:
        person = workspace.people.get(names[0])
        if person is None:
            raise SlackRefusal("user_not_found")
        if person.deleted:
            raise SlackRefusal("user_disabled")
        channel = workspace.channel(f"D{person.id[1:]}")
    else:
        raise SlackRefusal("users_list_not_supplied" if not names else "method_not_supported_for_channel_type")
    if arguments.flag("return_im"):
        return {"no_op": True, "already_open": True, "channel": channel.as_slack()}
    return {"channel": {"id": channel.id}}


def _conversations_info(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    return {"channel": _conversation(workspace, arguments).as_slack()}


def _conversations_list(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    kinds = set(arguments.ids("types") or ["public_channel"])
    found = [c for c in workspace.channels.values() if ("im" if c.is_im else "public_channel") in kinds]
    return {"channels": [c.as_slack() for c in found], "response_metadata": {"next_cursor": ""}}


def _conversations_members(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    members = sorted(_conversation(workspace, arguments).members)
    return {"members": members, "response_metadata": {"next_cursor": ""}}


def _user(workspace: Workspace, name: str, *, with_email: bool) -> Answer:
    if name == BOT_USER:
        return {
            "id": BOT_USER,
            "team_id": TEAM,
            "name": APP_NAME.lower(),
            "real_name": APP_NAME,
            "deleted": False,
            "is_bot": True,
            "profile": {"real_name": APP_NAME, "bot_id": BOT, "api_app_id": APP},
        }
    if name not in workspace.people:
        raise SlackRefusal("user_not_found")
    return workspace.people[name].as_slack(with_email=with_email)


def _bots_info(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    if arguments.text("bot") != BOT:
        raise SlackRefusal("bot_not_found")
    icons = {f"image_{size}": f"https://{TEAM_DOMAIN}.slack.com/bot_{size}.png" for size in (36, 48, 72)}
    return {"bot": bot_profile() | {"icons": icons}}


def _sees_email(arguments: Arguments) -> bool:
    return "users:read.email" in arguments.values.get("_scopes", ())


def _users_info(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    name = arguments.need("user", "user_not_found")
    return {"user": _user(workspace, name, with_email=_sees_email(arguments))}


def _users_list(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    names = [*workspace.people, BOT_USER]
    members = [_user(workspace, name, with_email=_sees_email(arguments)) for name in names]
    return {"members": members, "cache_ts": 0, "response_metadata": {"next_cursor": ""}}


def _users_lookup(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    email = arguments.need("email", "users_not_found").lower()
    for person in workspace.people.values():
        if person.email.lower() == email and not person.deleted:
            return {"user": person.as_slack(with_email=True)}
    raise SlackRefusal("users_not_found")


def _usergroup_members(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    members = workspace.usergroups.get(arguments.need("usergroup", "invalid_arguments"))
    if members is None:
        raise SlackRefusal("no_such_subteam")
    return {"users": members}


def _views_open(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    content = limits.view(arguments.values.get("view"), "modal")
    trigger = workspace.use_trigger(arguments.need("trigger_id"))
    return {"view": views.open_(workspace, trigger.user, content).as_slack()}


def _views_push(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    content = limits.view(arguments.values.get("view"), "modal")
    trigger = workspace.use_trigger(arguments.need("trigger_id"))
    if trigger.view is None:
        raise SlackRefusal("invalid_trigger_id")
    return {"view": views.push(workspace, trigger.user, content).as_slack()}


def _views_update(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    view: View | None
    if external := arguments.text("external_id"):
        view = views.by_external_id(workspace, external)
    else:
        view = views.find(workspace, arguments.need("view_id"))
    if view is None:
        raise SlackRefusal("not_found")
    content = limits.view(arguments.values.get("view"), view.content["type"])
    views.unchanged_since(view, arguments.text("hash"))
    return {"view": views.replace(workspace, view, content).as_slack()}


def _views_publish(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    person = arguments.need("user_id")
    if person not in workspace.people:
        raise SlackRefusal("invalid_arguments", messages=["invalid `user_id`"])
    content = limits.view(arguments.values.get("view"), "home")
    if home := workspace.homes.get(person):
        views.unchanged_since(home, arguments.text("hash"))
    return {"view": views.publish(workspace, person, content).as_slack()}


def _api_test(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    given = {name: value for name, value in arguments.values.items() if not name.startswith("_")}
    if error := arguments.text("error"):
        raise SlackRefusal(error, args=given)
    return {"args": given}


def _refused(workspace: Workspace, arguments: Arguments, pace: Pace) -> Answer:
    raise SlackRefusal("not_allowed_token_type")


def methods() -> dict[str, Method]:
    """The table; whatever is not in it is `unknown_method`."""
    return {
        "api.test": Method(_api_test),
        "apps.connections.open": Method(_refused),
        "auth.test": Method(_auth_test),
        "bots.info": Method(_bots_info, "users:read"),
        "chat.postMessage": Method(chat.post_message, "chat:write"),
        "chat.postEphemeral": Method(chat.post_ephemeral, "chat:write"),
        "chat.update": Method(chat.update, "chat:write"),
        "chat.delete": Method(chat.delete, "chat:write"),
        "conversations.open": Method(_conversations_open, "im:write"),
        "conversations.info": Method(_conversations_info, "channels:read"),
        "conversations.list": Method(_conversations_list, "channels:read"),
        "conversations.members": Method(_conversations_members, "channels:read"),
        "team.info": Method(_team_info, "team:read"),
        "usergroups.users.list": Method(_usergroup_members, "usergroups:read"),
        "users.info": Method(_users_info, "users:read"),
        "users.list": Method(_users_list, "users:read"),
        "users.lookupByEmail": Method(_users_lookup, "users:read.email"),
        "views.open": Method(_views_open),
        "views.push": Method(_views_push),
        "views.update": Method(_views_update),
        "views.publish": Method(_views_publish),
    }
