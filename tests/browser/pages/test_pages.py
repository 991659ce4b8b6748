"""Each page of the table: for everybody, on a small screen, with a keyboard alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest

from tests.browser.pages import axe, keys
from tests.browser.pages.conftest import Seen

pytestmark = pytest.mark.asyncio(loop_scope="module")

NARROW = (Path(__file__).parent / "narrow.js").read_text(encoding="utf-8")
# WCAG 2.2, 1.4.12: a reader may space text like this.
SPACED = """p { margin-bottom: 2em !important }
* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }"""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WINDOWS = ((1280, 800), (320, 640))


@axe.needed
async def test_axe_has_nothing_against_it(seen: Seen) -> None:
    """No rule of axe-core is broken, light and dark, wide and narrow; the page's own policy blocked nothing of it.

    PICTURES, if set, names a directory that gets a picture of each.
    """
    amiss = []
    for scheme in SCHEMES:
        for width, height in WINDOWS:
            await seen.page.emulate_media(color_scheme=scheme)
            await seen.page.set_viewport_size({"width": width, "height": height})
            amiss += [f"{scheme}, {width}: {what}" for what in await axe.violations(seen.page)]
            if directory := os.environ.get("PICTURES"):
                await seen.page.screenshot(
                    path=Path(directory) / f"{seen.shown.name}-{scheme}-{width}.png", full_page=True
                )
    assert amiss == []
    assert seen.complaints == []


async def test_it_fits_in_320_pixels(seen: Seen) -> None:
    """Nothing scrolls sideways, no text is cut off, no control is too small to hit; also with wider spacing of text."""
    await seen.page.set_viewport_size({"width": 320, "height": 640})
    amiss = await seen.page.evaluate(NARROW)
    await seen.page.evaluate(
        "css => { const sheet = new CSSStyleSheet(); sheet.replaceSync(css); document.adoptedStyleSheets = [sheet] }",
        SPACED,
    )
    amiss += [f"spaced: {what}" for what in await seen.page.evaluate(NARROW)]
    await seen.page.evaluate("document.adoptedStyleSheets = []")
    assert amiss == []


@pytest.mark.parametrize("width", [1280, 320])
async def test_keys_are_enough(seen: Seen, width: int) -> None:
    """Tab goes to all that can be worked as the eye does, the focus is seen in both schemes, and keys work it."""
    await seen.page.set_viewport_size({"width": width, "height": 640})
    amiss = []
    for scheme in SCHEMES:
        await seen.page.emulate_media(color_scheme=scheme)
        amiss += [f"{scheme}: {what}" for what in await keys.complaints(seen.page)]
    assert amiss == []
