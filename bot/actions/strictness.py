"""Of two policies one that asks for at least as much as each: for when nobody can say which of them is meant."""

from __future__ import annotations

from dataclasses import replace

from bot.actions.policy import Kind, Policy
from bot.errors import PolicyUnclear

_STRENGTH: dict[Kind, int] = {"none": 0, "self": 1, "ciba": 2, "other": 2}


def strictest(one: Policy, other: Policy) -> Policy:
    """Respect by respect the stricter of both; what neither asks for more than the other does is the first one's.

    Raises PolicyUnclear where no policy does: for different people to ask, or different values to type.
    """
    if one.kind != other.kind and _STRENGTH[one.kind] == _STRENGTH[other.kind]:
        raise PolicyUnclear  # one's own device, and somebody else: neither takes the other's place
    chief, second = (one, other) if _STRENGTH[one.kind] >= _STRENGTH[other.kind] else (other, one)
    approvers = _those_of_both(chief, second) if chief.kind == second.kind == "other" else chief.approvers
    if None not in {one.confirm, other.confirm} and one.confirm != other.confirm:
        raise PolicyUnclear
    quorum = max(one.quorum, other.quorum) if chief.kind == "other" else chief.quorum
    if approvers and len(approvers) < quorum and not any(user.startswith("S") for user in approvers):
        raise PolicyUnclear
    return replace(
        chief,
        approvers=approvers,
        quorum=quorum,
        step_up=one.step_up or other.step_up,
        expires=min(one.expires, other.expires),
        hold=max(one.hold, other.hold),
        confirm=one.confirm or other.confirm,
        reason=one.reason or other.reason,
        preview=one.preview or other.preview,
        preview_fields=one.preview_fields or other.preview_fields,
    )


def _those_of_both(one: Policy, other: Policy) -> tuple[str, ...]:
    """Who may decide by either of them. Without approvers it is whoever is in the channel."""
    if set(one.approvers) == set(other.approvers):
        if not one.approvers and one.channel != other.channel:
            raise PolicyUnclear
        return one.approvers
    # A group may hold more people than are named beside it, and Slack alone knows which: only what is named counts.
    fewer, more = sorted((one.approvers, other.approvers), key=len)
    if not fewer or not set(fewer) < set(more):
        raise PolicyUnclear
    return fewer
