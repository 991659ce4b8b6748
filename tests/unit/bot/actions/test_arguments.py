"""What people type, and what it must be: everything that is wrong is said at once, in sentences."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.actions.arguments import check, parse
from bot.errors import ArgumentsInvalid
from tests.fakes.runner import Deed

READ = {
    "": {},
    "   ": {},
    "a=1": {"a": "1"},
    "a=1 b=2": {"a": "1", "b": "2"},
    "  a=1\n\tb=2  ": {"a": "1", "b": "2"},
    'a="two words" b=3': {"a": "two words", "b": "3"},
    "a='two words'": {"a": "two words"},
    "a=“two words” b=“x”": {"a": "two words", "b": "x"},
    "a=„two words“": {"a": "two words"},
    "a=”two words”": {"a": "two words"},
    "a=‘two words’": {"a": "two words"},
    "a=‘it’s’ b=1": {"a": "it’s", "b": "1"},
    "a=“say \"hi\" \\o/”": {"a": 'say "hi" \\o/'},
    "a=": {"a": ""},
    'a=""': {"a": ""},
    'a="say \\"hi\\""': {"a": 'say "hi"'},
    'a="back\\\\slash"': {"a": "back\\slash"},
    "a='it\"s'": {"a": 'it"s'},
    "a=b=c": {"a": "b=c"},
    "a=https://x.example/?q=1&r=2": {"a": "https://x.example/?q=1&r=2"},
    'a={"x":1}': {"a": '{"x":1}'},
    "größe=ä": {"größe": "ä"},
    "a=it's": {"a": "it's"},
    "a=<@U1>": {"a": "<@U1>"},
}  # fmt: skip


@pytest.mark.parametrize(("text", "found"), READ.items())
def test_what_people_type_is_read(text: str, found: dict[str, str]) -> None:
    """Quotes of every kind that Slack's editors make of two straight ones, and values without any."""
    assert parse(text) == found


@pytest.mark.parametrize("text", ["a", "a=1 loose", '"', "=1", 'a="open', "a='open", 'a="x"y', "a=1 ???", "“a”=1 b"])
def test_garbage_is_a_sentence(text: str) -> None:
    """What cannot be read is quoted, in part, and how to write it is said."""
    with pytest.raises(ArgumentsInvalid) as caught:
        parse(text)
    (sentence,) = caught.value.problems.values()
    assert sentence.startswith("I cannot read “")
    assert sentence.endswith("name=value, with quotes around spaces.")


def test_a_long_piece_of_garbage_is_cut() -> None:
    """Nobody is sent back ten thousand characters."""
    with pytest.raises(ArgumentsInvalid) as caught:
        parse("x" * 10_000)
    assert len(caught.value.problems[""]) < 150


@pytest.mark.parametrize("text", ["a=1 a=2", "a=1 b=2 a=1"])
def test_a_value_given_twice_is_refused(text: str) -> None:
    """Neither the first nor the last wins."""
    with pytest.raises(ArgumentsInvalid) as caught:
        parse(text)
    assert caught.value.problems == {"a": "is given twice. Give it once."}


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=30), max_size=5))
def test_whatever_is_quoted_comes_back(values: dict[str, str]) -> None:
    """Escaped and in straight quotes, any text at all survives the reading."""
    curly = str.maketrans(dict.fromkeys("“”„‘’", "x"))
    plain = {name: value.translate(curly) for name, value in values.items()}
    quoted = [name + '="' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for name, value in plain.items()]
    assert parse(" ".join(quoted)) == plain


@given(st.text(alphabet="ab=“”„‘’'\"\\ \n{}", max_size=60))
def test_any_line_is_read_or_refused(text: str) -> None:
    """No line whatever breaks the reader in another way than by a sentence."""
    with contextlib.suppress(ArgumentsInvalid):
        assert all(isinstance(value, str) for value in parse(text).values())


def checked(schema: dict[str, Any], value: Any) -> Any:
    action = replace(Deed().action(), parameters={"p": schema})
    return check(action, {"p": value})["p"]


def refusal(schema: dict[str, Any], value: Any) -> str:
    with pytest.raises(ArgumentsInvalid) as caught:
        checked(schema, value)
    return caught.value.problems["p"]


INTEGER, NUMBER, BOOLEAN, STRING = ({"type": kind} for kind in ("integer", "number", "boolean", "string"))
TYPED: list[tuple[dict[str, Any], Any, Any]] = [
    (INTEGER, "5", 5),
    (INTEGER, " -5 ", -5),
    (INTEGER, 5, 5),
    (NUMBER, "5", 5),
    (NUMBER, "1.5", 1.5),
    (NUMBER, "-2e3", -2000.0),
    (BOOLEAN, "yes", True),
    (BOOLEAN, "Off", False),
    (BOOLEAN, True, True),
    (STRING, "5", "5"),
    (STRING, "true", "true"),
    ({"type": "array", "items": INTEGER}, "[1, 2]", [1, 2]),
    ({"type": "object"}, '{"x": {"y": null}}', {"x": {"y": None}}),
    ({"type": ["integer", "null"]}, "5", 5),
    ({"anyOf": [INTEGER, {"type": "null"}]}, "5", 5),
    ({"anyOf": [STRING, INTEGER]}, "five", "five"),
    ({}, "anything", "anything"),
]


@pytest.mark.parametrize(("schema", "typed", "value"), TYPED)
def test_a_text_becomes_what_the_schema_wants(schema: dict[str, Any], typed: Any, value: Any) -> None:
    """A typed word is a number, a yes or a list where that is wanted, and only there."""
    found = checked(schema, typed)
    assert found == value
    assert type(found) is type(value)


