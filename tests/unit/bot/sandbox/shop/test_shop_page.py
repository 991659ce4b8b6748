"""The page of the shop, and the demo's actions file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser

from bot.actions.file import load
from bot.actions.http import Http

ACTIONS = Path(__file__).parents[5] / "bot" / "sandbox" / "actions.toml"


async def text_of(url: str) -> tuple[str, str]:
    """A page and its policy."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.text(), answer.headers["Content-Security-Policy"]


async def test_the_page_shows_people_and_orders(call: Any, issuer: Any, shop: Any) -> None:
    """Without any token: who called, what came of it, and what the orders look like now."""
    await call.refund("A-1001", 1_490)
    await call("GET", "/orders")
    text, _ = await text_of(shop.url)
    for words in ("auth0|ada", "/orders/A-1001/refund", "orders:refund", "the-jti", "Nobody the shop knows"):
        assert words in text
    assert "€\N{NO-BREAK SPACE}14.90" in text
    assert text.index("Nobody the shop knows") < text.index("auth0|ada")


async def test_what_callers_say_is_shown_inert(call: Any, issuer: Any, shop: Any) -> None:
    """A subject or a path with markup in it stays text."""
    await call("GET", "/orders/%3Cb%3E", issuer.token(sub="<script>alert(1)</script>"))
    text, _ = await text_of(shop.url)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "/orders/<b>" not in text


async def test_nothing_on_the_page_is_inline(shop: Any) -> None:
    """Scripts and styles come from here, and nothing else is allowed."""
    text, policy = await text_of(shop.url)
    assert "'unsafe" not in policy
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert text.count("<script") == text.count("<script src=") == 1
    assert "style=" not in text


async def test_only_the_pages_own_files_are_served(shop: Any) -> None:
    """And not whatever else lies beside them."""
    async with aiohttp.ClientSession() as session:
        for path, status in (("style.css", 200), ("live.js", 200), ("shop.html", 404), ("..%2Fserver.py", 404)):
            async with session.get(f"{shop.url}/static/{path}") as answer:
                assert answer.status == status


async def test_a_new_call_appears_by_itself(chromium: Browser, call: Any, issuer: Any, shop: Any) -> None:
    """In a real browser at 320 pixels, without a reload, a complaint, or anything to scroll sideways."""
    page = await chromium.new_page(viewport={"width": 320, "height": 640})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await page.goto(shop.url)
    await page.evaluate("window.same = true")
    assert await page.get_by_text("Nobody has called yet.").count() == 1
    await call("GET", "/orders/A-1002", issuer.token(sub="auth0|carol"))
    await page.get_by_text("auth0|carol").wait_for(timeout=10_000)
    assert await page.evaluate("window.same")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    assert complaints == []


async def test_the_demos_actions_are_accepted_and_reach_the_shop(shop: Any) -> None:
    """The product reads the file, and each address that needs no connection is one of the shop's routes."""
    async with aiohttp.ClientSession() as session:
        actions = {action.name: action for action in load(ACTIONS, Http(session)) if action.connection is None}
    assert actions.keys() == {"list_orders", "show_order", "refund_order"}
    assert [name for name, action in actions.items() if action.sensitive] == ["refund_order"]
    refund = actions["refund_order"]
    assert refund.required == ("order_id", "amount")
    assert refund.scopes == {"orders:refund"}
    assert {action.audience for action in actions.values()} == {"https://shop.example.com"}
    assert all(str(action.definition["url"]).startswith("http://127.0.0.1:8302/orders") for action in actions.values())
