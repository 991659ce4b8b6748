"""From what a person typed to arguments that fit the action's schema, or a sentence for each that does not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import rfc8785
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from bot.actions.model import WHY, Action, Schema
from bot.errors import ArgumentsInvalid

_PAIR = re.compile(
    r"""\s*(?P<name>[^\s=]+)=(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"']\S*|))(?=\s|$)"""
)
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "string": "a text",
    "array": "a JSON list",
    "object": "a JSON object",
}
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_INEXACT = (
    "cannot be passed on exactly. Whole numbers go up to 9007199254740991; texts are plain text, "
    "and lists are not nested without end."
)


def parse(text: str) -> dict[str, str]:
    """`a=1 b="two words"` as a mapping. Raises ArgumentsInvalid with a sentence about what cannot be read."""
    # Slack's editors turn straight quotes around a value into curly ones.
    straight = re.sub(r"(?<==)[“„”]([^“”„]*)[”“](?=\s|$)", _requoted, text)
    straight = re.sub(r"(?<==)[‘’]([^‘]*?)[’‘](?=\s|$)", _requoted, straight)
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
        value = re.sub(r"\\(.)", r"\1", double, flags=re.DOTALL) if double is not None else match["single"]
        found[name] = value if value is not None else match["bare"]
        at = match.end()
    return found


def check(action: Action, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with their types and defaults. Raises ArgumentsInvalid: a sentence each, all at once.

    What the requester says under `WHY` is no argument.
    """
    problems: dict[str, str] = {}
    arguments: dict[str, Any] = {}
    for name in raw:
        if name not in action.parameters and name != WHY:
            known = ", ".join(action.parameters) or "none"
            problems[name] = f"is not a parameter of {action.name}. It has: {known}."
    for name, schema in action.parameters.items():
        if name not in raw or raw[name] is None:
            if "default" in schema:
                arguments[name] = schema["default"]
            continue
        try:
            arguments[name] = _typed(raw[name], schema)
        except (ValueError, RecursionError):
            problems[name] = f"must be {_wanted(schema)}."
            continue
        sentence = unfit(arguments[name], schema)
        if sentence is not None:
            problems[name] = sentence
    missing = tuple(name for name in action.required if name not in arguments and name not in problems)
    if problems or missing:
        raise ArgumentsInvalid(problems, missing)
    return arguments


def unfit(value: Any, schema: Schema) -> str | None:
    """Why a value does not do, as a sentence without its subject; None if it does."""
    try:
        # A registry of its own: what a schema refers to elsewhere is never fetched.
        validator = Draft202012Validator(dict(schema), registry=Registry())
        error = next(iter(validator.iter_errors(value)), None)
    except (Unresolvable, RecursionError):
        return "does not fit what the action expects."
    if error is not None:
        return _sentence(error)
    return None if exact(value) else _INEXACT


def exact(value: Any) -> bool:
    """Whether digests can be made of it: RFC 8785 ends at 2**53 - 1, and has no NaN and no half characters."""
    try:
        rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError):
        return False
    return True


def _requoted(match: re.Match[str]) -> str:
    inner = match[1].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def _kinds(schema: Schema) -> list[str]:
    """The types that a schema admits, its alternatives included."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return [kind]
    if isinstance(kind, list):
        return [str(one) for one in kind]
    return [kind for one in schema.get("anyOf", ()) if isinstance(one, Mapping) for kind in _kinds(one)]


def _wanted(schema: Schema) -> str:
    return " or ".join(_WORDS.get(kind, kind) for kind in _kinds(schema) if kind != "null") or "JSON"


def _typed(value: Any, schema: Schema) -> Any:
    """A typed text as the first of the schema's types that it can be. Raises ValueError if it is none of them."""
    kinds = _kinds(schema)
    if not isinstance(value, str) or not kinds:
        return value
    for kind in sorted(kinds, key=lambda kind: kind == "string"):  # any text is a text, so that comes last
        try:
            return _read(value, kind)
        except (ValueError, RecursionError):
            continue
    raise ValueError


def _read(value: str, kind: str) -> Any:
    word = value.strip()
    if kind == "integer" and _INTEGER.fullmatch(word):
        return int(word)
    if kind == "number" and _NUMBER.fullmatch(word):
        return float(word) if set(word) & set(".eE") else int(word)
    if kind == "boolean" and word.lower() in _TRUE | _FALSE:
        return word.lower() in _TRUE
    if kind in {"array", "object"}:
        return json.loads(value)
    if kind == "string":
        return value
    raise ValueError


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
        "const": f"must be {limit}.",
        "type": f"must be {_wanted({'type': limit})}.",
        "multipleOf": f"must be a multiple of {limit}.",
    }
    return sentences.get(str(error.validator), "does not fit what the action expects.")
