"""The link page in a real browser: what becomes of the secret in its address."""

from __future__ import annotations

from playwright.async_api import Browser, Request

from tests.fakes.browser import serve
from tests.fakes.house import House


async def test_t55_the_link_leaves_the_address_bar(home: House, chromium: Browser) -> None:
    """It is in no address that can be seen or gone back to, nothing that is asked for names it as where it came from,
    and the page can be loaded again (guards: the script of link.html, `Referrer-Policy`)."""
    async for site in serve(home.replica(public_url="http://127.0.0.1:8300")):
        context = await chromium.new_context()
        page = await context.new_page()
        asked: list[Request] = []
        page.on("request", lambda request, asked=asked: asked.append(request))
        secret = await home.start()
        await page.goto(f"{site.address}/link/{secret}")
        await page.wait_for_url(f"{site.address}/link", timeout=5_000)
        await page.reload()
        await page.goto("about:blank")
        await page.go_back()
        assert page.url == f"{site.address}/link"
        await page.get_by_role("heading", name="Link your account").wait_for(timeout=5_000)
        assert await page.evaluate("document.referrer") == ""
        headers = [await request.all_headers() for request in asked]
        assert [url for one in headers if (url := one.get("referer"))] == []
        assert len(asked) > 3
        await context.close()
