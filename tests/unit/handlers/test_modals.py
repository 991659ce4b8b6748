"""Windows that Slack takes whatever the schema, and what comes back from them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.actions.arguments import check
from bot.errors import ArgumentsInvalid
from bot.sandbox.slack import controls, limits
from handlers import modals
from tests.fakes.forms import LONG, NUMBER, SCHEMA, TEXT, Json, an_action, form, is_input, sent, words


def test_the_code_comes_back_under_its_contract_names() -> None:
    """Modal `link.code`, block `code`, element `code`."""
    view = limits.view(modals.code_modal(), "modal")
    assert view["callback_id"] == "link.code"
    assert sent(view, code="ABCD-EFGH")["state"]["values"] == {
        "code": {"code": {"type": "plain_text_input", "value": "ABCD-EFGH"}}
    }
    assert modals.submitted(sent(view, code="ABCD-EFGH")) == {"code": "ABCD-EFGH"}


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


def test_what_is_wrong_is_said_on_top() -> None:
    """Problems are sentences above the inputs; where there are none, so is nothing."""
    view = form({"p": {"type": "integer"}}, {"p": "x"}, {"p": "must be <!channel> a *whole* number.", "": "Read me."})
    assert "• `p` must be &lt;!channel&gt; a *whole* number." in words(view).replace("\u2060", "")
    assert "• Read me." in words(view)
    assert words(form({"p": {"type": "integer"}})) == "Refund one order"


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


def test_very_many_problems_are_cut_at_a_line() -> None:
    """The first twenty are whole; half a sentence helps nobody."""
    shown = words(form({"p": {}}, problems={f"p{number}": "must be another." for number in range(500)}))
    assert shown.count("must be another.") == 20
    assert shown.endswith("must be another.")
