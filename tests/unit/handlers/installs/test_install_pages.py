"""Installing by OAuth, as a browser and Slack see it; and the end of an installation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from bot.audit.writer import AuditWriter
from bot.database import Database
from bot.manifest import BOT_SCOPES
from bot.tasks import Tasks
from handlers.installs import App, Installs
from handlers.installs.flow import _StateCookie
from handlers.installs.store import MongoInstallationStore
from handlers.workspace import Installation
from oauth import Site, Vault
from tests.conftest import HandClock
from tests.fakes.audit import MemoryAuditStore
from tests.fakes.runner import AUDIT_KEY
from tests.unit.handlers.installs.granted import KEYS, granted
from tests.unit.handlers.slack_api import SlackApi

GRANTED = {
    "ok": True, "app_id": "A1", "access_token": "xoxb-canary", "token_type": "bot", "scope": "chat:write,commands",
    "bot_user_id": "UBOT", "team": {"id": "T1", "name": "Work"}, "enterprise": None, "is_enterprise_install": False,
    "authed_user": {"id": "U0ADA"},
}  # fmt: skip
TESTED = {"ok": True, "bot_id": "B1", "user_id": "UBOT", "team_id": "T1", "url": "https://work.slack.com/"}


class People:
    """Ends links, as `Links` does; keeps what was asked."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str, str | None]] = []
        self.broken = False

    async def unlink_workspace(self, workspace: str, reason: str, *, team: str | None = None) -> int:
        """All of a workspace, or of one team in an organization."""
        if self.broken:
            raise RuntimeError
        self.ended.append((workspace, reason, team))
        return 1


@dataclass
class Door:
    """The pages on a port of their own, and a browser before them."""

    installs: Installs
    store: MongoInstallationStore
    trail: MemoryAuditStore
    people: People
    tasks: Tasks
    api: SlackApi
    browser: ClientSession
    address: str

    async def begin(self) -> ClientResponse:
        """`GET /slack/install`."""
        return await self.browser.get(f"{self.address}/slack/install", allow_redirects=False)

    async def state(self) -> str:
        """What Slack would send back."""
        location = (await self.begin()).headers["Location"]
        return parse_qs(urlsplit(location).query)["state"][0]

    async def back(self, **query: str) -> ClientResponse:
        """Slack sends the browser back."""
        return await self.browser.get(f"{self.address}/slack/oauth_redirect", params=query)

    async def types(self) -> list[str]:
        """What is on record."""
        return [one["type"] async for one in self.trail.entries()]


@pytest.fixture
async def door(mongo_database: Database, clock: HandClock) -> AsyncIterator[Door]:
    """Everything real but Slack."""
    api = SlackApi(oauth_v2_access=GRANTED, auth_test=TESTED)
    await api.server.start_server()
    vault, trail, people, tasks = Vault(KEYS), MemoryAuditStore(), People(), Tasks()
    installs = Installs.of(
        App("1.2", "hush", "https://slack.example/oauth/v2/authorize", BOT_SCOPES),
        database=mongo_database,
        vault=vault,
        site=Site("http://127.0.0.1:8300", "https://tenant.example/"),
        links=people,  # type: ignore[arg-type]
        audit=AuditWriter(trail, AUDIT_KEY, clock),
        tasks=tasks,
        api_url=api.url,
        clock=clock,
    )
    app = web.Application()
    installs.add_to(app)
    server = TestServer(app)
    await server.start_server()
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser:
        store = MongoInstallationStore(mongo_database, vault)
        yield Door(installs, store, trail, people, tasks, api, browser, str(server.make_url("")).rstrip("/"))
    await tasks.drain()
    await server.close()
    await api.server.close()


