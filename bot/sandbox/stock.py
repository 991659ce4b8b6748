"""Work of the demo that takes its time, as a Python action: it says how far it is, and can be stopped."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from bot.actions import ActionResult, Call, action

_EACH = 1.5  # seconds that somebody needs for a shelf


@action(description="Count what is on the shelves; takes half a minute", scopes=["orders:read"], sensitive=False)
async def take_stock(call: Call, *, shelves: Annotated[int, Field(ge=1, le=100)] = 20) -> ActionResult:
    """Walks along the shelves of a small storeroom."""
    await call.steps("Open the storeroom", "Count the shelves", "Write it down")
    await call.step("Open the storeroom")
    counted = 0
    try:
        await asyncio.sleep(_EACH)
        await call.step("Count the shelves")
        for counted in range(1, shelves + 1):
            await asyncio.sleep(_EACH)
            await call.report("Shelf by shelf", done=counted, of=shelves)
        await call.step("Write it down")
        await asyncio.sleep(_EACH)
    except asyncio.CancelledError:
        return ActionResult(ok=False, text=f"Stopped after {counted} of {shelves} shelves. What was counted is kept.")
    return ActionResult(ok=True, text=f"{counted} shelves with {counted * 12} boxes.")
