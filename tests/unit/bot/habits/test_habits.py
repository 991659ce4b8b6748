"""What stands out of what somebody usually does."""

from __future__ import annotations

from typing import Any

import pytest

from bot.habits import Habits, History, unusual
from bot.habits.model import MOST
from tests.fakes.histories import MemoryHistoryStore
from tests.fakes.runner import person

ADA = person("ada")


def after(*amounts: Any) -> History:
    """Whoever has refunded these."""
    history = History()
    for amount in amounts:
        history = history.with_one_more({"order_id": "A-1", "amount": amount})
    return history


def test_the_first_time_is_said() -> None:
    """Nothing is known, so everything is new."""
    assert unusual(History(), {"amount": 5}) == ("It is the first time that this person asks for this.",)


@pytest.mark.parametrize(
    ("former", "amount", "said"),
    [
        ((10, 20, 30), 90, True),
        ((10, 20, 30), 89, False),
        ((10, 20), 1_000_000, False),
        ((10, 20, 30), 5, False),
        ((0, 0, 0), 1, True),
        ((10, 20, 30), True, False),
        ((-5, -5, -5), -1, False),
    ],
)
def test_far_more_than_usual_is_said(former: tuple[int, ...], amount: float, said: bool) -> None:
    """Three times the largest of at least three; less is nobody's business, and a yes is no amount."""
    assert bool(unusual(after(*former), {"amount": amount})) is said


def test_the_sentence_says_how_much_and_what_was_usual() -> None:
    """Whoever decides can judge it."""
    (sentence,) = unusual(after(10, 12.5, 30), {"order_id": "A-1", "amount": 2500})
    assert "amount is 2500" in sentence
    assert "12.5 in the middle, 30 at most" in sentence


def test_the_latest_amounts_are_remembered() -> None:
    """Not for ever: an old large one does not make the next large one usual (guard: `MOST`)."""
    history = after(1_000_000, *[10] * MOST)
    assert history.times == MOST + 1
    assert unusual(history, {"amount": 30})


async def test_each_person_and_action_has_its_own() -> None:
    """What Ada does is new for Bob, and what she refunds says nothing of what she reads."""
    habits = Habits(MemoryHistoryStore())
    await habits.carried_out(ADA.slack, ADA.sub, "refund", {"amount": 5})
    assert await habits.unusual(ADA, "refund", {"amount": 5}) == ()
    assert await habits.unusual(person("bob"), "refund", {"amount": 5})
    assert await habits.unusual(ADA, "read", {})
    assert await habits.unusual(person("ada", team="T2"), "refund", {"amount": 5})


async def test_a_history_that_is_away_keeps_nobody() -> None:
    """It is a hint: nothing is said, and nothing fails (guards: the `except` in both)."""
    habits = Habits(MemoryHistoryStore(away=True))
    assert await habits.unusual(ADA, "refund", {"amount": 5}) == ()
    await habits.carried_out(ADA.slack, ADA.sub, "refund", {"amount": 5})
