"""Any number of workspaces with the whole product: installed by OAuth, kept apart, and left again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from bot import config
from bot.audit.chain import Entry
from bot.audit.store import MongoAuditStore
from bot.database import Database, opened
from bot.sandbox.demo import surroundings
from bot.sandbox.slack import SECOND, TEAM, SandboxWorkspace
from bot.sandbox.tenant import Browser
from bot.serving import serving
from tests.scenarios.town import ADA, BOB, Shown, Town, controls, eventually, words

NORTH, SOUTH, GRID = "T0NORTH", "T0SOUTH", "E0GRID"
EVE, DAN = "U0EVE", "U0DAN"


@dataclass(frozen=True, slots=True)
class Country(Town):
    """Several workspaces, and none that the bot knows before it was installed there."""

    database: Database

    def there(self, team: str) -> SandboxWorkspace:
        """One of them."""
        return self.slack.other(team)

    async def installs(self, owner: str) -> str:
        """Somebody installs the app in a workspace or an organization; the text of the last page."""
        async with Browser() as browser:
            begin = f"{self.around.public_url}/slack/install"
            async with (
                aiohttp.ClientSession(cookie_jar=browser.cookies) as session,
                session.get(begin, allow_redirects=False) as answer,
            ):
                assert answer.status == 302, await answer.text()
                at_slack = answer.headers["Location"]
            back, _, text = await browser.submit(at_slack, workspace=owner, action="accept")
            assert not text, text
            return (await browser.open(back))[1]

    async def says(self, team: str, user: str, text: str) -> str:
        """Type `/agent text` in that workspace; what the ack showed."""
        delivery = await self.there(team).command(user, f"/agent {text}")
        assert delivery.failure is None, delivery
        return words(delivery.answer)

    def newest(self, team: str, user: str) -> str:
        """The ts of the newest direct message there, or nothing."""
        there = self.there(team)
        return max((m["ts"] for m in there.messages(there.dm(user), user)), default="")

    async def gets(self, team: str, user: str, pattern: str, *, after: str = "") -> Shown:
        """Wait for a direct message there that is newer than `after`."""
        there = self.there(team)

        def found() -> Shown | None:
            shown = [m for m in there.messages(there.dm(user), user) if m["ts"] > after]
            return next((m for m in reversed(shown) if re.search(pattern, words(m))), None)

        return await there.until(found, 10)

    async def joins(self, team: str, user: str, account: str) -> None:
        """Link a person there; the code goes by hand, since the addresses differ."""
        before = self.newest(team, user)
        await self.says(team, user, "link")
        card = await self.gets(team, user, "Link your account", after=before)
        link = next(e["url"] for e in controls(card) if e.get("action_id") == "link.open")
        page = await self.signs_in(link, account)
        code = re.search(r'id="code">([^<]+)<', page)
        assert code, page
        await self.says(team, user, f"code {code[1]}")
        await self.gets(team, user, "You are linked", after=before)

    async def trail(self, type_: str) -> list[Entry]:
        """The entries of one type."""
        return [entry async for entry in MongoAuditStore(self.database).entries() if entry["type"] == type_]

    async def linked(self) -> list[str]:
        """The keys of the links that live."""
        return sorted([found["_id"] async for found in self.database["links"].find({})])


@pytest.fixture
async def country(tmp_path: Path, database_settings: dict[str, str]) -> AsyncIterator[Country]:
    """Everything, running, with no bot token in the settings."""
    async with surroundings(tmp_path) as around:
        registered = around.slack.registration
        registered.redirect_uris = (f"{around.public_url}/slack/oauth_redirect",)
        app = {
            "SLACK_BOT_TOKEN": "",
            "SLACK_OIDC_ISSUER": around.slack.url,
            "SLACK_CLIENT_ID": registered.client_id,
            "SLACK_CLIENT_SECRET": registered.client_secret,
        }
        settings = config.load({**around.environment, **database_settings, **app})
        async with opened(settings) as database, serving(settings, database):
            yield Country(around, settings, database)


async def test_t59_the_same_user_id_in_two_workspaces_is_two_people(country: Country) -> None:
    """Each is linked to an account of their own and acts with that alone (guard: `SlackUser.workspace` in its key)."""
    assert "Sandbox" in await country.installs(TEAM)
    assert "Second" in await country.installs(SECOND.id)
    await country.links(BOB, "bob")
    assert "not linked" in await country.says(SECOND.id, BOB, "status")
    await country.joins(SECOND.id, BOB, "carol")
    assert "carol@example.com" in await country.says(SECOND.id, BOB, "status")
    assert "bob@example.com" in await country.says(TEAM, BOB, "status")
    assert await country.linked() == ["T0COUNTER:U0BOB", "T0SECOND:U0BOB"]
    await country.says(SECOND.id, BOB, "run list_orders")
    await country.gets(SECOND.id, BOB, "linked")
    await eventually(lambda: country.calls("auth0|carol"))
    assert country.calls("auth0|bob") == []


async def test_t09_a_workspace_that_did_not_install_is_answered_nothing(country: Country) -> None:
    """An empty 200 and one entry; nothing is said there (guard: `ManyWorkspaces.find`)."""
    await country.installs(TEAM)
    assert await country.says(SECOND.id, BOB, "status") == ""
    (entry,) = await country.trail("action.refused")
    assert (entry["chain"], entry["reason"]) == ("-", "foreign_origin")
    assert country.there(SECOND.id).messages(country.there(SECOND.id).dm(BOB), BOB) == []


async def test_t61_a_removed_app_takes_its_people_and_nobody_elses(country: Country) -> None:
    """Links end, at the tenant too, what was pending is cancelled; the other goes on (guard: `Departures`)."""
    await country.installs(TEAM)
    await country.installs(SECOND.id)
    await country.links(ADA, "ada")
    await country.joins(SECOND.id, DAN, "carol")
    await country.says(SECOND.id, DAN, "run refund_order order_id=A-1001 amount=5")
    await country.gets(SECOND.id, DAN, "Approve")
    await country.there(SECOND.id).uninstall()
    await eventually(lambda: not country.tenant.families("carol"))
    (removed,) = await country.trail("install.removed")
    assert (removed["chain"], "user" in removed) == (SECOND.id, False)
    assert await country.linked() == ["T0COUNTER:U0ADA"]
    cancelled = await _settled(country)
    assert [(one["chain"], one["reason"]) for one in cancelled] == [(SECOND.id, "unlinked")]
    async with asyncio.timeout(10):
        while await country.database["installs"].count_documents({"_id": SECOND.id}):  # noqa: ASYNC110 - it goes last
            await asyncio.sleep(0.02)
    assert "ada@example.com" in await country.types(ADA, "status")


async def test_t61_whoever_was_left_behind_begins_anew(country: Country) -> None:
    """Installed once more, its people are not linked, and can link again (guard: `Departures`)."""
    await country.installs(SECOND.id)
    await country.joins(SECOND.id, DAN, "carol")
    await country.there(SECOND.id).uninstall()
    await eventually(lambda: not country.tenant.families("carol"))
    await country.installs(SECOND.id)
    assert "not linked" in await country.says(SECOND.id, DAN, "status")
    await country.joins(SECOND.id, DAN, "carol")


async def test_t61_revoked_tokens_end_a_workspace(country: Country) -> None:
    """As a removed app does (guard: `_holds_bot` in `LifeCycle.heard`)."""
    await country.installs(SECOND.id)
    await country.joins(SECOND.id, DAN, "carol")
    await country.there(SECOND.id).revoke_tokens()
    await eventually(lambda: not country.tenant.families("carol"))
    assert await country.linked() == []


async def test_t61_a_deactivated_person_is_cut_off(country: Country) -> None:
    """The grant ends at the tenant, and the card of what was pending says so (guard: `LifeCycle._changed`)."""
    await country.installs(TEAM)
    await country.links(BOB, "bob")
    await country.types(BOB, "run refund_order order_id=A-1001 amount=5")
    card = await country.sees_control(BOB, "approval.approve")
    await country.slack.deactivate(BOB)
    await eventually(lambda: not country.tenant.families("bob"))

    def edited() -> Shown | None:
        now = next(m for m in country.seen(BOB) if m["ts"] == card["ts"])
        return now if "Cancelled" in words(now) else None

    await country.slack.until(edited, 5)
    (ended,) = await country.trail("link.revoked")
    assert ended["reason"] == "deactivated"


async def test_an_organization_is_one_place(country: Country) -> None:
    """Installed for all of it: whoever is linked in one of its workspaces is linked in the other."""
    assert "Grid" in await country.installs(GRID)
    await country.joins(NORTH, EVE, "carol")
    assert "carol@example.com" in await country.says(SOUTH, EVE, "status")
    assert await country.linked() == ["E0GRID:U0EVE"]
    assert "not linked" in await country.says(NORTH, DAN, "status")


async def test_slack_is_not_asked_who_we_are_for_each_payload(country: Country) -> None:
    """auth.test once, at the installation."""
    await country.installs(TEAM)
    for _ in range(5):
        await country.types(ADA, "status")
    assert [call.method for call in country.slack.api.calls].count("auth.test") == 1


async def test_t33_no_bot_token_rests_in_the_open(country: Country) -> None:
    """A dump of every collection holds no token that Slack gave."""
    await country.installs(TEAM)
    await country.installs(GRID)
    dump = ""
    for name in await country.database.list_collection_names():
        dump += repr([one async for one in country.database[name].find({})])
    assert '"installs"' not in dump
    assert "xoxb-" not in dump


async def _settled(country: Country) -> list[Entry]:
    """The cancellations on record, once there is one."""
    async with asyncio.timeout(10):
        while not (found := await country.trail("approval.cancelled")):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    return found
