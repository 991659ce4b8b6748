"""How people become connected in Slack's eyes: what the app says of them, and what it is asked.

Slack's reference names a user token for `apps.user.connection.update` and none for `requestAuth`. Here a bot token
with `users:write` does; how a bot bears the refusal is tried with `SandboxSlack.fail`.
"""

from __future__ import annotations

import json
from typing import Any

from . import views
from .call import Answer, Call
from .connections import KIND, PROVIDER, Json, providers
from .errors import SlackRefusal
from .model import Blocks, Channel
from .people import Person
from .schema import Problems
from .state import Workspace
from .team import APP_NAME, Origin


def request_auth(call: Call) -> Answer:
    """apps.user.connection.requestAuth: Slack's own modal, opened by a trigger, or for a person by id."""
    provider = _provider(call)
    workspace, person = call.workspace, call.arguments.text("user_id")
    if not call.arguments.text("trigger_id") and not person:
        raise SlackRefusal("invalid_arguments", messages=["must provide one of: trigger_id, user_id"])
    if person and person not in workspace.people:
        raise SlackRefusal("user_not_found")
    if not person:
        person = workspace.use_trigger(call.arguments.need("trigger_id")).user
    content = {
        "type": "modal",
        "callback_id": KIND,
        "title": {"type": "plain_text", "text": APP_NAME, "emoji": False},
        "blocks": [{"type": KIND, "block_id": KIND, **provider}],
    }
    open_ = _open(workspace, person)
    if open_ is None:
        views.open_(workspace, person, content)
    else:
        views.replace(workspace, open_, content)
    keep(workspace, person, connected=provider["is_connected"])
    return {}


def update(call: Call) -> Answer:
    """apps.user.connection.update: `connected` or `disconnected`."""
    person, status = call.arguments.need("user_id"), call.arguments.need("status")
    if not call.workspace.connections.subscribed:
        raise SlackRefusal("app_not_subscribed")
    if status not in ("connected", "disconnected"):
        raise SlackRefusal("invalid_arguments", messages=["must be one of: connected, disconnected"])
    if person not in call.workspace.people:
        raise SlackRefusal("user_not_found")
    call.workspace.connections.count(call.workspace.clock())
    keep(call.workspace, person, connected=status == "connected")
    return {}


def placed(call: Call, channel: Channel, blocks: Blocks | None) -> None:
    """A message with these blocks is about to be shown. Raises SlackRefusal `invalid_blocks`.

    In direct messages the block says of that person whether they are connected.
    """
    for place, block in providers(blocks):
        if problems := _undeclared(call, block, f"/blocks/{place}"):
            raise SlackRefusal("invalid_blocks", messages=problems, errors=problems)
        if channel.user:
            keep(call.workspace, channel.user, connected=block["is_connected"])


def keep(workspace: Workspace, person: str, *, connected: bool) -> None:
    """Store a person's state, and show it in what they see already."""
    workspace.connections.of[person] = connected
    dm = workspace.channel(f"D{person[1:]}")
    for message in workspace.seen(dm.id, person):
        if _turned(message.blocks, connected=connected):
            workspace.change_message(message)
    for view in workspace.stacks.get(person, []):
        if _turned(view.content["blocks"], connected=connected):
            views.replace(workspace, view, view.content)
    workspace.touch()


def event(origin: Origin, person: Person, subtype: str, *, ts: str, trigger_id: str | None) -> Json:
    """`user_connection`: somebody asks to be connected, or to be disconnected."""
    made: Json = {"type": "user_connection", "subtype": subtype, "user": person.id, "event_ts": ts}
    if trigger_id is not None:
        return made | {"trigger_id": trigger_id}
    return made | ({"enterprise_id": origin.team.enterprise.id} if origin.team.enterprise else {})


def _provider(call: Call) -> Json:
    given: Any = call.arguments.values.get("primary_provider")
    try:
        provider = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        provider = None
    problems: Problems = []
    PROVIDER(provider, "/primary_provider", problems)
    problems = problems or _undeclared(call, provider, "/primary_provider")
    if problems:
        raise SlackRefusal("invalid_arguments", messages=problems)
    found: Json = provider
    return found


def _undeclared(call: Call, provider: Json, path: str) -> Problems:
    return call.workspace.connections.problems(provider, path)


def _open(workspace: Workspace, person: str) -> Any:
    stack = workspace.stacks.get(person, [])
    return next((view for view in stack if view.content.get("callback_id") == KIND), None)


def _turned(blocks: Blocks | None, *, connected: bool) -> bool:
    """Whether there was something to change."""
    other = [block for _, block in providers(blocks) if block["is_connected"] is not connected]
    for block in other:
        block["is_connected"] = connected
    return bool(other)