WRONG: list[tuple[dict[str, Any], Any, str]] = [
    (INTEGER, "five", "must be a whole number."),
    (INTEGER, "5.5", "must be a whole number."),
    (INTEGER, 5.5, "must be a whole number."),
    (INTEGER, True, "must be a whole number."),
    (INTEGER, "1_000", "must be a whole number."),
    (INTEGER, "٣", "must be a whole number."),
    (INTEGER, "9" * 5000, "must be a whole number."),
    (NUMBER, "nan", "must be a number."),
    (NUMBER, "Infinity", "must be a number."),
    (NUMBER, "1_0.5", "must be a number."),
    (BOOLEAN, "maybe", "must be yes or no."),
    (BOOLEAN, 1, "must be yes or no."),
    (STRING, 5, "must be a text."),
    (STRING, {"$ne": None}, "must be a text."),
    (STRING, ["a"], "must be a text."),
    ({"type": "array"}, "[1", "must be a JSON list."),
    ({"type": "array"}, "[" * 100_000, "must be a JSON list."),
    ({"type": "object"}, "[]", "must be a JSON object."),
    ({"type": ["integer", "null"]}, "five", "must be a whole number."),
    (INTEGER | {"minimum": 1}, "0", "must be 1 or more."),
    (INTEGER | {"maximum": 9}, "10", "must be 9 or less."),
    (NUMBER | {"exclusiveMinimum": 0}, "0", "must be more than 0."),
    (NUMBER | {"exclusiveMaximum": 1}, "1", "must be less than 1."),
    (INTEGER | {"multipleOf": 5}, "7", "must be a multiple of 5."),
    (STRING | {"minLength": 2}, "a", "must have at least 2 characters."),
    (STRING | {"maxLength": 2}, "abc", "must have at most 2 characters."),
    (STRING | {"pattern": "^[A-Z]+$"}, "abc", "does not have the expected form (^[A-Z]+$)."),
    (STRING | {"enum": ["red", "blue"]}, "green", "must be one of: red, blue."),
    ({"const": "yes"}, "no", "must be yes."),
    ({"type": "array", "uniqueItems": True}, "[1, 1]", "does not fit what the action expects."),
]


@pytest.mark.parametrize(("schema", "value", "sentence"), WRONG)
def test_what_does_not_fit_is_a_sentence(schema: dict[str, Any], value: Any, sentence: str) -> None:
    """Each keyword of JSON Schema that people meet has words of its own."""
    assert refusal(schema, value) == sentence


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (INTEGER, 2**53),
        (INTEGER, "9007199254740992"),
        (NUMBER, "1e999"),
        (NUMBER, float("nan")),
        (NUMBER, float("inf")),
        (STRING, "half a \ud83d pair"),
        ({"type": "array"}, "[NaN]"),
        ({"type": "array"}, "[9007199254740992]"),
        ({"type": "object"}, '{"a": "\\ud83d"}'),
    ],
)
def test_what_no_digest_can_be_made_of_is_a_sentence(schema: dict[str, Any], value: Any) -> None:
    """What RFC 8785 cannot write would fail after the asking: it is refused before, in words."""
    assert refusal(schema, value).startswith("cannot be passed on exactly.")


def test_a_list_without_end_is_a_sentence() -> None:
    """What a model nests three thousand deep is refused like any other value, and brings nothing down."""
    nested: list[Any] = []
    for _ in range(3000):
        nested = [nested]
    assert refusal({}, nested).startswith("cannot be passed on exactly.")


def test_everything_wrong_is_said_at_once() -> None:
    """Unknown, wrong and missing values together, each by its name."""
    action = Deed().action(parameters={"a": INTEGER, "b": STRING, "c": BOOLEAN, "d": STRING | {"default": "x"}})
    with pytest.raises(ArgumentsInvalid) as caught:
        check(action, {"a": "x", "e": "1", "c": "maybe"})
    assert caught.value.missing == ("b",)
    assert caught.value.problems == {
        "a": "must be a whole number.",
        "c": "must be yes or no.",
        "e": "is not a parameter of refund_order. It has: a, b, c, d.",
    }


def test_what_is_not_given_has_its_default() -> None:
    """A default fills in, also where a form or a model says null."""
    action = Deed().action(parameters={"a": INTEGER | {"default": 3}, "b": STRING | {"default": "x"}})
    assert check(action, {"b": None}) == {"a": 3, "b": "x"}


@pytest.mark.parametrize("value", [{"$ne": None}, {"$gt": ""}, [{"$ne": None}], {"$where": "1"}])
def test_t70_an_operator_of_the_database_is_no_value(value: Any) -> None:
    """Every parameter has a type, and an object is none of the simple ones."""
    for schema in (INTEGER, NUMBER, BOOLEAN, STRING):
        assert refusal(schema, value).startswith("must be ")


@pytest.fixture
def asked_for() -> Iterator[tuple[str, list[str]]]:
    """A server on a free port, its address, and what it was asked for."""
    paths: list[str] = []

    class Schemas(BaseHTTPRequestHandler):
        """Answers every question with a schema that fits."""

        def do_GET(self) -> None:
            """Note it."""
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"type": "string"}')

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Schemas) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()
        thread.join()


def test_t65_a_schema_elsewhere_is_never_fetched(asked_for: tuple[str, list[str]]) -> None:
    """The registry of references is empty: an address in a schema is refused, and nobody is asked there."""
    url, paths = asked_for
    assert refusal({"$ref": f"{url}/schema"}, "x") == "does not fit what the action expects."
    assert paths == []
