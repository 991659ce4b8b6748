"""From what a person typed to arguments that fit the action's schema, or a sentence for each that does not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bot.actions.model import Action, Schema
from bot.errors import ArgumentsInvalid

_PAIR = re.compile(
    r"""\s*(?P<name>[^\s=]+)=(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"']\S*|))(?=\s|$)"""
)
_CURLY = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"})
_WORDS = {"integer": "a whole number", "number": "a number", "boolean": "yes or no", "string": "a text"}
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_INTEGER = re.compile(r"[+-]?\d{1,18}")


def parse(text: str) -> dict[str, str]:
    """`a=1 b="two words"` as a mapping. Raises ArgumentsInvalid with a sentence about what cannot be read."""
    # Slack's editors turn straight quotes around a value into curly ones.
    straight = re.sub(r"(?<==)[“„”]([^“”„]*)[”“]", r'"\1"', text)
    straight = re.sub(r"(?<==)[‘’]([^‘’]*)[’‘](?=\s|$)", r"'\1'", straight)
    found: dict[str, str] = {}
    at = 0
    while straight[at:].strip():
        match = _PAIR.match(straight, at)
        if match is None:
            rest = straight[at:].strip().split()[0][:40]
            raise ArgumentsInvalid(
                {"": f"I cannot read “{rest}”. Write values as name=value, with quotes around spaces."}
            )
        name = match["name"]
        if name in found:
            raise ArgumentsInvalid({name: "is given twice. Give it once."})
        double = match["double"]
        value = re.sub(r"\\(.)", r"\1", double) if double is not None else match["single"]
        found[name] = value if value is not None else match["bare"]
        at = match.end()
    return found


def check(action: Action, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with their types and defaults. Raises ArgumentsInvalid: a sentence each, all at once."""
    problems: dict[str, str] = {}
    arguments: dict[str, Any] = {}
    for name in raw:
        if name not in action.parameters:
            known = ", ".join(action.parameters) or "none"
            problems[name] = f"is not a parameter of {action.name}. It has: {known}."
    for name, schema in action.parameters.items():
        if name not in raw or raw[name] is None:
            if "default" in schema:
                arguments[name] = schema["default"]
            continue
        try:
            arguments[name] = _typed(raw[name], schema)
        except ValueError:
            kind = schema.get("type")
            problems[name] = f"must be {_WORDS.get(kind, 'JSON') if isinstance(kind, str) else 'of another type'}."
            continue
        error = next(iter(Draft202012Validator(dict(schema)).iter_errors(arguments[name])), None)
        if error is not None:
            problems[name] = _sentence(error)
    missing = tuple(name for name in action.required if name not in arguments and name not in problems)
    if problems or missing:
        raise ArgumentsInvalid(problems, missing)
    return arguments


def _typed(value: Any, schema: Schema) -> Any:
    if not isinstance(value, str):
        return value
    kind = schema.get("type")
    if kind == "integer":
        if not _INTEGER.fullmatch(value.strip()):
            raise ValueError
        return int(value)
    if kind == "number":
        number = float(value)
        if number != number or number in {float("inf"), float("-inf")}:
            raise ValueError
        return number
    if kind == "boolean":
        word = value.strip().lower()
        if word not in _TRUE | _FALSE:
            raise ValueError
        return word in _TRUE
    if kind in {"array", "object"}:
        return json.loads(value)
    return value


def _sentence(error: ValidationError) -> str:
    limit = error.validator_value
    sentences = {
        "minimum": f"must be {limit} or more.",
        "maximum": f"must be {limit} or less.",
        "exclusiveMinimum": f"must be more than {limit}.",
        "exclusiveMaximum": f"must be less than {limit}.",
        "minLength": f"must have at least {limit} characters.",
        "maxLength": f"must have at most {limit} characters.",
        "pattern": f"does not have the expected form ({limit}).",
        "enum": f"must be one of: {', '.join(map(str, limit)) if isinstance(limit, list) else limit}.",
        "type": f"must be {_WORDS.get(limit, limit) if isinstance(limit, str) else limit}.",
        "multipleOf": f"must be a multiple of {limit}.",
    }
    return sentences.get(str(error.validator), "does not fit what the action expects.")
