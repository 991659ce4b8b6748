"""Actions that last until they are stopped, as somebody would write them in a module of `ACTIONS_MODULES`."""

from __future__ import annotations

import asyncio

from bot.actions import ActionResult, Call, action
from bot.actions.policy import Policy


async def _copying(call: Call, count: int) -> None:
    await call.steps("Read the orders", "Copy them", "Check the copy")
    await call.step("Read the orders")
    await call.step("Copy them")
    await call.report("Copying", done=40, of=count)
    await asyncio.Event().wait()


@action(description="Copy orders to the archive", scopes=["orders:read"], sensitive=False)
async def copy_orders(call: Call, *, count: int) -> ActionResult:
    """Leaves things tidy, and says how far it came."""
    try:
        await _copying(call, count)
    except asyncio.CancelledError:
        return ActionResult(ok=False, text=f"40 of {count} orders were copied, none of them by half.")
    return ActionResult(ok=True, text="All of them were copied.")


@action(
    description="Move orders to the archive",
    scopes=["orders:read", "orders:refund"],
    policy=Policy("other", approvers=("U0BOB",)),
)
async def move_orders(call: Call, *, count: int) -> ActionResult:
    """Says nothing of how far it came when it is stopped."""
    await _copying(call, count)
    return ActionResult(ok=True, text="All of them were moved.")
