"""What the agent may do: actions from a file and from Python, their parameters, and their calls."""

from __future__ import annotations

from bot.actions.model import Action, ActionResult, Call, Caller
from bot.actions.registry import Registry, action

__all__ = ["Action", "ActionResult", "Call", "Caller", "Registry", "action"]