async def test_the_way_to_slack_asks_for_the_least(door: Door) -> None:
    """The manifest's scopes and no more, our own address to come back to, and a cookie of ours."""
    answer = await door.begin()
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert answer.headers["Location"].startswith("https://slack.example/oauth/v2/authorize?")
    assert asked["scope"] == [",".join(BOT_SCOPES)]
    assert asked["redirect_uri"] == ["http://127.0.0.1:8300/slack/oauth_redirect"]
    assert asked["client_id"] == ["1.2"]
    line = answer.headers["Set-Cookie"].lower()
    assert line.startswith("countersign-install=")
    assert {"path=/", "httponly", "samesite=lax"} <= {part.strip() for part in line.split(";")}


async def test_t25_on_https_the_cookie_is_bound_to_the_host() -> None:
    """`__Host-` and Secure, as on every page of ours (guard: `_StateCookie`)."""
    line = _StateCookie(secure=True).build_set_cookie_for_new_state("s")
    assert line.startswith("__Host-countersign-install=s;")
    assert "Secure" in line


async def test_a_workspace_is_installed(door: Door) -> None:
    """What Slack grants is kept, on record with who did it, and the page says what comes next."""
    answer = await door.back(state=await door.state(), code="c")
    text = await answer.text()
    assert answer.status == 200
    assert "Work" in text
    assert "/agent link" in text
    found = await door.store.find(["T1"])
    assert found is not None
    assert (found.bot, found.bot_user, found.installed_by, found.scopes) == (
        "B1",
        "UBOT",
        "U0ADA",
        ("chat:write", "commands"),
    )
    (entry,) = [one async for one in door.trail.entries()]
    assert (entry["type"], entry["outcome"], entry["chain"], entry["user"]) == ("install.added", "ok", "T1", "U0ADA")
    assert "canary" not in repr(entry) + text
    assert [name for name, _ in door.api.calls] == ["oauth.v2.access", "auth.test"]
    assert door.api.bearers == {"auth.test": "xoxb-canary"}


async def test_an_organization_is_installed(door: Door) -> None:
    """Enterprise Grid, for all of its workspaces at once."""
    door.api.answers["oauth.v2.access"] = GRANTED | {
        "team": None, "enterprise": {"id": "E1", "name": "Grid"}, "is_enterprise_install": True,
    }  # fmt: skip
    answer = await door.back(state=await door.state(), code="c")
    assert "Grid" in await answer.text()
    found = await door.store.find(["T7", "E1"])
    assert found is not None
    assert found.here("T7").person("U0ADA").key == "E1:U0ADA"


async def test_t55_the_pages_of_an_installation_are_guarded(door: Door) -> None:
    """The same headers as on every page, and nothing inline (guard: `Site.guarded` in `InstallPages._page_of`)."""
    answers = [await door.begin(), await door.back(error="access_denied"), await door.back(state="x", code="c")]
    answers.append(await door.back(state=await door.state(), code="c"))
    assert [answer.status for answer in answers] == [302, 403, 400, 200]
    for answer in answers:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        text = await answer.text()
        assert not any(inline in text for inline in ("<script", "<style", " style=", " onclick="))


@pytest.mark.parametrize("end", ["no cookie", "other cookie", "no state", "replayed", "late"])
async def test_t19_an_installation_comes_back_once_to_its_own_browser(door: Door, clock: HandClock, end: str) -> None:
    """Nothing is exchanged and nothing kept otherwise (guards: `_StateCookie.is_valid_browser`, `async_consume`)."""
    state = await door.state()
    query = {"state": state, "code": "c"}
    if end == "no cookie":
        door.browser.cookie_jar.clear()
    elif end == "other cookie":
        await door.state()
    elif end == "no state":
        del query["state"]
    elif end == "replayed":
        await door.back(**query)
        door.api.calls.clear()
    else:
        clock.forward(minutes=11)
    answer = await door.back(**query)
    assert answer.status == 400
    assert "/slack/install" in await answer.text()
    assert door.api.calls == []


