"""Has it been agreed? Requests, decisions, and the state that each is in."""

from __future__ import annotations

from bot.approvals.model import Approval, CardPlace, Origin, State, Verdict

__all__ = ["Approval", "CardPlace", "Origin", "State", "Verdict"]
