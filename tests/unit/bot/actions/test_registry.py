"""Actions by name, and Python functions as actions: what cannot be one is refused when it is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bot.actions import Action, ActionResult, Call, Registry, action
from bot.actions.catalog import gather
from bot.actions.model import digest_of
from bot.actions.policy import Policy
from bot.actions.registry import marked
from bot.errors import ActionUnknown, ConfigurationError
from oauth import AccessToken
from tests.fakes.runner import Deed, person

SELF = Policy()


def test_an_action_is_found_by_its_name() -> None:
    """And by nothing else; a name like it is offered."""
    one = Deed().action()
    registry = Registry([one])
    assert registry.get("refund_order") is one
    assert (len(registry), list(registry)) == (1, [one])
    with pytest.raises(ActionUnknown) as caught:
        registry.get("refund_ordr")
    assert caught.value.near == ("refund_order",)


def test_two_of_one_name_are_a_mistake() -> None:
    """Neither hides the other, and all such names are said."""
    one, two = Deed().action("one"), Deed().action("two")
    with pytest.raises(ValueError, match="two actions are named one, two"):
        Registry([one, two, one, two])


def test_what_a_grant_reaches() -> None:
    """Only what needs no more than the person's scopes is offered."""
    reading = Deed().action("reading", scopes=frozenset({"orders:read"}))
    registry = Registry([Deed().action(), reading])
    assert registry.open_to(person("ada", scopes=frozenset({"orders:read"}))) == [reading]


def test_a_third_partys_scopes_are_none_of_the_grants() -> None:
    """An action with a connection is open to whoever is linked; all of a connection is asked for together."""
    reading = Deed().action("reading", scopes=frozenset({"events:read"}), connection="almanac")
    writing = Deed().action("writing", scopes=frozenset({"events:write"}), connection="almanac")
    other = Deed().action("other", scopes=frozenset({"files"}), connection="drive")
    registry = Registry([reading, writing, other])
    assert registry.open_to(person("ada", scopes=frozenset())) == [reading, writing, other]
    assert registry.wanted_of("almanac") == {"events:read", "events:write"}
    assert registry.wanted_of("nothing") == frozenset()


def test_t47_the_digest_covers_what_is_agreed_to() -> None:
    """Name, definition, arguments, scopes, audience and policy: a change of any is another digest; the order is not."""
    one = Deed().action()
    original = digest_of(one, {"a": 1, "b": 2}, SELF)
    others = [
        digest_of(replace(one, name="other"), {"a": 1, "b": 2}, SELF),
        digest_of(replace(one, definition={"version": 2}), {"a": 1, "b": 2}, SELF),
        digest_of(one, {"a": 1, "b": 3}, SELF),
        digest_of(one, {"a": 1, "b": "2"}, SELF),
        digest_of(one, {"a": 1}, SELF),
        digest_of(replace(one, scopes=frozenset()), {"a": 1, "b": 2}, SELF),
        digest_of(replace(one, audience="https://other.example.com"), {"a": 1, "b": 2}, SELF),
        digest_of(replace(one, connection="almanac"), {"a": 1, "b": 2}, SELF),
        digest_of(one, {"a": 1, "b": 2}, replace(SELF, quorum=2)),
    ]
    assert len({original, *others}) == 10
    assert digest_of(one, {"b": 2, "a": 1}, SELF) == original


