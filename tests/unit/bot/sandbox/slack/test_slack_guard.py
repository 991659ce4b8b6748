"""Who may ask the page's endpoints, and what is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.sandbox.slack import ui
from tests.unit.bot.sandbox.slack.page import Page

STATIC = sorted(path.name for path in ui.STATIC.iterdir())


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/ui/start", "/ui/live?user=U0ADA"])
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80"])
async def test_the_page_answers_only_under_its_own_name(page: Page, path: str, host: str) -> None:
    """A name of somebody else's that leads here (DNS rebinding) gets nothing."""
    async with page.http.get(f"{page.slack.url}{path}", headers={"Host": host}) as response:
        assert response.status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
async def test_the_names_of_this_machine_are_its_own(page: Page, host: str) -> None:
    """With whatever port."""
    async with page.http.get(f"{page.slack.url}/", headers={"Host": f"{host}:8300"}) as response:
        assert response.status == 200


async def test_a_foreign_host_cannot_act(page: Page) -> None:
    """Not even when the origin agrees with it."""
    body = {"user": "U0ADA", "channel": "C0GENERAL", "text": "x"}
    status, _ = await page.act("say", body, Host="evil.example", Origin="http://evil.example")
    assert status == 403
    assert page.slack.messages("C0GENERAL") == []


@pytest.mark.parametrize("origin", [None, "null", "", "http://evil.example", "http://127.0.0.1:1", "http://localhost"])
async def test_another_sites_page_cannot_act(page: Page, origin: str | None) -> None:
    """Neither another site, nor another port of this machine, nor a request without an origin."""
    status, _ = await page.act("say", {"user": "U0ADA", "channel": "C0GENERAL", "text": "x"}, Origin=origin)
    assert status == 403
    assert page.slack.messages("C0GENERAL") == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
async def test_an_act_is_json(page: Page, kind: str) -> None:
    """What a form of any site could send is refused."""
    body = {"user": "U0ADA", "channel": "C0GENERAL", "text": "x"}
    assert (await page.act("say", body, **{"Content-Type": kind}))[0] == 400


@pytest.mark.parametrize("name", STATIC)
async def test_each_file_is_served_with_its_kind_and_the_policy(page: Page, name: str) -> None:
    """Nothing from elsewhere may load, and nothing inline may run."""
    path = "/" if name == "index.html" else f"/static/{name}"
    async with page.http.get(f"{page.slack.url}{path}") as response:
        assert response.status == 200
        assert response.content_type == ui.KINDS[Path(name).suffix]
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", STATIC)
def test_no_file_names_another_site_or_writes_html(name: str) -> None:
    """The page loads nothing from outside, and text never becomes markup."""
    text = (ui.STATIC / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert "://" not in text.replace("https?:\\\\/\\\\/", "")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", "onclick="):
        assert word not in text


@pytest.mark.parametrize("path", ["/static/..%2fui.py", "/static/%2e%2e/ui.py", "/static/nothing.js", "/static/ui.py"])
async def test_nothing_else_is_served(page: Page, path: str) -> None:
    """No other file of the package, and none that is not there."""
    async with page.http.get(f"{page.slack.url}{path}") as response:
        assert response.status == 404
