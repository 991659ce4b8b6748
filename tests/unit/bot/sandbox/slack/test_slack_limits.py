"""What Slack accepts as blocks and views: a bot that passes here passes there."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.slack import limits
from bot.sandbox.slack.errors import SlackRefusal
from tests.unit.bot.sandbox.slack.listener import actions, button, field, modal, plain, section

OPTION = {"text": plain("One"), "value": "1"}
CONFIRM = {"title": plain("Sure?"), "text": plain("Really?"), "confirm": plain("Yes"), "deny": plain("No")}


def problems(*blocks: dict[str, Any]) -> list[str]:
    """What is said against these blocks; nothing where they are accepted."""
    try:
        limits.message_blocks(list(blocks))
    except SlackRefusal as refusal:
        return list(refusal.messages) if refusal.error == "invalid_blocks" else [refusal.error]
    return []


GOOD: list[dict[str, Any]] = [
    section("x" * 3000),
    {"type": "section", "fields": [plain("x" * 2000)] * 10},
    section(accessory=button(confirm=CONFIRM)),
    {"type": "header", "text": plain("x" * 150)},
    {"type": "divider"},
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 10},
    actions(*(button(f"b{n}") for n in range(25))),
    actions(button(url="https://example.com", value="x" * 2000, style="primary")),
    actions({"type": "static_select", "action_id": "s", "options": [OPTION] * 100}),
    actions({"type": "overflow", "action_id": "o", "options": [OPTION] * 5}),
    {"type": "image", "alt_text": "x", "image_url": "https://example.com/x.png"},
    field(),
    field(kind="number_input", is_decimal_allowed=False),
    field(kind="checkboxes", options=[{"text": {"type": "mrkdwn", "text": "*x*"}, "value": "1"}]),
    {"type": "markdown", "text": "x" * 12_000},
    {"type": "rich_text", "elements": []},
]

BAD: list[tuple[dict[str, Any], str]] = [
    (section("x" * 3001), "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    (section(""), "must be more than 0 characters"),
    ({"type": "section"}, "must provide one of: text, fields"),
    ({"type": "section", "fields": [plain("x")] * 11}, "no more than 10 items allowed"),
    ({"type": "section", "fields": [plain("x" * 2001)]}, "must be less than 2001 characters"),
    ({"type": "section", "text": "words"}, "must provide an object"),
    ({"type": "header", "text": plain("x" * 151)}, "must be less than 151 characters"),
    ({"type": "header", "text": {"type": "mrkdwn", "text": "x"}}, "must be one of: plain_text"),
    ({"type": "context", "elements": []}, "no fewer than 1 items allowed"),
    (actions(*(button(f"b{n}") for n in range(26))), "no more than 25 items allowed"),
    (actions(button(value="x" * 2001)), "must be less than 2001 characters"),
    (actions(button(url="x" * 3001)), "must be less than 3001 characters"),
    (actions(button(style="purple")), "must be one of: primary, danger"),
    (actions(button(text=plain("x" * 76))), "must be less than 76 characters"),
    (actions(button(tooltip="x")), "invalid additional property: tooltip"),
    (actions(button("x" * 256)), "must be less than 256 characters"),
    (actions(button(), button()), "`action_id` press already exists in this block"),
    (actions({"type": "static_select", "action_id": "s"}), "must provide one of: options, option_groups"),
    (actions({"type": "overflow", "action_id": "o", "options": [OPTION] * 6}), "no more than 5 items allowed"),
    (actions({"type": "plain_text_input", "action_id": "p"}), "unsupported type: plain_text_input"),
    (actions(button(confirm={**CONFIRM, "text": plain("x" * 301)})), "must be less than 301 characters"),
    (field(kind="button"), "unsupported type: button"),
    (field(kind="number_input"), "missing required field: is_decimal_allowed"),
    ({"type": "image", "image_url": "https://example.com/x.png"}, "missing required field: alt_text"),
    ({"type": "carousel"}, "unsupported type: carousel"),
    ({"text": "x"}, "missing required field: type"),
]


@pytest.mark.parametrize("block", GOOD, ids=[f"{n}-{b['type']}" for n, b in enumerate(GOOD)])
def test_what_fits_is_accepted(block: dict[str, Any]) -> None:
    """Up to the very last character."""
    assert problems(block) == []


@pytest.mark.parametrize(("block", "said"), BAD, ids=[said[:40] for _, said in BAD])
def test_what_does_not_fit_is_named(block: dict[str, Any], said: str) -> None:
    """In Slack's words, with the place as a JSON pointer."""
    found = problems(block)
    assert any(said in line for line in found), found
    assert all("[json-pointer:/blocks/0" in line for line in found)


def test_a_message_has_at_most_fifty_blocks() -> None:
    """The fifty-first is one too many."""
    assert problems(*[section()] * 50) == []
    assert "no more than 50 items allowed [json-pointer:/blocks]" in problems(*[section()] * 51)


def test_block_ids_differ() -> None:
    """Two blocks of one message cannot have the same."""
    assert problems(section(block_id="a"), section(block_id="b")) == []
    assert any("`block_id` a already exists" in line for line in problems(section(block_id="a"), section(block_id="a")))


def test_markdown_is_limited_over_all_blocks() -> None:
    """Two that fit alone may not fit together."""
    half = {"type": "markdown", "text": "x" * 6_001}
    assert problems(half) == []
    assert problems(half, half)


def faults(view: object, kind: str = "modal") -> str:
    """The error code and what is said against a view; empty where it is accepted."""
    try:
        limits.view(view, kind)
    except SlackRefusal as refusal:
        return f"{refusal.error} {' '.join(refusal.messages)}"
    return ""


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (modal(field()), ""),
        (modal(*[section()] * 100), ""),
        (modal(*[section()] * 101), "no more than 100 items allowed"),
        (modal(field(), title=plain("x" * 24)), ""),
        (modal(field(), title=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/title/text]"),
        (modal(field(), submit=plain("x" * 25)), "must be less than 25 characters"),
        (modal(field(), private_metadata="x" * 3001), "must be less than 3001 characters"),
        (modal(field(), callback_id="x" * 256), "must be less than 256 characters"),
        (modal(field(), colour="red"), "invalid additional property: colour"),
        ({"type": "modal", "title": plain("x"), "blocks": [field()]}, "missing required field: submit"),
        ({"type": "modal", "title": plain("x"), "blocks": [section()]}, ""),
        (modal({"type": "markdown", "text": "x"}), "unsupported type: markdown"),
        (modal(*[section("x" * 3000)] * 90), "view_too_large"),
        ("{", "invalid_arguments"),
        ([], "must provide an object"),
    ],
)
def test_a_modal_has_its_own_limits(view: object, said: str) -> None:
    """Title, buttons, metadata, size, and a submit button where there is something to submit."""
    found = faults(view)
    assert said in found
    assert bool(said) is bool(found)


def test_a_view_may_be_json_text() -> None:
    """As the SDK sends it."""
    assert limits.view('{"type": "home", "blocks": []}', "home") == {"type": "home", "blocks": []}


def test_what_the_bot_gave_is_not_changed() -> None:
    """Missing ids are made up in a copy."""
    mine = actions(button())
    limits.message_blocks([mine])
    assert "block_id" not in mine
