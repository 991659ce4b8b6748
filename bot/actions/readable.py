"""A JSON value as people read it: names and values by line, and lists of like things as a table.

No library for it is among the dependencies: rich draws for terminals, and YAML quotes what need not be quoted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_WIDEST = 100
_EMPTY = "(none)"


def readable(value: Any) -> str:
    """Every name and every value of it is there. Raises RecursionError for what is nested too deep."""
    return "\n".join(_lines(value))


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return _of_mapping(value) or [_EMPTY]
    if isinstance(value, list):
        return _table(value) or _of_list(value) or [_EMPTY]
    return [_scalar(value)]


def _of_mapping(value: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name, inner in value.items():
        if isinstance(inner, Mapping | list) and inner:
            found += [f"{name}:", *(f"  {line}" for line in _lines(inner))]
        else:
            found += _hung(f"{name}: ", _lines(inner)[0])
    return found


def _of_list(value: Sequence[Any]) -> list[str]:
    found: list[str] = []
    for inner in value:
        first, *rest = _lines(inner)
        found += [*_hung("- ", first), *(f"  {line}" for line in rest)]
    return found


def _table(value: Sequence[Any]) -> list[str]:
    """Rows of one set of names whose values are single lines; nothing where that is not so, or too wide."""
    if len(value) < 2 or not all(isinstance(row, Mapping) and row for row in value):
        return []
    names = list(value[0])
    if any(list(row) != names for row in value):
        return []
    if any(isinstance(inner, Mapping | list) for row in value for inner in row.values()):
        return []
    rows = [names, *([_scalar(row[name]) for name in names] for row in value)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(names))]
    if sum(widths) + 2 * len(widths) > _WIDEST or any("\n" in cell for row in rows for cell in row):
        return []
    right = [all(_is_number(row[name]) for row in value) for name in names]
    return [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in rows
    ]


def _hung(head: str, text: str) -> list[str]:
    """`text` behind `head`, its further lines under its first."""
    first, *rest = text.split("\n")
    return [head + first, *(" " * len(head) + line for line in rest)]


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value
    return _EMPTY if isinstance(value, Mapping | list) else json.dumps(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
