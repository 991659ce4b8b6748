"""The part of the Home tab that a person has to decide about."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot.approvals.model import Approval, Part, State
from bot.errors import TooLargeToShow
from handlers import cards
from handlers.blocks import button, buttons, code, context, day, section
from handlers.message import Block
from oauth import Principal

CARD = "home.card"

DIVIDER: Block = {"type": "divider"}
# Blocks and characters, as JSON, that whole cards and rows may take at most.
_CARDS, _ROWS = (24, 90_000), (16, 20_000)


def requests(waiting: Sequence[Approval], who: Principal) -> list[Block]:
    """Cards as in the direct messages, to the letter, since nobody may approve what they do not see whole.

    What does not fit can be denied here, and approved on its card alone.
    """
    if not waiting:
        return [context("Nothing waits for your decision.")]
    acting_as = who.identity.email or who.identity.name
    whole: list[Block] = []
    rows: list[Block] = []
    left = 0
    for approval in waiting:
        card = _card(approval, who, acting_as)
        if card and fits([*whole, DIVIDER, *card], _CARDS):
            whole += [DIVIDER, *card] if whole else card
        elif fits([*rows, *(row := _row(approval))], _ROWS):
            rows += row
        else:
            left += 1
    if left:
        rows.append(context(f"… and {left} more. Their cards are in *Messages*; `/agent approvals` lists them."))
    return [*whole, DIVIDER, *rows] if whole and rows else [*whole, *rows]


def _card(approval: Approval, who: Principal, acting_as: str | None) -> list[Block]:
    """The whole card, or nothing where nothing is left to decide."""
    if approval.state is not State.PENDING:
        return []
    try:
        own = approval.requester.key == who.slack.key
        part = Part.REQUESTER if own and approval.policy.kind != "self" else Part.APPROVER
        return list(cards.approval_card(approval, part=part, acting_as=acting_as if own else None).blocks)
    except TooLargeToShow:
        return []


def _row(approval: Approval) -> list[Block]:
    name = code(approval.action[:64])
    if approval.state is not State.PENDING:
        return [section(f"✓ {name} is approved. ⏳ It begins in a moment.")]
    there = [button(CARD, "Open the card", url=_address(approval))] if _address(approval) else []
    return [
        section(
            f"{name} waits for your decision, asked {day(approval.created_at)}, open until {day(approval.expires_at)}. "
            "Its card shows all of it."
        ),
        buttons(*there, button(cards.DENY, "Deny", style="danger", value=approval.id)),
    ]


def _address(approval: Approval) -> str:
    """The direct messages, in whichever client this is (docs.slack.dev, "Deep linking into Slack")."""
    channel = next((copy.channel for copy in approval.copies if copy.to == approval.requester.user), None)
    return f"slack://channel?team={approval.requester.team}&id={channel}" if channel else ""


def fits(blocks: Sequence[Block], share: tuple[int, int]) -> bool:
    """Whether these take no more than so many blocks, and so many characters as JSON."""
    return len(blocks) <= share[0] and len(json.dumps(blocks)) <= share[1]
