"""Has it been agreed? Requests, decisions, and the state that each is in."""

from __future__ import annotations

from bot.approvals.model import Approval, Copy, Origin, Part, State, Verdict, Vote

__all__ = ["Approval", "Copy", "Origin", "Part", "State", "Verdict", "Vote"]
