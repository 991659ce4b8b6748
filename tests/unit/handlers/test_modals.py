"""Windows that Slack takes whatever the schema, and what comes back from them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.actions.arguments import check
from bot.actions.model import Action, ActionResult, Call
from bot.errors import ArgumentsInvalid
from bot.sandbox.slack import controls, limits
from handlers import modals

Json = dict[str, Any]
TRICKS = st.sampled_from(["<!channel>", "*b*", "\u202e", "\x00", "\n", " ", "`", "&lt;", ":tada:", "\ud800", "ü", "👍"])
TEXT = st.lists(TRICKS | st.text(st.characters(), max_size=20), max_size=20).map("".join)
LONG = TEXT | st.integers(1, 12_000).map(lambda count: "<!channel>\u202e "[: count % 12] + "x" * count)
NUMBER = st.integers() | st.floats() | st.sampled_from([10**60, -(10**60), 1e300, 5e-324])
SCHEMA = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["string", "integer", "number", "boolean", "array", "object", "null", ["string", "null"]]
        ),
        "title": LONG,
        "description": LONG,
        "format": st.sampled_from(["date", "date-time", "email", "uri", "time", "uuid"]),
        "enum": st.lists(LONG | NUMBER | st.booleans() | st.none(), max_size=110),
        "default": LONG | NUMBER | st.booleans() | st.none() | st.lists(TEXT, max_size=3),
        "minimum": NUMBER,
        "maximum": NUMBER,
        "exclusiveMinimum": NUMBER,
        "exclusiveMaximum": NUMBER,
        "minLength": st.integers(0, 10_000),
        "maxLength": st.integers(0, 10_000),
    },
)


async def nothing(_: Call) -> ActionResult:
    """An action that is never called here."""
    raise AssertionError


def an_action(parameters: Json, name: str = "refund_order", description: str = "Refund one order") -> Action:
    """An action with these parameters."""
    return Action(
        name=name,
        description=description,
        parameters=parameters,
        scopes=frozenset(),
        audience=None,
        sensitive=True,
        approval="self",
        expires=timedelta(minutes=15),
        idempotent=False,
        definition={},
        call=nothing,
    )


def form(parameters: Json, given: Json | None = None, problems: dict[str, str] | None = None) -> Json:
    """The form, taken by Slack."""
    view = modals.action_form(an_action(parameters), given or {}, problems or {}, '{"action":"refund_order"}')
    return limits.view(view, "modal")


def one(schema: Json, value: Any = None) -> Json:
    """The block of a form's only parameter, `p`."""
    (block,) = (each for each in form({"p": schema}, {} if value is None else {"p": value})["blocks"] if is_input(each))
    return block


def is_input(block: Json) -> bool:
    """Whether something is entered there."""
    return bool(block["type"] == "input")


def sent(view: Json, **entered: Any) -> Json:
    """The view as Slack sends it back, once its own checks let it through."""
    state = controls.values(view["blocks"], entered)
    assert controls.faults(view["blocks"], state) == {}
    return view | {"state": {"values": state}}


def words(view: Json) -> str:
    """The paragraphs above the inputs."""
    return "\n".join(block["text"]["text"] for block in view["blocks"] if block["type"] == "section")


# The code.


def test_the_code_comes_back_under_its_contract_names() -> None:
    """Modal `link.code`, block `code`, element `code`."""
    view = limits.view(modals.code_modal(), "modal")
    assert view["callback_id"] == "link.code"
    assert sent(view, code="ABCD-EFGH")["state"]["values"] == {
        "code": {"code": {"type": "plain_text_input", "value": "ABCD-EFGH"}}
    }
    assert modals.submitted(sent(view, code="ABCD-EFGH")) == {"code": "ABCD-EFGH"}


# The form of an action.


