"""The README's tour, done in the demo's page by a real browser; its pictures are the README's."""

from __future__ import annotations

import os
import re
from pathlib import Path

from playwright.async_api import Browser, Locator, Page, expect

from bot.sandbox.demo import running


class Visitor:
    """Somebody in front of the workspace's page. Pictures go to the directory that PICTURES names, if it does."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._pictures = os.environ.get("PICTURES")

    async def types(self, text: str) -> None:
        """Write into the composer and send; Escape takes the completion away first."""
        box = self.page.get_by_label("Message", exact=True)
        await box.fill(text)
        await box.press("Escape")
        await box.press("Enter")

    async def goes_to(self, channel: str) -> None:
        """Open a channel or the direct messages."""
        await self.page.locator(f'[data-channel="{channel}"]').click()

    def control(self, action_id: str) -> Locator:
        """The newest control with this id."""
        return self.page.locator(f'.message [data-action-id="{action_id}"]').last

    async def picture(self, name: str) -> None:
        """Keep what is seen."""
        if self._pictures:
            await self.page.screenshot(path=Path(self._pictures) / f"{name}.png")


async def test_the_tour_of_the_readme(chromium: Browser, tmp_path: Path) -> None:
    """Link, act, approve, connect, account for it, be somebody else: every step by hand in the page."""
    async with running(tmp_path, rotation=False) as (around, _):
        context = await chromium.new_context(viewport={"width": 1280, "height": 800})
        page = await context.new_page()
        ada = Visitor(page)
        await page.goto(f"{around.slack.url}/?user=U0ADA")

        # 1. Link.
        await ada.goes_to("C0SUPPORT")
        await ada.types("/agent link")
        await expect(page.get_by_text("I sent you a login link").last).to_be_visible()
        await ada.goes_to("D0ADA")
        await expect(ada.control("link.open")).to_be_visible()
        await ada.picture("link")
        async with context.expect_page() as opened:
            await ada.control("link.open").click()
        login = await opened.value
        await expect(login.get_by_role("heading", name="Link your account")).to_be_visible()
        if os.environ.get("PICTURES"):
            await login.screenshot(path=Path(os.environ["PICTURES"]) / "link-page.png")
        await login.get_by_role("button", name="Continue").click()
        await login.locator('[data-person="ada"]').click()
        await login.locator('button[value="accept"]').click()
        await expect(login.get_by_role("heading", name="You are linked")).to_be_visible()
        await login.close()
        await expect(ada.control("link.not_me")).to_be_visible()

        # 2. Act.
        await ada.goes_to("C0SUPPORT")
        await ada.types("/agent run list_orders")
        await expect(page.get_by_text("A-1001").last).to_be_visible()

        # 3. Approve.
        await ada.types("/agent run refund_order")
        form = page.get_by_role("dialog")
        await expect(form).to_be_visible()
        await form.locator('[data-action-id="order_id"]').fill("A-1001")
        await form.locator('[data-action-id="amount"]').fill("500")
        await form.locator('[data-action-id="reason"]').fill("Arrived too late")
        await form.get_by_role("button", name=re.compile("Run|Submit|Go on", re.IGNORECASE)).click()
        await expect(form).to_be_hidden()
        await ada.goes_to("D0ADA")
        await expect(ada.control("approval.approve")).to_be_visible()
        await ada.picture("approval")
        await ada.control("approval.approve").click()
        await expect(page.locator('[data-action-id="approval.approve"]')).to_have_count(0)
        await expect(page.get_by_text(re.compile(r"Done", re.IGNORECASE)).last).to_be_visible()
        await ada.picture("done")
        refunds = [call for call in around.shop.journal if call.path.endswith("/refund")]
        assert [(call.sub, call.scopes, call.status) for call in refunds] == [("auth0|ada", ("orders:refund",), 200)]

        # 4. Use an account elsewhere.
        await ada.types("/agent run list_events")
        await expect(ada.control("account.connect")).to_be_visible()
        await ada.picture("connect")
        async with context.expect_page() as opened:
            await ada.control("account.connect").click()
        connecting = await opened.value
        await expect(connecting.get_by_role("heading", name="Connect an account")).to_be_visible()
        await connecting.get_by_role("button", name="Continue to sign in").click()
        await connecting.locator('[data-person="ada"]').click()
        await connecting.locator('button[value="accept"]').click()
        await expect(connecting.get_by_role("heading", name="Let another program in")).to_be_visible()
        await connecting.get_by_label("Ada Lindqvist").check()
        await connecting.get_by_role("button", name="Let it in").click()
        await expect(connecting.get_by_role("heading", name="is connected")).to_be_visible()
        await connecting.close()
        await expect(page.get_by_text("Budget review").last).to_be_visible()

        # 5. Account.
        await ada.types("/agent audit")
        await expect(page.get_by_text("refund_order").last).to_be_visible()

        # 6. Be somebody else.
        await page.locator('[data-user="U0BOB"]').click()
        await ada.goes_to("C0SUPPORT")
        await ada.types("/agent status")
        await expect(page.get_by_text(re.compile("not linked")).last).to_be_visible()
        await page.locator('[data-user="U0ADA"]').click()
        await ada.goes_to("C0SUPPORT")
        await ada.types("/agent unlink")
        await expect(page.get_by_text(re.compile("You are unlinked")).last).to_be_visible()
        assert around.tenant.families("ada") == []
        await context.close()