async def test_t22_what_slack_says_on_the_way_back_is_inert(door: Door) -> None:
    """A refusal is a page with a way on; of an error full of HTML the letters are shown, of its description nothing
    (guard: the cut in `InstallPages._failed`)."""
    answer = await door.back(error="<script>alert(1)</script>", error_description="<b>because")
    text = await answer.text()
    assert "scriptalert1script<" in text
    assert "because" not in text
    assert "/slack/install" in text
    assert (await door.back(error="access_denied")).status == 403


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "Forwarded", "Referer"])
async def test_t23_no_header_or_parameter_moves_the_way_back(door: Door, name: str) -> None:
    """Where Slack sends the browser afterwards is fixed (guard: `redirect_uri` in the settings of `InstallPages`)."""
    query = {"redirect_uri": "https://evil.example", "returnTo": "https://evil.example"}
    evil = "host=evil.example" if name == "Forwarded" else "evil.example"
    answer = await door.browser.get(
        f"{door.address}/slack/install", params=query, headers={name: evil}, allow_redirects=False
    )
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["redirect_uri"] == ["http://127.0.0.1:8300/slack/oauth_redirect"]
    assert "evil" not in str(answer.headers)


@pytest.mark.parametrize("what", ["code", "token", "trail", "slack"])
async def test_what_cannot_be_done_keeps_nothing(door: Door, what: str) -> None:
    """A refused code, a grant without a bot, a trail or a Slack that is away: a page, and no installation."""
    if what == "trail":
        door.trail.away = True
    answers: dict[str, Any] = {
        "code": {"ok": False, "error": "invalid_code"}, "token": GRANTED | {"access_token": None}, "trail": GRANTED,
        "slack": web.Response(status=500),
    }  # fmt: skip
    door.api.answers["oauth.v2.access"] = answers[what]
    answer = await door.back(state=await door.state(), code="c")
    assert answer.status >= 500
    assert "Nothing was installed" in await answer.text()
    assert await door.store.find(["T1"]) is None


# the end


HERE = Installation("T1", "Work", "UBOT", "B1", "A1")


async def test_t61_leaving_a_workspace_ends_its_people(door: Door, clock: HandClock) -> None:
    """No installation any more, an entry, the links ended, and nothing left of it (guard: `Departures.left`)."""
    await door.store.async_save(granted())
    await door.installs.departures.left(HERE, clock())
    assert await door.store.find(["T1"]) is None
    await door.tasks.drain()
    assert door.people.ended == [("T1", "uninstalled", "T1")]
    assert await door.types() == ["install.removed"]
    assert [one async for one in door.store.left()] == []


async def test_t61_an_end_that_was_cut_off_is_finished_by_whoever_comes(door: Door, clock: HandClock) -> None:
    """After a crash between the mark and the end, the round of any replica ends it (guard: `Departures.see_to`)."""
    await door.store.async_save(granted("T1", "E1"))
    await door.store.leave("T1", clock(), clock())
    door.people.broken = True
    await door.installs.departures.see_to()
    assert door.people.ended == []
    door.people.broken = False
    await door.installs.departures.see_to()
    assert door.people.ended == [("E1", "uninstalled", "T1")]


async def test_t61_a_whole_organization_leaves(door: Door, clock: HandClock) -> None:
    """Installed for all of it, it ends for all of it (guard: `org_wide` in `Departures._end`)."""
    await door.store.async_save(granted(None, "E1"))
    await door.installs.departures.left(Installation("T7", "Grid", "UBOT", "B1", "A1", "E1"), clock())
    await door.tasks.drain()
    assert door.people.ended == [("E1", "uninstalled", None)]


async def test_leaving_twice_is_leaving_once(door: Door, clock: HandClock) -> None:
    """Slack sends both app_uninstalled and tokens_revoked."""
    await door.store.async_save(granted())
    for _ in range(2):
        await door.installs.departures.left(HERE, clock())
    await door.tasks.drain()
    assert len(door.people.ended) == 1
