"""Who has to agree before a call is made, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from oauth import Principal

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

    def as_json(self) -> dict[str, Any]:
        """In plain JSON; times in seconds."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return plain | {"expires": self.expires.total_seconds(), "hold": self.hold.total_seconds()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Policy:
        """What `as_json` gave; names that this version does not know are passed over."""
        known = {name: value for name, value in plain.items() if name in cls.__dataclass_fields__}
        known |= {name: tuple(known[name]) for name in ("approvers", "preview_fields") if name in known}
        known |= {name: timedelta(seconds=known[name]) for name in ("expires", "hold") if name in known}
        return cls(**known)


class Rule(Protocol):
    """An exception to an action's policy."""

    @property
    def policy(self) -> Policy:
        """The whole policy where it matches."""

    def matches(self, arguments: Mapping[str, Any], principal: Principal) -> bool | None:
        """Whether it is for this call; None where that cannot be told."""
