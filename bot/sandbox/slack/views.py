"""Modals and Home tabs: what opens, stacks, changes and closes (docs.slack.dev, "Modals", "App Home")."""

from __future__ import annotations

import secrets
from typing import Any

from .errors import SlackRefusal
from .model import View
from .state import Workspace

STACK = 3


def find(workspace: Workspace, view_id: str) -> View | None:
    """An open modal or a published Home tab, by id."""
    every = [*workspace.homes.values(), *(view for stack in workspace.stacks.values() for view in stack)]
    return next((view for view in every if view.id == view_id), None)


def by_external_id(workspace: Workspace, external_id: str) -> View | None:
    """An open view by the id that the app gave it."""
    every = [*(view for stack in workspace.stacks.values() for view in stack), *workspace.homes.values()]
    return next((view for view in every if view.content.get("external_id") == external_id), None)


def open_(workspace: Workspace, user: str, content: dict[str, Any]) -> View:
    """Show a modal; it takes the place of whatever modals were open."""
    _external_id_free(workspace, content)
    view = _made(user, content)
    workspace.stacks[user] = [view]
    return _changed(workspace, view)


def push(workspace: Workspace, user: str, content: dict[str, Any]) -> View:
    """Show a modal on top of the open one. SlackRefusal `push_limit_reached` beyond three, `not_found`."""
    stack = workspace.stacks.get(user, [])
    if not stack:
        raise SlackRefusal("not_found")
    if len(stack) >= STACK:
        raise SlackRefusal("push_limit_reached")
    _external_id_free(workspace, content)
    view = _made(user, content, root=stack[0].id, previous=stack[-1].id)
    stack.append(view)
    return _changed(workspace, view)


def replace(workspace: Workspace, view: View, content: dict[str, Any]) -> View:
    """Give an open view new content. What was typed stays where block and action ids stay, as at Slack."""
    _external_id_free(workspace, content, but=view)
    here = {block["block_id"] for block in content["blocks"]}
    view.values = {name: value for name, value in view.values.items() if name in here}
    view.content, view.hash, view.errors, view.trouble = content, _hash(), {}, ""
    return _changed(workspace, view)


def publish(workspace: Workspace, user: str, content: dict[str, Any]) -> View:
    """Show a Home tab to one person."""
    home = workspace.homes.get(user)
    if home is None:
        home = workspace.homes[user] = _made(user, content)
    home.content, home.hash, home.values = content, _hash(), {}
    return _changed(workspace, home)


def pop(workspace: Workspace, view: View) -> None:
    """Close one modal; the one under it is seen again."""
    stack = workspace.stacks.get(view.user, [])
    workspace.stacks[view.user] = [each for each in stack if each.id != view.id]
    workspace.touch()


def clear(workspace: Workspace, user: str) -> None:
    """Close all modals of one person."""
    workspace.stacks[user] = []
    workspace.touch()


def troubled(workspace: Workspace, view: View, *, errors: dict[str, str], trouble: str = "") -> None:
    """Show errors under inputs, or one sentence for the whole."""
    view.errors, view.trouble = errors, trouble
    _changed(workspace, view)


def unchanged_since(view: View, known: str | None) -> None:
    """SlackRefusal `hash_conflict` where the caller knew another version."""
    if known and known != view.hash:
        raise SlackRefusal("hash_conflict")


def _external_id_free(workspace: Workspace, content: dict[str, Any], but: View | None = None) -> None:
    name = content.get("external_id")
    other = by_external_id(workspace, name) if name else None
    if other is not None and other is not but:
        raise SlackRefusal("duplicate_external_id")


def _made(user: str, content: dict[str, Any], root: str = "", previous: str | None = None) -> View:
    name = f"V0{secrets.token_hex(5).upper()}"
    return View(name, user, content, _hash(), root or name, previous)


def _hash() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.token_urlsafe(6)}"


def _changed(workspace: Workspace, view: View) -> View:
    workspace.touch()
    view.rev = workspace.revision
    return view
