"""The actions file: TOML as the contract describes it, every mistake named at once.

A safety setting that this version does not carry out is a mistake too: it must not be passed over in silence.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from bot.actions.arguments import exact, unfit
from bot.actions.http import Http
from bot.actions.model import CONNECTION, Action
from bot.actions.policy import Policy
from bot.errors import ConfigurationError

NAME = r"^[a-z][a-z0-9_]{0,63}$"
_DURATION = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NOT_YET = (
    "approvers",
    "channel",
    "quorum",
    "step_up",
    "hold",
    "confirm",
    "preview",
    "preview_fields",
    "rules",
)
Scope = Annotated[str, StringConstraints(pattern=r"^[!#-\[\]-~]+$")]  # RFC 6749, section 3.3
Connection = Annotated[str, StringConstraints(pattern=CONNECTION)]
_NO_TABLES = ("openapi", "mcp")
_NO_APPROVALS = ("other", "ciba")


class Definition(BaseModel):
    """One `[[action]]` table."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=NAME)
    description: str = Field(min_length=1, max_length=500)
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    url: str
    scopes: list[Scope] = Field(default_factory=list)
    audience: str | None = Field(default=None, min_length=1)
    connection: Connection | None = None
    sensitive: bool | None = None
    approval: Literal["none", "self"] | None = None
    expires: timedelta = timedelta(minutes=15)
    idempotent: bool = False
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("approval", mode="before")
    @classmethod
    def _carried_out(cls, value: object) -> object:
        if value in _NO_APPROVALS:
            raise ValueError(f'"{value}" is not part of this version; say "self", or take the action out')
        return value

    @field_validator("expires", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError('must be a time such as "90s", "15m", "2h" or "1d"')
        span = timedelta(**{_UNITS[match[2]]: int(match[1])})
        if not timedelta(0) < span <= timedelta(days=30):
            raise ValueError("must be more than nothing and at most 30d")
        return span

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "{" in parts.netloc or "@" in parts.netloc:
            raise ValueError("must be a whole http or https address, with a fixed host and no login in it")
        if parts.port == 0 or not re.fullmatch(r"[!-~]+", value):
            raise ValueError("must be an address as it goes over the line: no spaces, and %-signs for other letters")
        return value

    @field_validator("parameters")
    @classmethod
    def _schemas(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        problems = [f"{name} {problem}" for name, schema in value.items() if (problem := _schema_problem(name, schema))]
        if problems:
            raise ValueError("; ".join(problems))
        return value

    @model_validator(mode="after")
    def _whole(self) -> Definition:
        fields = [found[1:] for found in string.Formatter().parse(self.url) if found[1] is not None]
        if any(form or conversion for _, form, conversion in fields):
            raise ValueError("url may name its parameters as {name} only")
        places = {str(name) for name, _, _ in fields}
        unknown = places - self.parameters.keys()
        if unknown:
            raise ValueError(f"url names {', '.join(sorted(unknown)) or '{}'}, which is not among its parameters")
        if self.sensitive and self.approval == "none":
            raise ValueError('says sensitive = true and approval = "none"; drop one of them')
        if self.connection is not None and self.audience is not None:
            raise ValueError("says connection and audience; with a connection the token is another party's, for no API")
        return self

    @property
    def is_sensitive(self) -> bool:
        """As said, else every method that changes something."""
        return self.sensitive if self.sensitive is not None else self.method not in {"GET", "HEAD"}


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


def _schema_problem(name: str, schema: dict[str, Any]) -> str | None:
    """What is wrong with a parameter, as the rest of a sentence."""
    if not re.fullmatch(NAME, name):
        return "must be small letters, digits and _, and begin with a letter"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"is not a JSON Schema: {error.message}"
    if not exact(schema):
        return "holds a date, NaN or a number above 9007199254740991, which no digest can be made of"
    if "default" in schema:
        misfit = unfit(schema["default"], schema)
        return f"has a default that {misfit.rstrip('.')}" if misfit else None
    return None


def _action(one: Definition, http: Http) -> Action:
    return Action(
        name=one.name,
        description=one.description,
        parameters=one.parameters,
        scopes=frozenset(one.scopes),
        audience=one.audience,
        sensitive=one.is_sensitive,
        policy=Policy(one.approval or ("self" if one.is_sensitive else "none"), expires=one.expires),
        idempotent=one.idempotent,
        # Left out where there is none: what was agreed to before there were connections stays as it was.
        definition=one.model_dump(mode="json", exclude={"connection"} if one.connection is None else None),
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
            known = place in _NOT_YET
            lines.append(
                f"{place} is {'not part of this version' if known else 'not a setting of an action'}. Take it out."
            )
        else:
            text = found["msg"].removeprefix("Value error, ")
            lines.append(f"{place}: {text}." if place else f"{text}.")
    return lines
