"""Inputs of a form, each from its parameter's JSON Schema (docs.slack.dev, "Block elements").

What Slack's own control for a type cannot carry, a text input can: the values are checked again afterwards anyway.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from bot.actions.model import Schema
from handlers.blocks import plain, short
from handlers.inert import inert
from handlers.message import Block

MOST_TYPED = 3000
_LABEL, _HINT = 150, 500
_OPTIONS, _OPTION_TEXT, _OPTION_VALUE = 100, 75, 150
_DIGITS = 50
_LONG = 250
_YES, _NO = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_AS_JSON = {"array": 'Write it as JSON, e.g. ["a", "b"].', "object": 'Write it as JSON, e.g. {"name": "value"}.'}


def input_block(name: str, schema: Schema, given: Any) -> tuple[Block, bool]:
    """The input for one parameter, and whether it holds what was given. `given` is None where nothing was."""
    plainer = _plainer(schema)
    value = given if given is not None else schema.get("default")
    element, held = _element(plainer, value)
    title = plainer.get("title")
    hint = " ".join(
        text for text in (plainer.get("description"), _AS_JSON.get(_kind(plainer))) if isinstance(text, str) and text
    )
    return _block(name, title if isinstance(title, str) else "", hint, element, optional="default" in schema), (
        held or given is None
    )


def bare_input(name: str, schema: Schema) -> Block:
    """The smallest input that will do, for where many large ones would not fit together."""
    return _block(name, "", "", {"type": "plain_text_input"}, optional="default" in schema)


def _block(name: str, title: str, hint: str, element: Block, *, optional: bool) -> Block:
    label = short(inert(title.strip() or name), _LABEL)
    made: Block = {
        "type": "input",
        "block_id": name,
        "label": plain(label),
        "element": element | {"action_id": name},
        "optional": optional,
    }
    return made | ({"hint": plain(short(inert(hint), _HINT))} if hint.strip() else {})


def _element(schema: Schema, value: Any) -> tuple[Block, bool]:
    """The control, and whether it holds `value`."""
    options = _options(schema)
    if options:
        return _chosen("static_select", options, _text(value) if value is not None else "")
    kind = _kind(schema)
    if kind == "boolean":
        word = _text(value).strip().lower() if value is not None else ""
        wanted = "true" if word in _YES else "false" if word in _NO else word
        return _chosen("radio_buttons", [_option("Yes", "true"), _option("No", "false")], wanted)
    if kind in {"integer", "number"}:
        return _number(schema, kind, value)
    if kind in _AS_JSON:
        return _typed({"type": "plain_text_input", "multiline": True}, value)
    form = schema.get("format")
    if form == "date":
        return _date(value)
    if form in {"email", "idn-email"}:
        return _typed({"type": "email_text_input"}, value)
    if form in {"uri", "url", "iri"}:
        return _typed({"type": "url_text_input"}, value)
    return _words(schema, value)


def _words(schema: Schema, value: Any) -> tuple[Block, bool]:
    least, most = _count(schema.get("minLength")), _count(schema.get("maxLength"))
    text = _text(value) if value is not None else ""
    long = max(least or 0, most or 0, len(text)) > _LONG or "\n" in text
    element: Block = {"type": "plain_text_input", "multiline": long}
    if least and least <= min(most or MOST_TYPED, MOST_TYPED):
        element["min_length"] = least
    if most and most <= MOST_TYPED and most >= (least or 0):
        element["max_length"] = most
    return _typed(element, value)


def _typed(element: Block, value: Any) -> tuple[Block, bool]:
    text = _text(value) if value is not None else ""
    # A text that was cut would be sent as if it were whole, so one that does not fit is left out and said to be.
    if not text or len(text) > min(element.get("max_length", MOST_TYPED), MOST_TYPED):
        return element, not text
    return element | {"initial_value": text}, True


def _number(schema: Schema, kind: str, value: Any) -> tuple[Block, bool]:
    element: Block = {"type": "number_input", "is_decimal_allowed": kind == "number"}
    least, most = _bound(schema, kind, "minimum"), _bound(schema, kind, "maximum")
    if least is None or most is None or least <= most:
        element |= {"min_value": _digits(least)} if least is not None else {}
        element |= {"max_value": _digits(most)} if most is not None else {}
    if value is None:
        return element, True
    number = _decimal(value)
    fits = (
        number is not None
        and (kind == "number" or number == number.to_integral_value())
        and (least is None or number >= least)
        and (most is None or number <= most)
        and len(_digits(number)) <= _DIGITS
    )
    return (element | {"initial_value": _digits(number)}, True) if fits and number is not None else (element, False)


def _bound(schema: Schema, kind: str, name: str) -> Decimal | None:
    """A limit that Slack can check; of those that it cannot, ours is told afterwards."""
    found = _decimal(schema.get(name))
    beyond = _decimal(schema.get("exclusiveM" + name[1:]))
    if kind == "integer":
        up = name == "minimum"
        whole = [Decimal(math.ceil(found) if up else math.floor(found))] if found is not None else []
        whole += [Decimal(math.floor(beyond) + 1 if up else math.ceil(beyond) - 1)] if beyond is not None else []
        found = (max(whole) if up else min(whole)) if whole else None
    return found if found is not None and len(_digits(found)) <= _DIGITS else None


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip()
    try:
        number = Decimal(text) if len(text) <= _DIGITS else None
    except ArithmeticError:
        return None
    # An exponent beyond this could not be written out.
    return number if number is not None and number.is_finite() and abs(number.adjusted()) <= _DIGITS else None


def _digits(number: Decimal | None) -> str:
    return format(number, "f") if number is not None else ""


def _date(value: Any) -> tuple[Block, bool]:
    element: Block = {"type": "datepicker"}
    if value is None:
        return element, True
    try:
        held = date.fromisoformat(_text(value)).isoformat() == value  # weeks and dates without dashes are read too
    except ValueError:
        held = False
    return (element | {"initial_date": value}, True) if held else (element, False)


def _chosen(kind: str, options: list[Block], wanted: str) -> tuple[Block, bool]:
    element: Block = {"type": kind, "options": options}
    for option in options:
        if option["value"] == wanted:
            return element | {"initial_option": option}, True
    return element, not wanted


def _options(schema: Schema) -> list[Block]:
    """The choices of an `enum`; none where a menu cannot show them all and keep them apart."""
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if not isinstance(allowed, list) or not 0 < len(allowed) <= _OPTIONS:
        return []
    values = [_text(one) for one in allowed]
    texts = [short(inert(value), _OPTION_TEXT) for value in values]
    if any(not value.strip() or len(value) > _OPTION_VALUE for value in values) or len(set(texts)) < len(texts):
        return []
    return [_option(text, value) for text, value in zip(texts, values, strict=True)]


def _option(text: str, value: str) -> Block:
    return {"text": plain(text), "value": value}


def _plainer(schema: Schema) -> Schema:
    """A schema that also allows null, without it: an empty field says the same."""
    for name in ("anyOf", "oneOf"):
        among = schema.get(name)
        if isinstance(among, list):
            others = [one for one in among if isinstance(one, Mapping) and one.get("type") != "null"]
            if len(others) == 1:
                return {**others[0], **{key: value for key, value in schema.items() if key != name}}
    return schema


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None) if len(set(map(str, kind)) - {"null"}) == 1 else None
    return kind if isinstance(kind, str) else ""


def _count(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
