"""What can be reached and done in a page with a keyboard alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Page

_LOOK = (Path(__file__).parent / "keys.js").read_text(encoding="utf-8")


async def complaints(page: Page) -> list[str]:
    """What keys cannot do: a control that Tab misses or visits out of order, a focus unseen, a key without effect."""
    await page.evaluate(_LOOK)
    wanted: list[str] = await page.evaluate("keys.inVisualOrder()")
    await page.evaluate("keys.toTop()")
    reached: list[str] = []
    amiss: list[str] = []
    for _ in wanted:
        await page.keyboard.press("Tab")
        here: dict[str, Any] = await page.evaluate("keys.here()")
        reached.append(here["name"])
        amiss += [f"{here['name']}: {what}" for what in here["amiss"]]
        for key in here["works"]:
            await page.evaluate("keys.listen()")
            await page.keyboard.press(key)
            if not await page.evaluate("keys.heard()"):
                amiss.append(f"{here['name']}: nothing comes of {key}")
    await page.keyboard.press("Tab")
    beyond: dict[str, Any] = await page.evaluate("keys.here()")
    if beyond["name"] not in {"", *wanted[:1]}:
        amiss.append(f"{beyond['name']}: reached by Tab, and is nothing to work")
    return amiss if reached == wanted else [*amiss, f"Tab goes {reached}, the eye goes {wanted}"]
