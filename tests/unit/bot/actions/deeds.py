"""A module of actions, as ACTIONS_MODULES names one."""

from __future__ import annotations

from datetime import date
from typing import Literal

from bot.actions import ActionResult, Call, action


@action(description="Count orders", scopes=["orders:read"], sensitive=False)
async def count_orders(call: Call, *, since: date, state: Literal["paid", "sent"] = "paid") -> str:
    """Says what it was asked, and under whose token."""
    return f"{call.principal.sub} {since:%d.%m.%Y} {state}"


@action(description="Close the shop", scopes=["shop:close"])
async def close_shop(call: Call) -> ActionResult:
    """Sensitive, since nothing else is said."""
    return ActionResult(ok=False, text="It is closed already.", status=409)


async def helper(call: Call) -> str:
    """Not marked, so no action."""
    return ""