def test_each_parameter_has_a_block_of_its_name() -> None:
    """The contract: `block_id` = `action_id` = the parameter's name; the metadata comes back as it was given."""
    view = form({"order_id": {"type": "string"}, "amount": {"type": "integer", "default": 3}})
    inputs = [block for block in view["blocks"] if is_input(block)]
    assert [(block["block_id"], block["element"]["action_id"]) for block in inputs] == [
        ("order_id", "order_id"),
        ("amount", "amount"),
    ]
    assert [block["optional"] for block in inputs] == [False, True]
    assert (view["callback_id"], view["private_metadata"]) == ("run.submit", '{"action":"refund_order"}')


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


def test_what_is_wrong_is_said_on_top() -> None:
    """Problems are sentences above the inputs; where there are none, so is nothing."""
    view = form({"p": {"type": "integer"}}, {"p": "x"}, {"p": "must be <!channel> a *whole* number.", "": "Read me."})
    assert "• `p` must be &lt;!channel&gt; a *whole* number." in words(view).replace("\u2060", "")
    assert "• Read me." in words(view)
    assert words(form({"p": {"type": "integer"}})) == "Refund one order"


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


def test_of_too_many_parameters_the_required_ones_come_first() -> None:
    """A window holds a hundred blocks; the rest is named as what the command can still take."""
    parameters: Json = {f"o{number}": {"type": "string", "default": ""} for number in range(120)}
    view = form(parameters | {"needed": {"type": "string"}}, {"o119": "lost"})
    inputs = [block["block_id"] for block in view["blocks"] if is_input(block)]
    assert inputs[0] == "needed"
    assert len(view["blocks"]) == 100
    assert "23 more do not fit here" in words(view)
    assert "`o119` cannot be carried over" in words(view)


def test_many_large_inputs_become_plain_ones_rather_than_too_large() -> None:
    """Slack refuses more than 250 KB: what does not fit any more loses its menu, hint and value, not its place."""
    rich: Json = {"description": "x" * 500, "enum": ["x" * 70 + str(number) for number in range(100)]}
    view = form({f"p{number}": rich for number in range(98)}, {f"p{number}": "x" * 70 + "1" for number in range(98)})
    inputs = [block for block in view["blocks"] if is_input(block)]
    assert len(inputs) == 98
    assert inputs[0]["element"]["type"] == "static_select"
    assert inputs[-1]["element"]["type"] == "plain_text_input"
    assert "cannot be carried over" in words(view)


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True) | st.text(max_size=300), SCHEMA, max_size=6),
    st.dictionaries(st.text(max_size=3), LONG, max_size=3),
    LONG,
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_t50_slack_takes_the_form_of_any_schema(
    parameters: Json, problems: dict[str, str], text: str, data: st.DataObject
) -> None:
    """Whatever schema, values and texts there are, the window opens, and nothing in it is interpreted."""
    given_ = {name: data.draw(LONG | NUMBER | st.booleans()) for name in parameters}
    action = an_action(parameters, name=text, description=text)
    view = modals.action_form(action, given_, problems, "m" * 3_000)
    limits.view(view, "modal")
    assert len(json.dumps(view)) < limits.VIEW_BYTES
    assert "<" not in words(view | {"blocks": view["blocks"][1:]})
    assert '"emoji": true' not in json.dumps(view)


@given(st.dictionaries(st.sampled_from("abc"), SCHEMA, max_size=3), st.data())
@settings(max_examples=150, deadline=None)
def test_what_is_submitted_untouched_is_what_was_given(parameters: Json, data: st.DataObject) -> None:
    """An input that nobody touches gives back the value it was opened with, or none where it said so."""
    given_ = {name: data.draw(TEXT) for name in parameters}
    view = limits.view(modals.action_form(an_action(parameters), given_, {}, ""), "modal")
    back = modals.submitted(view | {"state": {"values": controls.values(view["blocks"], {})}})
    for name, value in given_.items():
        kind = next(block for block in view["blocks"] if block["block_id"] == name)["element"]["type"]
        if kind == "plain_text_input" and value and f"`{name}` cannot be carried over" not in words(view):
            assert back[name] == value


