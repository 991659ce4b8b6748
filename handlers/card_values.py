"""The values on the card of a request: short ones in two columns, long ones below, whole either way; and where a
message has no room, in files of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.approvals.model import Approval
from bot.errors import TooLargeToShow
from handlers.approval_words import NAME
from handlers.blocks import code, fields, mrkdwn, paragraph, passages, plain, section
from handlers.inert import inert
from handlers.message import Block

_SHORT = 150
_KINDS = {bool: "yes or no", int: "number", float: "number", list: "list", dict: "object", type(None): "nothing"}
_ADDRESS = re.compile(r"https?://[^\s<>|]{1,300}")


@dataclass(frozen=True, slots=True)
class Value:
    """`label` is mrkdwn, `text` the whole value as it came, and `file` what it is called where it is attached."""

    label: str
    text: str
    file: str


def arguments_of(approval: Approval) -> list[Value]:
    """What it would be called with. Raises TooLargeToShow for a name that no card has room for."""
    found = []
    for number, (name, value) in enumerate(approval.arguments.items(), 1):
        if len(inert(name)) > NAME:
            raise TooLargeToShow
        label = code(name) if isinstance(value, str) else f"{code(name)} ({_KINDS.get(type(value), 'JSON')})"
        found.append(Value(label, _written(value), f"{number}-{_plainly(name)}.txt"))
    return found


def seen_of(approval: Approval) -> list[Value]:
    """What the service said about it when it was asked."""
    return [
        Value(code(name[:NAME]), text, f"service-{number}-{_plainly(name)}.txt")
        for number, (name, text) in enumerate(approval.seen, 1)
    ]


def shown(values: Iterable[Value], files: Mapping[str, str]) -> list[Block]:
    """All of them; `files` are those that are attached, by name, each with its address."""
    rows: list[Block] = []
    below: list[Block] = []
    for value in values:
        pieces = passages(value.text)
        if value.file in files:
            below.append(section(f"{value.label}\n📎 {_attached(value, files[value.file])}"))
        elif pieces == [""]:
            rows += [mrkdwn(value.label), mrkdwn("_empty_")]
        elif len(pieces) == 1 and len(pieces[0]) <= _SHORT and "\n" not in pieces[0]:
            rows += [mrkdwn(value.label), plain(pieces[0])]
        else:
            below += [section(value.label), *map(paragraph, pieces)]
    return [*fields(rows), *below]


def _attached(value: Value, address: str) -> str:
    name = f"<{address}|{value.file}>" if _ADDRESS.fullmatch(address) else code(value.file)
    return f"All of it is in the file {name} above this card: {len(value.text):,} characters."


def _plainly(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:40]


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    flat = json.dumps(value, ensure_ascii=False)
    return flat if len(flat) <= _SHORT else json.dumps(value, ensure_ascii=False, indent=2)
