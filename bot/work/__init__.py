"""Work that lasts: what people see of it while it goes on, and how it is stopped, whichever replica does it."""

from __future__ import annotations

from bot.work.model import Outcome, Place, Running, Stop, View
from bot.work.ports import RunStore, Screen, Surface, TooFast
from bot.work.stopping import Stopping
from bot.work.works import Works

__all__ = [
    "Outcome",
    "Place",
    "RunStore",
    "Running",
    "Screen",
    "Stop",
    "Stopping",
    "Surface",
    "TooFast",
    "View",
    "Works",
]
