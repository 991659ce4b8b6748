"""The Home tab in the demo's page, by a real browser: link, run, decide and unlink, each by its button."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from bot.sandbox.demo import running


class Visitor:
    """Ada in front of her Home tab. Pictures go to the directory that PICTURES names, if it does."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self._pictures = os.environ.get("PICTURES")

    @property
    def home(self) -> Locator:
        """The tab."""
        return self.page.locator("#home")

    def control(self, action_id: str) -> Locator:
        """The first control of this id in the tab."""
        return self.home.locator(f'[data-action-id="{action_id}"]').first

    async def picture(self, name: str) -> None:
        """Keep what is seen, by day and by night."""
        if self._pictures:
            for scheme in ("light", "dark"):
                await self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                await self.page.screenshot(path=Path(self._pictures) / f"{name}-{scheme}.png")
            await self.page.emulate_media(color_scheme="light")


async def signs_in(context: BrowserContext, ada: Visitor) -> None:
    """Follow the link in the direct messages, as Ada at the tenant."""
    await ada.page.locator("#tab-messages").click()
    async with context.expect_page() as opened:
        await ada.page.locator('.message [data-action-id="link.open"]').last.click()
    login = await opened.value
    await login.get_by_role("button", name="Continue").click()
    await login.locator('[data-person="ada"]').click()
    await login.locator('button[value="accept"]').click()
    await expect(login.get_by_role("heading", name="You are linked")).to_be_visible()
    await login.close()
    await ada.page.locator("#tab-home").click()


async def test_the_home_tab_is_enough_for_the_whole_job(chromium: Browser, tmp_path: Path) -> None:
    """From the login link to the unlinking nothing but the tab's own buttons is needed, and each shows what it did."""
    async with running(tmp_path) as (around, _):
        context = await chromium.new_context(viewport={"width": 1280, "height": 1100})
        ada = Visitor(await context.new_page())
        await ada.page.goto(f"{around.slack.url}/?user=U0ADA&channel=D0ADA&tab=home")

        # Link.
        await expect(ada.home.get_by_text("You are not linked")).to_be_visible()
        await ada.picture("home-unlinked")
        await ada.control("home.link").click()
        await expect(ada.home.get_by_text("I sent you a login link")).to_be_visible()
        await expect(ada.control("link.enter_code")).to_be_visible()
        await expect(ada.home.locator('[data-action-id="link.open"]')).to_have_count(0)
        await ada.picture("home-login")
        await signs_in(context, ada)
        await expect(ada.home.get_by_text("ada@example.com").first).to_be_visible()
        await expect(ada.home.get_by_text("Nothing waits for your decision")).to_be_visible()

        # Act.
        form = ada.page.get_by_role("dialog")
        await ada.home.get_by_role("button", name="Run list_orders").click()
        await form.get_by_role("button", name="Run").click()
        await expect(ada.home.get_by_text("A-1001").first).to_be_visible()
        await ada.picture("home-result")

        # Approve.
        await ada.home.get_by_role("button", name="Run refund_order").click()
        await form.locator('[data-action-id="order_id"]').fill("A-1001")
        await form.locator('[data-action-id="amount"]').fill("500")
        await form.locator('[data-action-id="reason"]').fill("Arrived too late")
        await form.get_by_role("button", name="Run").click()
        await expect(ada.home.get_by_text("Arrived too late")).to_be_visible()
        await ada.picture("home-waiting")
        await ada.control("approval.approve").click()
        await expect(ada.home.locator('[data-action-id="approval.approve"]')).to_have_count(0)
        await expect(ada.home.get_by_text("is done").first).to_be_visible()
        await ada.picture("home-done")
        refunds = [call for call in around.shop.journal if call.path.endswith("/refund")]
        assert [(call.sub, call.scopes, call.status) for call in refunds] == [("auth0|ada", ("orders:refund",), 200)]

        # Account.
        await ada.control("home.trail").click()
        await expect(form.get_by_text("refund_order").first).to_be_visible()
        await ada.picture("home-trail")
        await form.get_by_role("button", name="Close").last.click()

        # Unlink.
        await ada.control("home.unlink").click()
        await ada.picture("home-confirm")
        await ada.page.get_by_role("alertdialog").get_by_role("button", name="Unlink").click()
        await expect(ada.home.get_by_text("You are not linked")).to_be_visible()
        await ada.picture("home-gone")
        assert around.tenant.families("ada") == []
        assert ada.complaints == []
        await context.close()
