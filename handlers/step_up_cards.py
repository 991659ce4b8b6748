"""The way to authenticate once more for one decision."""

from __future__ import annotations

from bot.approvals.model import Approval
from handlers.blocks import button, buttons, code, context, section
from handlers.message import Message

STEP_UP = "approval.step_up"


def step_up_card(url: str, approval: Approval) -> Message:
    """For direct messages alone; the fallback text does not hold the link."""
    name = code(approval.action[:100])
    return Message(
        f"Sign in once more to approve {name}. The link is in this message.",
        (
            section(
                f"*Sign in once more to approve {name}*\n"
                "Whoever runs me wants to be sure that it is you. Use your own account and your second factor; "
                "your approval counts as soon as you are back."
            ),
            buttons(button(STEP_UP, "Sign in to approve", style="primary", url=url)),
            context("Valid for five minutes, once. *Never forward this link*: it is for you alone."),
        ),
    )
