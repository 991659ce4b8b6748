"""The actions file: TOML as the contract describes it, every mistake named at once.

A safety setting that this version does not carry out is a mistake too: it must not be passed over in silence.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from bot.actions.definition import Definition
from bot.actions.http import Http
from bot.actions.model import Action
from bot.actions.preview import looker
from bot.errors import ConfigurationError

_NO_TABLES = ("openapi", "mcp")


def load(path: Path, http: Http) -> list[Action]:
    """The actions of a file. Raises ConfigurationError with a line for each mistake."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigurationError([f"ACTIONS_FILE: {path} cannot be read."]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError([f"ACTIONS_FILE: {path} is not TOML: {error}."]) from None
    problems = [
        f"{path}: {name} must be tables, each under [[{name}]]."
        if name == "action"
        else f"{path}: {name} is {'not part of this version' if name in _NO_TABLES else 'not known'}. Take it out."
        for name in tables
        if name != "action" or not isinstance(tables[name], list)
    ]
    listed = tables.get("action", [])
    found: list[Definition] = []
    for number, table in enumerate(listed if isinstance(listed, list) else [], 1):
        try:
            found.append(Definition.model_validate(table))
        except ValidationError as error:
            problems += [f"{path}: {_place(number, table)}{line}" for line in _lines(error)]
    names = [one.name for one in found]
    problems += [f"{path}: two actions are named {name}." for name in sorted({n for n in names if names.count(n) > 1})]
    if problems:
        raise ConfigurationError(problems)
    return [_action(one, http) for one in found]


def _action(one: Definition, http: Http) -> Action:
    return Action(
        name=one.name,
        description=one.description,
        parameters=one.parameters,
        scopes=frozenset(one.scopes),
        audience=one.audience,
        sensitive=one.is_sensitive,
        policy=one.policy,
        rules=one.exceptions,
        look=looker(http, one.preview, one.preview_fields) if one.preview else None,
        idempotent=one.idempotent,
        definition=one.as_defined,
        call=http.caller(one.method, one.url),
        connection=one.connection,
    )


def _place(number: int, table: object) -> str:
    name = table.get("name") if isinstance(table, Mapping) else None
    return f"action {number}" + (f" ({name})" if isinstance(name, str) else "") + ": "


def _lines(error: ValidationError) -> list[str]:
    lines = []
    for found in error.errors(include_input=False, include_url=False):
        place = ".".join(str(part) for part in found["loc"])
        if found["type"] == "extra_forbidden":
            lines.append(f"{place} is not a setting of an action. Take it out.")
        else:
            text = found["msg"].removeprefix("Value error, ")
            lines.append(f"{place}: {text}." if place else f"{text}.")
    return lines