def module(text: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import such a module from a file of its own."""
    import importlib

    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module(name)


GOOD = """
from datetime import date
from bot.actions import Call, action

@action(description="Refund one order", scopes=["orders:refund"])
async def refund(call: Call, *, order: str, due: date, amount: int | None = None, day: date = date(2030, 1, 2)) -> str:
    return f"{order} {due.year} {amount} {day.year} {call.principal.sub}"

async def not_an_action(call: Call) -> str:
    return ""
"""


def call(**arguments: Any) -> Call:
    now = datetime.now(UTC)
    return Call(person("ada"), arguments, AccessToken("t", "a", frozenset(), now, now), "run")


@pytest.fixture
def refund(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Action:
    """An action out of a Python module."""
    (found,) = marked(module(GOOD, "good_actions", tmp_path, monkeypatch))
    return found


def test_a_function_is_an_action_with_its_parameters(refund: Action) -> None:
    """Keyword parameters become the action's, with JSON Schemas and JSON defaults; it is sensitive unless said."""
    assert (refund.name, refund.policy.kind, refund.sensitive) == ("refund", "self", True)
    assert refund.policy.expires == timedelta(minutes=15)
    assert refund.required == ("order", "due")
    assert refund.parameters["due"] == {"type": "string", "format": "date"}
    assert refund.parameters["day"]["default"] == "2030-01-02"


async def test_a_function_gets_values_of_its_types(refund: Action) -> None:
    """A date arrives as a date, also where it is the default; the text is the result."""
    result = await refund.call(call(order="A-1", due="2031-02-03", amount=5, day="2030-01-02"))
    assert result == ActionResult(ok=True, text="A-1 2031 5 2030 auth0|ada")


async def test_a_value_that_its_type_refuses_is_a_sentence(refund: Action) -> None:
    """The 30th of February fits the schema, but is no date: nothing is called."""
    result = await refund.call(call(order="A-1", due="2031-02-30"))
    assert (result.ok, result.unknown) == (False, False)
    assert "nothing was done" in result.text


def test_t47_another_source_is_another_action(refund: Action, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed function has another digest, so what was approved before does not run it."""
    (changed,) = marked(module(GOOD.replace("{order} ", ""), "good_actions", tmp_path, monkeypatch))
    assert changed.digest != refund.digest


async def positional(call: Call, order: str) -> str:
    """Takes its parameter in the wrong way."""
    return order


async def untyped(call: Call, *, order) -> str:  # type: ignore[no-untyped-def]
    """Does not say what it takes."""
    return str(order)


async def no_call() -> str:
    """Takes nothing."""
    return ""


def not_async(call: Call) -> str:
    """Would block."""
    return ""


async def RefundOrder(call: Call) -> str:  # noqa: N802
    """Has a name that no action has."""
    return ""


@pytest.mark.parametrize(
    "options", [{"connection": "almanac", "audience": "https://a.example.com"}, {"connection": "alma nac"}]
)
def test_a_connection_that_cannot_be_is_refused_at_import(options: dict[str, Any]) -> None:
    """Neither beside an audience nor by a name that no connection has."""
    with pytest.raises(ConfigurationError) as caught:
        action(description="x", scopes=[], **options)
    assert "connection" in caught.value.problems[0]


def test_t47_a_functions_connection_is_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another third party, another action; and without one the definition is as ever."""
    text = GOOD.replace('scopes=["orders:refund"]', 'scopes=["orders:refund"], connection="almanac"')
    (connected,) = marked(module(text, "connected_actions", tmp_path, monkeypatch))
    (plain,) = marked(module(GOOD, "plain_actions", tmp_path, monkeypatch))
    assert connected.connection == connected.definition["connection"] == "almanac"
    assert connected.login_scopes == frozenset()
    assert "connection" not in plain.definition


@pytest.mark.parametrize("function", [positional, untyped, no_call, not_async, RefundOrder])
def test_what_cannot_be_an_action_is_refused_at_import(function: Callable[..., Any]) -> None:
    """It is named, and not passed over until somebody misses it."""
    with pytest.raises(ConfigurationError) as caught:
        action(description="x", scopes=[])(function)
    assert function.__name__ in caught.value.problems[0]


def test_a_sensitive_action_that_nobody_approves_is_refused() -> None:
    """The two contradict each other, and neither is chosen silently."""
    with pytest.raises(ConfigurationError):
        action(description="x", scopes=[], sensitive=True, approval="none")


def test_file_and_modules_are_one_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that stands in both is a line; a function that is handed on by a second module is one action."""
    module(GOOD, "good_actions", tmp_path, monkeypatch)
    module("from good_actions import refund", "handed_on", tmp_path, monkeypatch)
    assert len(gather(None, ["good_actions", "handed_on"], None)) == 1  # type: ignore[arg-type]
    path = tmp_path / "actions.toml"
    path.write_text('[[action]]\nname = "refund"\ndescription = "x"\nmethod = "GET"\nurl = "https://a.example.com/"\n')

    class NoHttp:
        """Makes nothing."""

        def caller(self, *_: str) -> None:
            """Nothing."""

    with pytest.raises(ConfigurationError) as caught:
        gather(path, ["good_actions"], NoHttp())  # type: ignore[arg-type]
    assert caught.value.problems == ["ACTIONS_FILE, ACTIONS_MODULES: two actions are named refund. Rename one of them."]


def test_a_module_says_itself_what_is_wrong_with_its_actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence of `@action` reaches the operator; of any other error only the kind does."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "wrong_actions.py").write_text(GOOD.replace("*, order", "order"))
    (tmp_path / "broken_actions.py").write_text("raise RuntimeError('canary')")
    with pytest.raises(ConfigurationError) as caught:
        gather(None, ["wrong_actions", "broken_actions", "no_such_actions"], None)  # type: ignore[arg-type]
    assert caught.value.problems == [
        "ACTIONS_MODULES: wrong_actions: refund must take order after a *, with its type.",
        "ACTIONS_MODULES: broken_actions cannot be imported (RuntimeError).",
        "ACTIONS_MODULES: no_such_actions cannot be imported (ModuleNotFoundError).",
    ]
