"""Who has to agree before a call is made, and how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Kind = Literal["none", "self", "other", "ciba"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What one call needs: an action's own settings, or what the first of its rules that matches makes of them.

    `approvers` are ids of Slack users (`U…`, `W…`) and user groups (`S…`); none of them with a `channel` means whoever
    sees the card there. `quorum` counts people. `confirm` names the argument whose value the approver must type,
    `reason` asks the requester why. `preview` is an address whose answer the card shows, reduced to `preview_fields`.
    """

    kind: Kind = "self"
    approvers: tuple[str, ...] = ()
    channel: str | None = None
    quorum: int = 1
    step_up: bool = False
    expires: timedelta = timedelta(minutes=15)
    hold: timedelta = timedelta(0)
    confirm: str | None = None
    reason: bool = False
    preview: str | None = None
    preview_fields: tuple[str, ...] = ()
