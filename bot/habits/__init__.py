"""What is usual for a person and an action, so that a card can say what is not."""

from __future__ import annotations

from bot.habits.habits import Habits
from bot.habits.model import History, HistoryStore, amounts, unusual

__all__ = ["Habits", "History", "HistoryStore", "amounts", "unusual"]
