"""The windows people type into, and what comes back from them (docs.slack.dev, "Modals")."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bot.actions.model import WHY, Action
from handlers.blocks import SECTION, code, line, paragraph, plain, section, short
from handlers.inert import inert
from handlers.inputs import bare_input, input_block
from handlers.message import Block

LINK_CODE = "link.code"
CODE = "code"
RUN_SUBMIT = "run.submit"
CONFIRM = "approval.confirm"
CONFIRMED = "confirm"
DENY_REASON = "approval.deny_reason"
REASON = "reason"

_TITLE = 24
_BLOCKS = 100
_ID = 255
_PROBLEMS = 20
_ERROR = 300
# Slack takes 250,000 characters for a view; what the metadata and two paragraphs may need is kept free.
_SIZE = 150_000
_STATE_KEYS = ("value", "selected_date", "selected_time", "selected_option")


def confirm_modal(action: str, name: str, metadata: str) -> dict[str, Any]:
    """Where an approver types the value of an argument, so that nobody agrees to what they have not read."""
    about = f"To approve {code(short(action, 64))}, type the value of {code(short(name, 64))} as the card shows it."
    return _asking(CONFIRM, "Are you sure?", "Approve", metadata) | {
        "blocks": [section(about), _text(CONFIRMED, short(name, 150), most=3000)]
    }


def deny_reason_modal(action: str, metadata: str) -> dict[str, Any]:
    """Why it was denied; the denial stands already, and closing this leaves it as it is."""
    about = f"{code(short(action, 64))} is denied. If you want to, tell who asked why."
    return _asking(DENY_REASON, "Why not?", "Tell them", metadata) | {
        "blocks": [section(about), _text(REASON, "Reason", most=500, optional=True, multiline=True)]
    }


def typed(view: Mapping[str, Any], block: str) -> str:
    """What was typed into a field whose block and element have one name."""
    return str(submitted(view).get(block) or "")


def _asking(callback: str, title: str, submit: str, metadata: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": metadata,
        "title": plain(title),
        "submit": plain(submit),
        "close": plain("Cancel"),
    }


def _text(name: str, label: str, *, most: int, optional: bool = False, multiline: bool = False) -> Block:
    return {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": plain(label),
        "element": {
            "type": "plain_text_input",
            "action_id": name,
            "multiline": multiline,
            "max_length": most,
        },
    }


def code_modal(account: str | None = None) -> dict[str, Any]:
    """Where the code from the page goes. `account` is who has signed in meanwhile: it may be somebody else."""
    about = "After the login, the page shows a code. It ties the account to you."
    if account is not None:
        about = f"{code(account)} has signed in through your link. Go on only if that account is yours."
    return {
        "type": "modal",
        "callback_id": LINK_CODE,
        "title": plain("Enter the code"),
        "submit": plain("Link"),
        "close": plain("Cancel"),
        "blocks": [
            section(about),
            {
                "type": "input",
                "block_id": CODE,
                "label": plain("Code"),
                "element": {
                    "type": "plain_text_input",
                    "action_id": CODE,
                    "placeholder": plain("XXXX-XXXX"),
                    "max_length": 40,
                    "focus_on_load": True,
                },
            },
        ],
    }


def action_form(action: Action, given: Mapping[str, Any], problems: Mapping[str, str], metadata: str) -> dict[str, Any]:
    """The form of an action, filled with what was given already, else with defaults.

    `problems` has a sentence per parameter; `metadata` comes back with the submission, at most 3000 characters.
    """
    inputs, lost = _inputs(action, given)
    if action.may_ask_why:
        inputs.append(_text(WHY, "Why", most=500, optional=not action.policy.reason, multiline=True))
    said = [_problem(name, sentence) for name, sentence in problems.items()]
    said += [_problem(name, "cannot be carried over to this form. Please enter it here again.") for name in lost]
    left_out = len(action.parameters) - len(inputs) + action.may_ask_why
    if left_out:
        said.append(f"{left_out} more do not fit here: use `/agent run ACTION name=value` for them.")
    about = short(inert(action.description).strip(), SECTION)
    blocks = [paragraph(about)] if about else []
    blocks += [section("\n".join(said[:_PROBLEMS]))] if said else []
    return {
        "type": "modal",
        "callback_id": RUN_SUBMIT,
        "private_metadata": metadata,
        "title": plain(short(inert(action.name), _TITLE) or "Run"),
        "submit": plain("Run"),
        "close": plain("Cancel"),
        "blocks": [*blocks, *inputs],
    }


def submitted(view: Mapping[str, Any]) -> dict[str, Any]:
    """What was entered, as text, by parameter; what was left empty is left out."""
    state = view.get("state") if isinstance(view, Mapping) else None
    values = state.get("values") if isinstance(state, Mapping) else None
    found: dict[str, Any] = {}
    for block, inside in values.items() if isinstance(values, Mapping) else ():
        entry = inside.get(block) if isinstance(inside, Mapping) else None
        text = _entered(entry) if isinstance(entry, Mapping) else None
        if isinstance(block, str) and text:
            found[block] = text
    return found


def form_errors(view: Mapping[str, Any], problems: Mapping[str, str], missing: Iterable[str]) -> dict[str, str]:
    """For `response_action: errors`: a sentence under each field.

    Slack takes errors of fields that exist alone; any other is said under the first one.
    """
    names = _names(view)
    found: dict[str, str] = {}
    elsewhere: list[str] = []
    for name, sentence in [*problems.items(), *((name, "is missing.") for name in missing)]:
        if name in names:
            found[name] = short(inert(sentence[:1].upper() + sentence[1:]), _ERROR)
        else:
            elsewhere.append(inert(f"{name} {sentence}".strip()))
    if elsewhere and names:
        found[names[0]] = short(" ".join([*([found[names[0]]] if names[0] in found else []), *elsewhere]), _ERROR)
    return found


def _inputs(action: Action, given: Mapping[str, Any]) -> tuple[list[Block], list[str]]:
    """An input each, as many as fit, required ones first if not all do; and the names of given values they lack."""
    named = [name for name in action.parameters if 0 < len(json.dumps(name)) - 2 <= _ID]
    room = _BLOCKS - 2 - action.may_ask_why
    if len(named) > room:
        required = [name for name in named if name in action.required]
        named = [*required, *(name for name in named if name not in action.required)][:room]
    made: list[Block] = []
    lost = [name for name in given if name in action.parameters and name not in named]
    size = 0
    for name in named:
        block, held = input_block(name, action.parameters[name], given.get(name))
        # Enough is kept free for the rest as bare inputs.
        if size + _size(block) > _SIZE - 1000 * (len(named) - len(made)):
            block, held = bare_input(name, action.parameters[name]), given.get(name) is None
        size += _size(block)
        made.append(block)
        if not held:
            lost.append(name)
    return made, lost


def _size(block: Block) -> int:
    return len(json.dumps(block))


def _problem(name: str, sentence: str) -> str:
    return f"• {code(name[:64])} {line(sentence)}" if name else f"• {line(sentence)}"


def _entered(entry: Mapping[str, Any]) -> str | None:
    for key in _STATE_KEYS:
        value = entry.get(key)
        if isinstance(value, Mapping):
            value = value.get("value")
        if isinstance(value, str) and value:
            return value
    return None


def _names(view: Mapping[str, Any]) -> list[str]:
    blocks = view.get("blocks") if isinstance(view, Mapping) else None
    inputs = [one for one in blocks if isinstance(one, Mapping)] if isinstance(blocks, list) else []
    return [one["block_id"] for one in inputs if one.get("type") == "input" and isinstance(one.get("block_id"), str)]
