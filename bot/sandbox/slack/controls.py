"""The controls of a message or a view: finding one, and what Slack sends when it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import connections
from .errors import NoSuchThing
from .model import Blocks

Json = dict[str, Any]
REQUIRED = "Please complete this required field."
SELECTED = {
    "users_select": "selected_user",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
}


def each(blocks: Blocks) -> Iterator[tuple[Json, Json]]:
    """Every control with the block that holds it."""
    for block in blocks:
        yield from connections.controls(block)
        found = block.get("elements", []) if block.get("type") == "actions" else []
        for element in [*found, block.get("accessory"), block.get("element")]:
            if isinstance(element, dict) and element.get("action_id"):
                yield block, element


def find(blocks: Blocks | None, action_id: str, block_id: str | None = None) -> tuple[Json, Json]:
    """The control of this id. Raises NoSuchThing."""
    for block, element in each(blocks or []):
        if element["action_id"] == action_id and block_id in (None, block["block_id"]):
            return block, element
    raise NoSuchThing(f"no control {action_id}")


def _options(element: Json) -> list[Json]:
    groups = element.get("option_groups") or []
    return [*element.get("options", []), *(option for group in groups for option in group["options"])]


def entered(element: Json, value: object) -> Json:
    """The state of an input that holds `value`: text, an option's value, or a list of options' values.

    Raises NoSuchThing for an option that is not offered.
    """
    kind = element["type"]
    words = [str(one) for one in value] if isinstance(value, list | tuple | set) else []
    if kind in ("checkboxes", "multi_static_select"):
        offered = {option["value"]: option for option in _options(element)}
        if unknown := [word for word in words if word not in offered]:
            raise NoSuchThing(f"no option {unknown[0]}")
        return {"type": kind, "selected_options": [offered[word] for word in words]}
    if kind in ("static_select", "radio_buttons", "overflow"):
        chosen = [option for option in _options(element) if option["value"] == value]
        if value not in (None, "") and not chosen:
            raise NoSuchThing(f"no option {value}")
        return {"type": kind, "selected_option": chosen[0] if chosen else None}
    if kind == "multi_users_select":
        return {"type": kind, "selected_users": words}
    if kind in SELECTED:
        return {"type": kind, SELECTED[kind]: value or None}
    return {"type": kind, "value": str(value) if value not in (None, "") else None}


def initial(element: Json) -> object:
    """What an input holds before anybody touched it, in the form that entered() takes."""
    if "initial_option" in element:
        return element["initial_option"]["value"]
    if "initial_options" in element:
        return [option["value"] for option in element["initial_options"]]
    names = ("initial_value", "initial_user", "initial_users", "initial_conversation", "initial_channel")
    for name in (*names, "initial_date", "initial_time"):
        if name in element:
            return element[name]
    return [] if element["type"] in ("checkboxes", "multi_static_select", "multi_users_select") else None


def values(blocks: Blocks, given: Mapping[str, Any]) -> Json:
    """`state.values` of all inputs. `given` names blocks: `{"amount": 5}` or `{"amount": {"amount": 5}}`."""
    made: Json = {}
    for block, element in each(blocks):
        if element["type"] in ("button", "overflow"):
            continue
        value = given.get(block["block_id"], initial(element))
        if isinstance(value, Mapping):
            value = value.get(element["action_id"], initial(element))
        made.setdefault(block["block_id"], {})[element["action_id"]] = entered(element, value)
    return made


def _is_empty(state: Json) -> bool:
    return all(not value for name, value in state.items() if name != "type")


def _fault(element: Json, state: Json) -> str | None:
    text = state.get("value") or ""
    if element["type"] == "number_input":
        try:
            number = float(text)
        except ValueError:
            return "Please enter a valid number."
        if not element.get("is_decimal_allowed") and not number.is_integer():
            return "Please enter a whole number."
        if "min_value" in element and number < float(element["min_value"]):
            return f"Please enter a number of at least {element['min_value']}."
        if "max_value" in element and number > float(element["max_value"]):
            return f"Please enter a number of at most {element['max_value']}."
    if len(text) < element.get("min_length", 0):
        return f"Please enter at least {element['min_length']} characters."
    if len(text) > element.get("max_length", 3000):
        return f"Please enter at most {element.get('max_length', 3000)} characters."
    return None


def faults(blocks: Blocks, state: Json) -> dict[str, str]:
    """What the client itself refuses to submit, by block: Slack's own checks, before the app hears of it."""
    found = {}
    for block, element in each(blocks):
        if block["type"] != "input":
            continue
        entry = state[block["block_id"]][element["action_id"]]
        if _is_empty(entry):
            if not block.get("optional"):
                found[block["block_id"]] = REQUIRED
        elif fault := _fault(element, entry):
            found[block["block_id"]] = fault
    return found


def used(block: Json, element: Json, value: object, *, at: str) -> Json:
    """The entry of `actions` for a control that was used; `at` is its `action_ts`."""
    made: Json = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
    if element["type"] == "button":
        for name in ("text", "value", "style", "url", "confirm"):
            if name in element:
                made[name] = element[name]
    else:
        made |= entered(element, value)
    return made | {"action_ts": at}
