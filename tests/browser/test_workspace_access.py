"""The page for everybody and at any time: by keyboard, on small screens, with contrast, over a restart."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from bot.sandbox.slack import SandboxSlack
from tests.browser.desk import Desk
from tests.unit.bot.sandbox.slack.listener import actions, button, plain, section


async def test_the_page_comes_back_with_the_workspace(desk: Desk) -> None:
    """A restart is noticed, nothing typed is lost, what was said is there once, what is gone is gone."""
    await desk.post(text="before")
    ts = await desk.post(text="gone")

    def forget(slack: SandboxSlack) -> None:
        slack.workspace.messages["C0GENERAL"] = [m for m in slack.workspace.messages["C0GENERAL"] if m.ts != ts]

    ada = await desk.sits()
    await ada.box.fill("half a sen")
    await desk.slack.stop()
    await expect(ada.page.locator("#offline")).to_be_visible()
    await desk.restart(forget)
    await expect(ada.page.locator("#offline")).to_be_hidden()
    await desk.post(text="after")
    await expect(ada.last).to_contain_text("after")
    await expect(ada.page.get_by_text("before", exact=True)).to_have_count(1)
    await expect(ada.page.get_by_text("gone", exact=True)).to_have_count(0)
    await expect(ada.box).to_have_value("half a sen")
    ada.complaints.clear()


async def test_everything_is_reached_by_keyboard(desk: Desk) -> None:
    """From the top: a person, a channel, the tabs, the box; each with a visible focus."""
    ada = await desk.sits()
    await ada.page.locator("body").evaluate("() => document.activeElement.blur()")
    reached: list[str] = []
    for _ in range(40):
        await ada.page.keyboard.press("Tab")
        reached.append(
            await ada.page.evaluate(
                """() => { const at = document.activeElement; const ring = getComputedStyle(at);
                const frame = at.closest('.frame');
                const framed = frame && getComputedStyle(frame).boxShadow !== 'none';
                if (at !== document.body && ring.outlineStyle === 'none' && !framed) return 'no ring';
                return at.dataset.user ?? at.dataset.channel ?? at.getAttribute('aria-label') ?? at.className }"""
            )
        )
        if reached[-1] == "Message":
            break
    assert "no ring" not in reached
    for name in ("skip", "U0ADA", "U0BOB", "U0CAROL", "C0GENERAL", "C0SUPPORT", "D0ADA", "Message"):
        assert name in reached
    await ada.page.locator('[data-user="U0BOB"]').focus()
    await ada.page.keyboard.press("Enter")
    await expect(ada.page.locator('[data-user="U0BOB"]')).to_have_attribute("aria-pressed", "true")
    assert await ada.focused("data-user") == "U0BOB"


@pytest.mark.parametrize("width", [320, 390])
async def test_nothing_is_cut_off_on_a_small_screen(desk: Desk, width: int) -> None:
    """No sideways scrolling, and the channels are one press away."""
    await desk.post(
        section("averyverylongword" * 30, accessory=button("side", text=plain("A rather long label of a button"))),
        {"type": "section", "fields": [plain("y" * 200), plain("z" * 200)]},
        {
            "type": "markdown",
            "text": "| a | b |\n|---|---|\n| " + "cell " * 40 + " | x |\n\n```\n" + "code " * 60 + "\n```",
        },
        actions(*(button(f"b{n}") for n in range(8))),
    )
    ada = await desk.sits()
    await ada.page.set_viewport_size({"width": width, "height": 640})
    measure = (
        "() => [...document.querySelectorAll('.message, .top, .main')].some(e => e.scrollWidth > e.clientWidth + 1)"
    )
    assert await ada.page.evaluate("document.documentElement.scrollWidth") == width
    assert not await ada.page.evaluate(measure)
    await ada.page.get_by_role("button", name="Channels").click()
    await ada.page.locator('[data-channel="D0ADA"]').click()
    await expect(ada.page.get_by_role("tab", name="Home")).to_be_visible()
    await expect(ada.page.locator('[data-channel="D0ADA"]')).to_be_hidden()
    assert await ada.page.evaluate("document.documentElement.scrollWidth") == width


CONTRAST = """() => {
  const light = c => { const v = c.map(x => { x /= 255; return x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4 });
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2] };
  const rgb = s => s.match(/[\\d.]+/g).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c.slice(0, 3) } return [255, 255, 255] };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    const says = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!says || e.disabled || !e.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color).slice(0, 3)), light(ground(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) poor.push(e.textContent.trim() + ' ' + ((a + .05) / (b + .05)).toFixed(2));
  }
  return poor }"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_text_has_contrast(desk: Desk, scheme: Any) -> None:
    """WCAG's 4.5 to 1 for every text on the page, in both colour schemes."""
    await desk.post(
        section("*b* `code` <@U0ADA> <@U0BOB> <https://example.com|link>\n> quote\n```fence```"),
        actions(button("p", style="primary"), button("d", style="danger"), button("n")),
        {"type": "context", "elements": [plain("quiet words")]},
        {"type": "image", "alt_text": "a picture", "image_url": "https://example.com/x.png"},
    )
    await desk.calls.ok("chat.postEphemeral", channel="C0GENERAL", user="U0ADA", text="psst")
    await desk.post(channel="D0ADA", text="unread")
    await desk.post(channel="D0BOB", text="unread")
    ada = await desk.sits()
    await ada.page.emulate_media(color_scheme=scheme)
    await ada.box.press_sequentially("/agent ")
    await expect(ada.page.get_by_role("option")).to_have_count(3)
    assert await ada.page.evaluate(CONTRAST) == []
