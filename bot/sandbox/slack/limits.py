"""What Slack accepts as blocks and views, and how it says no (docs.slack.dev, "Blocks", "Views").

A bot that passes here passes there: lengths, counts, required and unknown fields, ids that must differ.
"""

from __future__ import annotations

import json
from typing import Any

from . import connections
from .elements import IN_ACTIONS, IN_CONTEXT, IN_INPUT, IN_SECTION, TYPE, plain, rich
from .errors import SlackRefusal
from .schema import (
    Check,
    Problems,
    anything,
    by_type,
    choice,
    complain,
    every,
    flag,
    listing,
    needs_one_of,
    shape,
    string,
)

MESSAGE_TEXT = 40_000
UPDATED_TEXT = 4_000
MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
VIEW_BYTES = 250_000
MARKDOWN = 12_000

_ID: dict[str, Check] = {"block_id": string(255)}
_SECTION = every(
    shape(
        {"type": TYPE},
        {
            **_ID,
            "text": rich(3000),
            "fields": listing(rich(2000), 1, 10),
            "accessory": IN_SECTION,
            "expand": flag,
        },
    ),
    needs_one_of(("text", "fields")),
)
_COMMON: dict[str, Check] = {
    "section": _SECTION,
    "header": shape({"type": TYPE, "text": plain(150)}, _ID),
    "divider": shape({"type": TYPE}, _ID),
    "context": shape({"type": TYPE, "elements": listing(IN_CONTEXT, 1, 10)}, _ID),
    "actions": shape({"type": TYPE, "elements": listing(IN_ACTIONS, 1, 25)}, _ID),
    "image": shape(
        {"type": TYPE, "alt_text": string(2000)},
        {**_ID, "image_url": string(3000), "slack_file": anything, "title": plain(2000)},
    ),
    "input": shape(
        {"type": TYPE, "label": plain(2000), "element": IN_INPUT},
        {**_ID, "hint": plain(2000), "optional": flag, "dispatch_action": flag},
    ),
    "rich_text": shape({"type": TYPE, "elements": listing(anything, 0, 1000)}, _ID),
}
_COMMON[connections.KIND] = connections.block(by_type({**_COMMON}))
_TASK = shape(
    {"type": TYPE, "task_id": string(255), "title": string(3000)},
    {
        **_ID,
        "status": choice("pending", "in_progress", "complete", "error"),
        "details": anything,
        "output": anything,
        "sources": anything,
    },
)
_IN_MESSAGE = by_type(
    {
        **_COMMON,
        "markdown": shape({"type": TYPE, "text": string(MARKDOWN)}, _ID),
        "task_card": _TASK,
        "plan": shape({"type": TYPE, "title": string(3000)}, {**_ID, "tasks": listing(_TASK, 0, 50)}),
    }
)
_IN_VIEW = by_type(_COMMON)

_VIEW_FIELDS: dict[str, Check] = {
    "private_metadata": string(3000, 0),
    "callback_id": string(255, 0),
    "external_id": string(255, 0),
}
_MODAL = shape(
    {"type": choice("modal"), "title": plain(24), "blocks": listing(_IN_VIEW, 0, VIEW_BLOCKS)},
    {
        **_VIEW_FIELDS,
        "submit": plain(24),
        "close": plain(24),
        "clear_on_close": flag,
        "notify_on_close": flag,
        "submit_disabled": flag,
    },
)
_HOME = shape({"type": choice("home"), "blocks": listing(_IN_VIEW, 0, VIEW_BLOCKS)}, _VIEW_FIELDS)


def _controls(block: dict[str, Any]) -> list[dict[str, Any]]:
    """The elements of a block that can have an `action_id`."""
    found = block.get("elements") if block.get("type") == "actions" else None
    some = [*(found if isinstance(found, list) else []), block.get("accessory"), block.get("element")]
    return [element for element in some if isinstance(element, dict)]


def _ids_differ(blocks: object, path: str, problems: Problems) -> None:
    if not isinstance(blocks, list):
        return
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        if not isinstance(block, dict):
            continue
        name = block.get("block_id")
        if isinstance(name, str) and name in seen:
            complain(problems, f"`block_id` {name} already exists", f"{path}/{index}/block_id")
        if isinstance(name, str):
            seen.add(name)
        ids = [each["action_id"] for each in _controls(block) if isinstance(each.get("action_id"), str)]
        for twice in sorted({each for each in ids if ids.count(each) > 1}):
            complain(problems, f"`action_id` {twice} already exists in this block", f"{path}/{index}")


def _markdown_fits(blocks: object, path: str, problems: Problems) -> None:
    if isinstance(blocks, list):
        texts = [b.get("text") for b in blocks if isinstance(b, dict) and b.get("type") == "markdown"]
        if sum(len(text) for text in texts if isinstance(text, str)) > MARKDOWN:
            complain(problems, f"markdown blocks must total less than {MARKDOWN + 1} characters", path)


_BLOCKS = every(listing(_IN_MESSAGE, 0, MESSAGE_BLOCKS), _ids_differ, _markdown_fits)


def _decoded(value: object, error: str) -> object:
    """Slack takes the structure itself or its JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise SlackRefusal(error) from None


def message_blocks(value: object) -> list[dict[str, Any]] | None:
    """The blocks of a message, checked; None where none were given. Raises SlackRefusal `invalid_blocks`."""
    if value is None or value == "":
        return None
    blocks = _decoded(value, "invalid_blocks_format")
    if not isinstance(blocks, list):
        raise SlackRefusal("invalid_blocks_format")
    problems: Problems = []
    _BLOCKS(blocks, "/blocks", problems)
    if problems:
        raise SlackRefusal("invalid_blocks", messages=problems, errors=problems)
    return _numbered(blocks)


def view(value: object, kind: str) -> dict[str, Any]:
    """A `modal` or `home` view, checked. Raises SlackRefusal `invalid_arguments` or `view_too_large`."""
    found = _decoded(value, "invalid_arguments")
    problems: Problems = []
    if not isinstance(found, dict):
        raise SlackRefusal("invalid_arguments", messages=["must provide an object [json-pointer:/view]"])
    if len(json.dumps(found)) > VIEW_BYTES:
        raise SlackRefusal("view_too_large")
    if kind == "home" and found.get("type") == "modal":
        raise SlackRefusal("invalid_arguments", messages=["view.type may not be `modal` [json-pointer:/view/type]"])
    (_HOME if kind == "home" else _MODAL)(found, "/view", problems)
    _ids_differ(found.get("blocks"), "/view/blocks", problems)
    blocks = found.get("blocks")
    asks = isinstance(blocks, list) and any(isinstance(b, dict) and b.get("type") == "input" for b in blocks)
    if kind == "modal" and asks and not found.get("submit"):
        complain(problems, "missing required field: submit", "/view")
    if problems:
        raise SlackRefusal("invalid_arguments", messages=problems)
    return {**found, "blocks": _numbered(found["blocks"])}


def _numbered(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same blocks with the ids that Slack makes up where the app gave none."""
    made: list[dict[str, Any]] = []
    for place, block in enumerate(blocks):
        copy = json.loads(json.dumps(block))
        copy.setdefault("block_id", f"b{place}x")
        for index, control in enumerate(_controls(copy)):
            if control.get("type") != "image":
                control.setdefault("action_id", f"a{place}x{index}")
        made.append(copy)
    return made


def text(value: str, most: int) -> str:
    """A message's text as it is. Raises SlackRefusal `msg_too_long` beyond `most` characters."""
    if len(value) > most:
        raise SlackRefusal("msg_too_long")
    return value
