"""The schema of Block Kit's elements and composition objects (docs.slack.dev, "Block elements")."""

from __future__ import annotations

from .schema import (
    Check,
    Problems,
    anything,
    by_type,
    choice,
    complain,
    every,
    flag,
    integer,
    listing,
    needs_one_of,
    shape,
    string,
)

ACTION_ID = string(255)
TYPE = string(255)


def plain(most: int, least: int = 1) -> Check:
    """A `plain_text` object."""
    return shape({"type": choice("plain_text"), "text": string(most, least)}, {"emoji": flag})


def rich(most: int, least: int = 1) -> Check:
    """A `plain_text` or `mrkdwn` object."""
    return by_type(
        {
            "plain_text": plain(most, least),
            "mrkdwn": shape({"type": TYPE, "text": string(most, least)}, {"verbatim": flag}),
        }
    )


CONFIRM = shape(
    {"title": plain(100), "text": rich(300), "confirm": plain(30), "deny": plain(30)},
    {"style": choice("primary", "danger")},
)
MARKED_OPTION = shape({"text": rich(75), "value": string(150)}, {"description": rich(75)})
OPTION = shape({"text": plain(75), "value": string(150)}, {"description": plain(75), "url": string(3000)})
GROUP = shape({"label": plain(75), "options": listing(OPTION, 1, 100)})

BUTTON = shape(
    {"type": TYPE, "text": plain(75)},
    {
        "action_id": ACTION_ID,
        "url": string(3000),
        "value": string(2000, 0),
        "style": choice("primary", "danger"),
        "confirm": CONFIRM,
        "accessibility_label": string(75),
    },
)
IMAGE = shape({"type": TYPE, "alt_text": string(2000)}, {"image_url": string(3000), "slack_file": anything})


def _menu(**more: Check) -> Check:
    common: dict[str, Check] = {
        "action_id": ACTION_ID,
        "placeholder": plain(150),
        "confirm": CONFIRM,
        "focus_on_load": flag,
    }
    return shape({"type": TYPE}, common | more)


def _static(multi: bool) -> Check:
    more: dict[str, Check] = {"options": listing(OPTION, 1, 100), "option_groups": listing(GROUP, 1, 100)}
    if multi:
        more |= {"initial_options": listing(OPTION, 1, 100), "max_selected_items": integer(1, 100)}
    else:
        more |= {"initial_option": OPTION}
    return every(_menu(**more), needs_one_of(("options", "option_groups")))


OVERFLOW = shape({"type": TYPE, "options": listing(OPTION, 1, 5)}, {"action_id": ACTION_ID, "confirm": CONFIRM})
CHECKBOXES = shape(
    {"type": TYPE, "options": listing(MARKED_OPTION, 1, 10)},
    {
        "action_id": ACTION_ID,
        "initial_options": listing(MARKED_OPTION, 1, 10),
        "confirm": CONFIRM,
        "focus_on_load": flag,
    },
)
RADIO = shape(
    {"type": TYPE, "options": listing(MARKED_OPTION, 1, 10)},
    {
        "action_id": ACTION_ID,
        "initial_option": MARKED_OPTION,
        "confirm": CONFIRM,
        "focus_on_load": flag,
    },
)
_DISPATCH = shape({}, {"trigger_actions_on": listing(anything, 1, 2)})


def _typed(**more: Check) -> Check:
    common: dict[str, Check] = {
        "action_id": ACTION_ID,
        "placeholder": plain(150),
        "initial_value": string(3000, 0),
        "focus_on_load": flag,
        "dispatch_action_config": _DISPATCH,
    }
    return shape({"type": TYPE}, common | more)


PLAIN_TEXT_INPUT = _typed(multiline=flag, min_length=integer(0, 3000), max_length=integer(1, 3000))


def _decimal_said(value: object, path: str, problems: Problems) -> None:
    if isinstance(value, dict) and "is_decimal_allowed" not in value:
        complain(problems, "missing required field: is_decimal_allowed", path)


NUMBER_INPUT = every(
    _decimal_said,
    _typed(is_decimal_allowed=flag, min_value=string(50), max_value=string(50)),
)

MENUS: dict[str, Check] = {
    "static_select": _static(multi=False),
    "multi_static_select": _static(multi=True),
    "users_select": _menu(initial_user=string(50)),
    "multi_users_select": _menu(initial_users=listing(string(50), 1, 100), max_selected_items=integer(1, 100)),
    "conversations_select": _menu(
        initial_conversation=string(50),
        default_to_current_conversation=flag,
        response_url_enabled=flag,
        filter=anything,
    ),
    "channels_select": _menu(initial_channel=string(50), response_url_enabled=flag),
    "datepicker": _menu(initial_date=string(10)),
    "timepicker": _menu(initial_time=string(5), timezone=string(100)),
    "checkboxes": CHECKBOXES,
    "radio_buttons": RADIO,
}
IN_ACTIONS = by_type({**MENUS, "button": BUTTON, "overflow": OVERFLOW})
IN_SECTION = by_type({**MENUS, "button": BUTTON, "overflow": OVERFLOW, "image": IMAGE})
IN_INPUT = by_type(
    {
        **MENUS,
        "plain_text_input": PLAIN_TEXT_INPUT,
        "number_input": NUMBER_INPUT,
        "email_text_input": _typed(),
        "url_text_input": _typed(),
    }
)
IN_CONTEXT = by_type(
    {
        "image": IMAGE,
        "plain_text": plain(3000),
        "mrkdwn": shape({"type": TYPE, "text": string(3000)}, {"verbatim": flag}),
    }
)