def test_a_form_and_the_check_speak_the_same_language() -> None:
    """What a filled form sends back is what the action's check accepts, types and defaults included."""
    parameters: Json = {
        "text": {"type": "string", "maxLength": 500},
        "count": {"type": "integer", "minimum": 1},
        "rate": {"type": "number"},
        "sure": {"type": "boolean"},
        "day": {"type": "string", "format": "date"},
        "kind": {"type": "integer", "enum": [1, 2]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"type": "string", "default": "none"},
    }
    entered = {"text": "two\nlines", "count": 5, "rate": 2.5, "sure": "false", "day": "2030-01-02", "kind": "2"}
    view = sent(form(parameters), **entered, tags='["a"]', note="")
    assert check(an_action(parameters), modals.submitted(view)) == {
        "text": "two\nlines",
        "count": 5,
        "rate": 2.5,
        "sure": False,
        "day": "2030-01-02",
        "kind": 2,
        "tags": ["a"],
        "note": "none",
    }


# What comes back.


def test_empty_fields_are_left_out() -> None:
    """What nobody entered is not an empty text."""
    values = {
        "a": {"a": {"type": "plain_text_input", "value": None}},
        "b": {"b": {"type": "static_select", "selected_option": None}},
        "c": {"c": {"type": "datepicker", "selected_date": None}},
        "d": {"d": {"type": "plain_text_input", "value": ""}},
        "e": {"e": {"type": "number_input", "value": "0"}},
    }
    assert modals.submitted({"state": {"values": values}}) == {"e": "0"}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "value", "selected_option", "state", "values", "blocks", "block_id", "type"]),
            each,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JUNK)
def test_malformed_states_are_empty_ones(junk: Any) -> None:
    """Nothing that arrives as a view makes reading it fail, and only texts come out."""
    for view in (junk, {"state": junk}, {"state": {"values": junk}}, {"state": {"values": {"a": junk}}}):
        assert all(isinstance(value, str) and value for value in modals.submitted(view).values())
    for view in (junk, {"blocks": junk}, {"blocks": [junk]}):
        assert isinstance(modals.form_errors(view, {"a": "b"}, ["c"]), dict)


def test_values_of_other_elements_are_not_taken() -> None:
    """A block's value is that of the element of the same name."""
    assert modals.submitted({"state": {"values": {"a": {"b": {"value": "x"}}}}}) == {}


def test_errors_stand_under_their_fields() -> None:
    """Each problem is a sentence under its field, what is missing too."""
    view = form({"count": {"type": "integer"}, "text": {"type": "string"}})
    assert modals.form_errors(view, {"count": "must be 1 or more."}, ["text"]) == {
        "count": "Must be 1 or more.",
        "text": "Is missing.",
    }


def test_errors_without_a_field_are_said_under_the_first() -> None:
    """Slack refuses errors of fields that are not there, and an answer without any would close the window."""
    view = form({"count": {"type": "integer"}, "text": {"type": "string"}})
    assert modals.form_errors(view, {"gone": "is too large.", "count": "must be 1 or more."}, ["away"]) == {
        "count": "Must be 1 or more. gone is too large. away is missing."
    }
    assert modals.form_errors({"blocks": []}, {"gone": "is too large."}, []) == {}


def test_what_check_says_fits_under_a_field() -> None:
    """Real problems become short, inert sentences of existing fields."""
    parameters: Json = {"p": {"enum": ["\u202e" + "x" * 50] * 100}, "q": {"type": "integer"}}
    view = form(parameters)
    with pytest.raises(ArgumentsInvalid) as refused:
        check(an_action(parameters), {"p": "z"})
    errors = modals.form_errors(view, refused.value.problems, refused.value.missing)
    assert errors.keys() == {"p", "q"}
    assert all(0 < len(text) <= 300 and "\u202e" not in text for text in errors.values())
