"""The actions file: every setting of the contract is carried out or refused aloud, every mistake has a line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.actions import Action
from bot.actions.file import load
from bot.errors import ConfigurationError

PLAIN = """
[[action]]
name = "refund_order"
description = "Refund one order"
method = "POST"
url = "https://api.example.com/orders/{order_id}/refund"
scopes = ["orders:refund"]
%s
[action.parameters.order_id]
type = "string"
pattern = "^[A-Z0-9-]+$"
"""


@dataclass(frozen=True)
class NoHttp:
    """Makes callers that are never called; notes what for."""

    made: list[tuple[str, str]]

    def caller(self, method: str, url: str) -> Any:
        """Note it."""
        self.made.append((method, url))
        return lambda _: None


def loaded(tmp_path: Path, text: str) -> list[Action]:
    path = tmp_path / "actions.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, NoHttp([]))  # type: ignore[arg-type]


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, text)
    return [line.removeprefix(f"{tmp_path / 'actions.toml'}: ") for line in caught.value.problems]


def test_the_contracts_example_is_read(tmp_path: Path) -> None:
    """Every setting that is carried out arrives in the action."""
    (action,) = loaded(
        tmp_path,
        PLAIN
        % 'audience = "https://a.example.com"\nsensitive = true\napproval = "self"\nexpires = "90s"\nidempotent = true',
    )
    assert (action.name, action.description) == ("refund_order", "Refund one order")
    assert action.scopes == {"orders:refund"}
    assert action.audience == "https://a.example.com"
    assert (action.sensitive, action.policy.kind, action.idempotent) == (True, "self", True)
    assert action.policy.expires == timedelta(seconds=90)
    assert action.required == ("order_id",)


def test_method_and_address_reach_the_caller(tmp_path: Path) -> None:
    """What is called is what the file says."""
    http = NoHttp([])
    path = tmp_path / "actions.toml"
    path.write_text(PLAIN % "")
    load(path, http)  # type: ignore[arg-type]
    assert http.made == [("POST", "https://api.example.com/orders/{order_id}/refund")]


@pytest.mark.parametrize(
    ("method", "said", "sensitive", "approval"),
    [
        ("GET", "", False, "none"),
        ("HEAD", "", False, "none"),
        ("POST", "", True, "self"),
        ("PUT", "", True, "self"),
        ("PATCH", "", True, "self"),
        ("DELETE", "", True, "self"),
        ("GET", "sensitive = true", True, "self"),
        ("POST", "sensitive = false", False, "none"),
        ("GET", 'approval = "self"', False, "self"),
        ("POST", 'approval = "none"', True, "none"),
    ],
)
def test_what_changes_something_needs_approval(
    tmp_path: Path, method: str, said: str, sensitive: bool, approval: str
) -> None:
    """Every method but GET and HEAD is sensitive unless said otherwise, and what is sensitive is asked for."""
    (action,) = loaded(tmp_path, (PLAIN % said).replace('"POST"', f'"{method}"'))
    assert (action.sensitive, action.policy.kind) == (sensitive, approval)


@pytest.mark.parametrize(
    ("text", "span"),
    [("1s", timedelta(seconds=1)), ("15m", timedelta(minutes=15)), ("2h", timedelta(hours=2)), ("30d", timedelta(30))],
)
def test_times_are_read(tmp_path: Path, text: str, span: timedelta) -> None:
    """Seconds, minutes, hours and days."""
    assert loaded(tmp_path, PLAIN % f'expires = "{text}"')[0].policy.expires == span


@pytest.mark.parametrize("said", ["", 'approval = "none"\n[[action.rules]]\nwhen = "true"\napproval = "none"'])
def test_a_login_that_nobody_would_be_asked_for_is_refused(tmp_path: Path, said: str) -> None:
    """Whoever relies on a second factor must not believe that one is asked for (guard: the look at it in `_whole`)."""
    text = (PLAIN % f"step_up = true\n{said}").replace('"POST"', '"GET"')
    assert problems(tmp_path, text) == [
        "action 1 (refund_order): says step_up, and nobody is asked to approve it; say who, or drop step_up."
    ]


def test_what_needs_a_button_goes_with_no_device(tmp_path: Path) -> None:
    """Nothing can be typed where it is decided on the device (guard: the look at it in `_problem`)."""
    (line,) = problems(tmp_path, PLAIN % 'approval = "ciba"\nconfirm = "order_id"')
    assert line.startswith("action 1 (refund_order): confirm needs a card with buttons")


@pytest.mark.parametrize("table", ["openapi", "mcp"])
def test_tables_that_are_not_carried_out_are_refused(tmp_path: Path, table: str) -> None:
    """So are whole kinds of actions."""
    assert problems(tmp_path, (PLAIN % "") + f'[[{table}]]\nurl = "x"\n') == [
        f"{table} is not part of this version. Take it out."
    ]


MISTAKES = {
    "a name in capitals": ('name = "refund_order"', 'name = "RefundOrder"', "name:"),
    "a name too long": ('name = "refund_order"', f'name = "{"a" * 65}"', "name:"),
    "no name": ('name = "refund_order"', "", "name: Field required."),
    "no description": ('description = "Refund one order"', 'description = ""', "description:"),
    "an unknown method": ('"POST"', '"TRACE"', "method:"),
    "another scheme": ("https://api.example.com", "file:///etc", "url:"),
    "a parameter as host": ("api.example.com", "{order_id}", "url:"),
    "a login in the address": ("api.example.com", "user:canary@api.example.com", "url:"),
    "a port that is none": ("api.example.com", "api.example.com:port", "url:"),
    "a space in the address": ("/refund", "/re fund", "url:"),
    "an unescaped letter in the address": ("/refund", "/rückgabe", "url:"),
    "an unknown parameter in the address": ("{order_id}", "{id}", "url names id,"),
    "a nameless place": ("{order_id}", "{}", "url names {},"),
    "an attribute of a parameter": ("{order_id}", "{order_id.__class__}", "url names order_id.__class__,"),
    "a conversion": ("{order_id}", "{order_id!r}", "url may name its parameters as {name} only."),
    "a format": ("{order_id}", "{order_id:>9}", "url may name its parameters as {name} only."),
    "a brace": ("{order_id}", "{order_id", "expected '}' before end of string."),
    "two scopes in one": ('["orders:refund"]', '["orders:refund orders:read"]', "scopes.0:"),
    "a connection beside an audience": (
        "scopes =",
        'audience = "https://a.example.com"\nconnection = "almanac"\nscopes =',
        "says connection and audience",
    ),
    "an empty connection": ("scopes =", 'connection = ""\nscopes =', "connection:"),
    "a connection with a colon": ("scopes =", 'connection = "alma:nac"\nscopes =', "connection:"),
    "a connection too long": ("scopes =", f'connection = "{"a" * 129}"\nscopes =', "connection:"),
    "an empty audience": ("scopes =", 'audience = ""\nscopes =', "audience:"),
    "a setting that nobody knows": ("scopes =", "sensitiv = true\nscopes =", "sensitiv is not a setting of an action."),
    "a time without a unit": ("scopes =", "expires = 15\nscopes =", "expires: must be a time"),
    "a time in words": ("scopes =", 'expires = "soon"\nscopes =', "expires: must be a time"),
    "no time at all": ("scopes =", 'expires = "0s"\nscopes =', "expires: must be more than nothing"),
    "two months": ("scopes =", 'expires = "60d"\nscopes =', "expires: must be more than nothing"),
    "a contradiction": ("scopes =", 'sensitive = true\napproval = "none"\nscopes =', "says sensitive = true and"),
    "no JSON Schema": ('type = "string"', 'type = "text"', "parameters: order_id is not a JSON Schema"),
    "a default that does not fit": (
        'type = "string"',
        'type = "string"\ndefault = "a b"',
        "parameters: order_id has a default that does not have the expected form",
    ),
    "a date as default": ('type = "string"', "default = 2030-01-02", "parameters: order_id holds a date"),
    "a number too large": ('type = "string"', "maximum = 9007199254740992", "parameters: order_id holds a date"),
    "a number that is none": ('type = "string"', "maximum = nan", "parameters: order_id holds a date"),
    "a parameter in capitals": (
        "action.parameters.order_id",
        "action.parameters.Order",
        "parameters: Order must be small letters",
    ),
}


@pytest.mark.parametrize(("before", "after", "line"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_a_line(tmp_path: Path, before: str, after: str, line: str) -> None:
    """It names the action and the setting, says what is wrong, and repeats nothing secret."""
    text = PLAIN % ""
    assert before in text
    found = problems(tmp_path, text.replace(before, after, 1))
    assert len(found) == 1
    assert found[0].startswith("action 1")
    assert line in found[0]
    assert "canary" not in found[0]


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    """Wrong settings of two actions, two wrong parameters of one, an unknown table, a name that stands twice."""
    text = (
        (PLAIN % 'quorum = 0\nexpires = "never"').replace('type = "string"', 'type = "text"')
        + '[action.parameters.Other]\ntype = "string"\n'
        + (PLAIN % "").replace("refund_order", "two")
        + (PLAIN % "").replace("refund_order", "two")
        + "[surprise]\n"
    )
    found = problems(tmp_path, text)
    assert len(found) == 5
    assert "surprise is not known" in found[0]
    assert [word in "\n".join(found) for word in ("quorum", "expires", "order_id", "Other", "named two")] == [True] * 5


@pytest.mark.parametrize("content", [b"[[action", b"\xff\xfe", b"a = " + b"[" * 5000])
def test_what_is_not_toml_is_a_line(tmp_path: Path, content: bytes) -> None:
    """No traceback for a slip of the keyboard."""
    path = tmp_path / "actions.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(path, NoHttp([]))  # type: ignore[arg-type]
    (line,) = caught.value.problems
    assert "is not TOML" in line


def test_a_file_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    """Nor for a wrong path."""
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "none.toml", NoHttp([]))  # type: ignore[arg-type]
    assert "cannot be read" in caught.value.problems[0]


@pytest.mark.parametrize("text", ["action = 5", "[action]\nname = 'x'"])
def test_actions_are_tables_in_a_list(tmp_path: Path, text: str) -> None:
    """One pair of brackets too few is said as such, not passed over."""
    assert problems(tmp_path, text) == ["action must be tables, each under [[action]]."]


def test_an_empty_file_has_no_actions(tmp_path: Path) -> None:
    """That is not a mistake."""
    assert loaded(tmp_path, "") == []


def test_a_connection_is_read(tmp_path: Path) -> None:
    """Its scopes are the third party's, so the person's login need not reach them."""
    (action,) = loaded(tmp_path, PLAIN % 'connection = "google-oauth2"')
    assert (action.connection, action.audience) == ("google-oauth2", None)
    assert action.scopes == {"orders:refund"}
    assert action.login_scopes == frozenset()


def test_an_action_without_a_connection_is_defined_as_ever(tmp_path: Path) -> None:
    """What waits for a decision while a newer version starts is still what was shown (guard: `exclude` in
    `_action`)."""
    (action,) = loaded(tmp_path, PLAIN % "")
    assert "connection" not in action.definition
    assert action.login_scopes == action.scopes


def test_t47_every_setting_is_part_of_what_was_agreed(tmp_path: Path) -> None:
    """Whatever is changed in the file, the digest of the definition changes with it."""
    original = loaded(tmp_path, PLAIN % "")[0].digest
    changed = [
        PLAIN % "idempotent = true",
        PLAIN % 'audience = "https://elsewhere.example.com"',
        PLAIN % 'connection = "almanac"',
        PLAIN % 'connection = "google-oauth2"',
        (PLAIN % "").replace("/refund", "/cancel"),
        (PLAIN % "").replace('"POST"', '"PUT"'),
        (PLAIN % "").replace('["orders:refund"]', '["orders:read"]'),
        (PLAIN % "").replace("^[A-Z0-9-]+$", ".*"),
        (PLAIN % "").replace("Refund one order", "Refund all orders"),
    ]
    digests = {loaded(tmp_path, text)[0].digest for text in changed}
    assert len(digests) == len(changed)
    assert original not in digests
    assert loaded(tmp_path, PLAIN % "")[0].digest == original
