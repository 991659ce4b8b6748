"""Installation by OAuth at a Slack that nobody here wrote, and the whole job after it."""

from __future__ import annotations

from pathlib import Path

from tests.foreign import people, rig
from tests.foreign.browser import Browser, Form, Page
from tests.foreign.people import Person
from tests.foreign.product import World, world
from tests.foreign.test_linking_again import SHOW, living
from tests.foreign.test_whole_job import asked, assert_trail_holds, card_for_refund


async def installs(built: World, who: Person, browser: Browser, *, stop_before: str | None = None) -> Page:
    """From `/slack/install` through Slack's own page, on which whoever installs says who they are."""
    page = await browser.open(f"{built.product.url}/slack/install")
    return await browser.send(page, form_of(page, who), stop_before=stop_before)


def form_of(page: Page, who: Person) -> Form:
    """Slack's page has one form for each of its people."""
    (form,) = [form for form in page.forms if form.fields.get("user_id") == who.id]
    return form


async def heeded(person: Person) -> str:
    """The first answer after an installation: for two seconds a replica may take the workspace for a foreign one."""

    async def answer() -> str:
        return await person.types("status")

    return await rig.until(answer, 10)


async def test_installed_linked_and_at_work(mongo_uri: str, tmp_path: Path) -> None:
    """Where the bot is not installed nothing is answered; Bob installs it, then Ada links, reads and refunds, and the
    token that Slack gave is nowhere in the open (guards: `store_installation` in `_Flow`, `seal` in `installed`)."""
    async with world(mongo_uri, tmp_path, slack="install") as built, Browser() as browser:
        ada, bob = built.workspace.person("ada"), built.workspace.person("bob")
        assert await ada.types("status") == ""
        page = await installs(built, bob, browser)
        assert page.status == 200, page.text
        assert "Engine Works" in page.text
        assert "not linked" in await heeded(ada)
        await built.links(ada)
        assert "Countess" in await asked(ada, SHOW)
        card = await card_for_refund(ada)
        await ada.clicks(card, "approval.approve")
        await ada.sees("refund_order.* is done", after=card["ts"])
        assert [(each["sub"], each["scope"]) for each in await built.shop.calls()] == [
            ("person-ada", "orders:read"),
            ("person-ada", "orders:refund"),
        ]
        back = next(url for url in browser.visited if url.path == "/slack/oauth_redirect")
        stored = await built.stored()
        for secret in ("xoxb-", people.CLIENT_SECRET, back.query["code"]):
            assert secret.encode() not in stored
            assert secret not in built.product.said
        assert (await browser.open(back)).status == 400
        assert (await living(built))[-1]
        await assert_trail_holds(built)


async def test_an_installation_ends_in_the_browser_that_began_it(mongo_uri: str, tmp_path: Path) -> None:
    """Slack's answer in another browser than the one that asked installs nothing (guard: `is_valid_browser` in
    `_StateCookie`)."""
    async with world(mongo_uri, tmp_path, slack="install") as built, Browser() as one, Browser() as other:
        ada = built.workspace.person("ada")
        back = await installs(built, ada, one, stop_before=f"{built.product.url}/slack/oauth_redirect")
        assert (await other.open(back.url)).status == 400
        assert await ada.types("status") == ""
        assert (await one.open(back.url)).status == 200
        assert "not linked" in await heeded(ada)
