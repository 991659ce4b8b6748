"""Each parameter has the control that its schema asks for, and loses nothing in it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.forms import Json, form, one, words


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "plain_text_input"),
        ({"enum": ["a", "b"]}, "static_select"),
        ({"const": "a"}, "static_select"),
        ({"type": "boolean"}, "radio_buttons"),
        ({"type": "integer"}, "number_input"),
        ({"type": "number"}, "number_input"),
        ({"type": "string", "format": "date"}, "datepicker"),
        ({"type": "string", "format": "email"}, "email_text_input"),
        ({"type": "string", "format": "uri"}, "url_text_input"),
        ({"type": "string", "format": "date-time"}, "plain_text_input"),
        ({"type": "array"}, "plain_text_input"),
        ({"type": "object"}, "plain_text_input"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}, "number_input"),
        ({"type": ["boolean", "null"]}, "radio_buttons"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "plain_text_input"),
        ({}, "plain_text_input"),
    ],
)
def test_each_type_has_its_control(schema: Json, kind: str) -> None:
    """People pick dates and choices instead of typing them."""
    assert one(schema)["element"]["type"] == kind


def test_label_and_hint_come_from_the_schema() -> None:
    """The title is the label, else the name; the description is the hint, and JSON is asked for where it is needed."""
    block = one({"type": "array", "title": "Tags", "description": "What it is about."})
    assert block["label"]["text"] == "Tags"
    assert block["hint"]["text"] == 'What it is about. Write it as JSON, e.g. ["a", "b"].'
    assert block["element"]["multiline"] is True
    assert one({"type": "string"})["label"]["text"] == "p"
    assert "hint" not in one({"type": "string"})


def test_limits_are_checked_by_slack_already() -> None:
    """What Slack can check is told while people type."""
    whole = one({"type": "integer", "minimum": 1, "exclusiveMaximum": 10})["element"]
    assert (whole["is_decimal_allowed"], whole["min_value"], whole["max_value"]) == (False, "1", "9")
    halves = one({"type": "integer", "minimum": 0.5, "exclusiveMinimum": 2.5})["element"]
    assert halves["min_value"] == "3"
    free = one({"type": "number", "maximum": 2.5})["element"]
    assert (free["is_decimal_allowed"], free["max_value"]) == (True, "2.5")
    text = one({"type": "string", "minLength": 2, "maxLength": 20})["element"]
    assert (text["multiline"], text["min_length"], text["max_length"]) == (False, 2, 20)
    assert one({"type": "string", "maxLength": 2_000})["element"]["multiline"] is True


@pytest.mark.parametrize(
    ("schema", "value", "field", "held"),
    [
        ({"type": "string", "default": "d"}, None, "initial_value", "d"),
        ({"type": "string", "default": "d"}, "given", "initial_value", "given"),
        ({"type": "string"}, "two\nlines", "initial_value", "two\nlines"),
        ({"type": "integer"}, "5", "initial_value", "5"),
        ({"type": "number", "default": 2.5}, None, "initial_value", "2.5"),
        ({"type": "string", "format": "date"}, "2030-01-02", "initial_date", "2030-01-02"),
        ({"type": "array", "default": ["ä"]}, None, "initial_value", '["ä"]'),
        ({"type": "string", "format": "email"}, "ada@example.com", "initial_value", "ada@example.com"),
    ],
)
def test_what_was_given_is_there_already(schema: Json, value: Any, field: str, held: str) -> None:
    """Nobody types twice: what was given, else the default, is in the input."""
    assert one(schema, value)["element"][field] == held


@pytest.mark.parametrize(
    ("schema", "value", "held"),
    [
        ({"enum": ["a", "b"]}, "b", "b"),
        ({"enum": [1, 2]}, "2", "2"),
        ({"type": "boolean"}, "yes", "true"),
        ({"type": "boolean", "default": False}, None, "false"),
    ],
)
def test_a_choice_that_was_made_is_selected(schema: Json, value: Any, held: str) -> None:
    """Choices are carried over like texts."""
    assert one(schema, value)["element"]["initial_option"]["value"] == held


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "maximum": 3}, "5"),
        ({"type": "integer"}, "many"),
        ({"type": "integer"}, "9" * 60),
        ({"type": "boolean"}, "maybe"),
        ({"enum": ["a"]}, "z"),
        ({"type": "string", "format": "date"}, "tomorrow"),
        ({"type": "string", "format": "date"}, "20300102"),
        ({"type": "string", "maxLength": 5}, "longer"),
        ({"type": "string"}, "x" * 3_001),
    ],
)
def test_what_an_input_cannot_hold_is_left_out_and_said(schema: Json, value: str) -> None:
    """A value that was cut would be sent as if it were whole; so it is left out, and people are told."""
    element = one(schema, value)["element"]
    assert not {"initial_value", "initial_option", "initial_date"} & element.keys()
    assert "`p` cannot be carried over" in words(form({"p": schema}, {"p": value}))


@pytest.mark.parametrize(
    "choices",
    [
        [str(number) for number in range(101)],
        ["x" * 151],
        ["x" * 80 + "a", "x" * 80 + "b"],
        ["a", ""],
        ["a", "a"],
        [],
    ],
)
def test_choices_that_no_menu_can_show_are_typed(choices: list[str]) -> None:
    """Too many, too long, empty or alike to the eye: then a text does."""
    assert one({"type": "string", "enum": choices})["element"]["type"] == "plain_text_input"


def test_long_choices_are_shortened_to_the_eye_alone() -> None:
    """The text of a choice is cut and inert, its value is neither."""
    (option, _) = one({"enum": ["x" * 100, "\u202e"]})["element"]["options"]
    assert (len(option["text"]["text"]), option["value"]) == (75, "x" * 100)


def test_limits_that_contradict_each_other_are_left_to_the_check() -> None:
    """No number would fit both, and Slack could refuse the window; so they are not sent."""
    element = one({"type": "integer", "minimum": 5, "maximum": 3})["element"]
    assert not {"min_value", "max_value"} & element.keys()


def test_a_number_too_large_to_write_out_is_not_written_out() -> None:
    """A few typed characters must not become a text that fills the memory."""
    assert "initial_value" not in one({"type": "number"}, "1e999999999999999")["element"]
