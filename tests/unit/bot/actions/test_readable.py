"""Answers of services as people read them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.actions.readable import readable


def test_a_thing_is_a_line_for_each_name() -> None:
    """Names and values, nested ones indented, without quotes and braces."""
    value = {"order": {"id": "A-1", "items": [{"name": "cup"}], "note": None, "tags": []}, "paid": True}
    assert readable(value).split("\n") == [
        "order:",
        "  id: A-1",
        "  items:",
        "    - name: cup",
        "  note: null",
        "  tags: (none)",
        "paid: true",
    ]


def test_like_things_are_a_table() -> None:
    """A list of things with the same names has a row each, numbers to the right."""
    value = [{"id": "A-1", "total": 6980}, {"id": "A-22", "total": 5}]
    assert readable(value).split("\n") == ["id    total", "A-1    6980", "A-22      5"]


@pytest.mark.parametrize(
    "value",
    [
        [{"id": 1}, {"other": 2}],
        [{"id": "x" * 200}, {"id": "y"}],
        [{"id": "two\nlines"}, {"id": "y"}],
        [{"id": [1]}, {"id": [2]}],
    ],
)
def test_what_does_not_fit_a_table_is_listed(value: list[Any]) -> None:
    """Different names, long values or nested ones: an entry each, all of it."""
    assert readable(value).startswith("- ")


NAMES = st.text("abc", min_size=1, max_size=4)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(alphabet="abc xyz-", min_size=1, max_size=12)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(VALUES)
def test_nothing_is_left_out(value: Any) -> None:
    """Every name and every text of any value is in what people read."""
    shown = readable(value)

    def check(inner: Any) -> None:
        if isinstance(inner, dict):
            for name, each in inner.items():
                assert name in shown
                check(each)
        elif isinstance(inner, list):
            for each in inner:
                check(each)
        elif isinstance(inner, str):
            assert inner.rstrip() in shown

    check(value)
