"""Python functions as actions, and all actions of one bot together."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.actions import Registry, action
from bot.actions.arguments import check
from bot.actions.catalog import gather
from bot.actions.http import Http
from bot.actions.model import Call
from bot.actions.registry import marked
from bot.errors import ActionUnknown, ArgumentsInvalid, ConfigurationError
from tests.fakes.runner import person
from tests.unit.bot.actions import deeds
from tests.unit.bot.actions.test_action_http import call as call_of
from tests.unit.bot.actions.test_actions_file import GOOD

DEEDS = "tests.unit.bot.actions.deeds"


def named(name: str) -> Any:
    return Registry(marked(deeds)).get(name)


def test_marked_functions_are_actions_and_others_are_not() -> None:
    """Name, scopes and parameters come from the function; what is not said is sensitive."""
    assert sorted(one.name for one in marked(deeds)) == ["close_shop", "count_orders"]
    assert (named("close_shop").approval, named("count_orders").approval) == ("self", "none")
    assert named("count_orders").required == ("since",)
    assert named("count_orders").parameters["state"]["default"] == "paid"


async def test_arguments_arrive_with_their_types() -> None:
    """A date is a date in the function, and was checked as text before."""
    counting = named("count_orders")
    arguments = check(counting, {"since": "2026-01-31"})
    result = await counting.call(call_of(**arguments))
    assert result.text.endswith("31.01.2026 paid")


async def test_what_the_type_refuses_is_not_called() -> None:
    """The 30th of February passes no calendar: a sentence, and nothing is done."""
    result = await named("count_orders").call(call_of(since="2026-02-30", state="paid"))
    assert not result.ok
    assert "nothing was done" in result.text


def test_wrong_values_are_sentences_before_anything_is_called() -> None:
    """The schema comes from the types."""
    with pytest.raises(ArgumentsInvalid) as caught:
        check(named("count_orders"), {"since": "2026-01-31", "state": "lost"})
    assert "paid, sent" in caught.value.problems["state"]


@pytest.mark.parametrize("kind", ["plain", "no call", "positional", "untyped"])
def test_what_cannot_be_an_action_is_said_at_import(kind: str) -> None:
    """A function that could never be called is a mistake of who wrote it, found at the start."""

    def plain(call: Call) -> str:
        return ""

    async def no_call() -> str:
        return ""

    async def positional(call: Call, order: str) -> str:
        return ""

    async def untyped(call: Call, *, order) -> str:  # type: ignore[no-untyped-def]
        return ""

    function: Any = {"plain": plain, "no call": no_call, "positional": positional, "untyped": untyped}[kind]
    with pytest.raises(ConfigurationError):
        action(description="x", scopes=[])(function)


def test_sensitive_without_approval_is_a_contradiction() -> None:
    """As in the actions file."""
    with pytest.raises(ConfigurationError, match="contradict"):
        action(description="x", scopes=[], sensitive=True, approval="none")


def test_a_name_that_is_mistyped_brings_names_like_it() -> None:
    """The next step is in the error."""
    with pytest.raises(ActionUnknown) as caught:
        Registry(marked(deeds)).get("close_shops")
    assert caught.value.near == ("close_shop",)


def test_what_a_grant_reaches() -> None:
    """Only actions whose scopes the person has granted are open to them."""
    ada = person("ada")
    assert [one.name for one in Registry(marked(deeds)).open_to(ada)] == ["count_orders"]


@pytest.fixture
def broken_module(tmp_path: Path) -> Iterator[str]:
    """A module that fails when it is imported, with something secret in its error."""
    (tmp_path / "broken_deeds.py").write_text("raise RuntimeError('CANARY')", encoding="utf-8")
    sys.path.insert(0, str(tmp_path))
    yield "broken_deeds"
    sys.path.remove(str(tmp_path))


async def test_file_and_modules_together(tmp_path: Path) -> None:
    """One registry; a module named twice, or handing on what another marked, is no contradiction."""
    path = tmp_path / "actions.toml"
    path.write_text(GOOD, encoding="utf-8")
    async with aiohttp.ClientSession() as session:
        registry = gather(path, [DEEDS, DEEDS], Http(session))
    assert sorted(one.name for one in registry) == ["close_shop", "count_orders", "refund_order"]


async def test_two_actions_of_one_name_are_a_mistake(tmp_path: Path) -> None:
    """Which of them would run is nothing to guess."""
    path = tmp_path / "actions.toml"
    path.write_text(GOOD.replace("refund_order", "close_shop"), encoding="utf-8")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError, match="close_shop"):
            gather(path, [DEEDS], Http(session))


async def test_modules_that_cannot_be_imported_are_named(broken_module: str) -> None:
    """All of them, by the type of their error and never by its text."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError) as caught:
            gather(None, ["no_such_module", broken_module], Http(session))
    assert len(caught.value.problems) == 2
    assert "CANARY" not in str(caught.value)
