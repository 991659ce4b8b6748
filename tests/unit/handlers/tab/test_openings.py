"""Whose tab is kept true: theirs who have looked at it lately, through whichever replica."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.database import Database
from bot.tasks import Tasks
from handlers.message import Block, Message
from handlers.one_workspace import OneWorkspace
from handlers.post import client, connections
from handlers.store import MongoOpeningStore
from handlers.tab.tab import HomeTab
from oauth import LinkEvent, SlackUser
from tests.conftest import HandClock
from tests.fakes.reading import ADA, ASKED
from tests.unit.handlers.slack_api import SlackApi

LINKED = LinkEvent("link.completed", "ok", ADA)


@dataclass
class Facts:
    """A picture that is always the same."""

    workspaces: OneWorkspace

    async def look(self, slack: SlackUser, said: Message | None) -> list[Block]:
        """One block."""
        return [{"text": "seen"}]


@dataclass
class Room:
    """Slack, a database, and any number of replicas on them."""

    api: SlackApi
    openings: MongoOpeningStore
    clock: HandClock
    tasks: Tasks

    def replica(self) -> HomeTab:
        """One more process."""
        facts = Facts(OneWorkspace(client("xoxb-1", self.api.url)))
        return HomeTab(facts, self.tasks, self.clock, self.openings, pause=_at_once)  # type: ignore[arg-type]

    async def published(self) -> int:
        """How many pictures Slack has got, once all is quiet."""
        await self.tasks.drain()
        return sum(method == "views.publish" for method, _ in self.api.calls)


async def _at_once(_: float) -> None:
    return


@pytest.fixture
async def room(mongo_database: Database, clock: HandClock) -> AsyncIterator[Room]:
    api = SlackApi(views_publish={"ok": True, "view": {"hash": "h1"}})
    await api.server.start_server()
    yield Room(api, MongoOpeningStore(mongo_database), clock, Tasks())
    await api.server.close()


async def test_a_tab_that_nobody_has_opened_costs_no_call(room: Room) -> None:
    """Neither a request nor a link of hers is drawn for Ada, who has never looked (guard: `_watched`)."""
    tab = room.replica()
    tab.changed(ASKED)
    await tab.heard(LINKED)
    assert await room.published() == 0


async def test_what_was_opened_through_one_replica_is_kept_true_by_every_other(room: Room) -> None:
    """The second one was never asked for it (guard: `Openings.opened` in `opened`)."""
    await room.replica().opened(ADA)
    await room.replica().heard(LINKED)
    room.replica().changed(ASKED)
    assert await room.published() >= 3


async def test_what_was_opened_days_ago_is_not_kept_true(room: Room) -> None:
    """Whoever comes back has it drawn anew then (guard: `_LATELY`)."""
    await room.replica().opened(ADA)
    before = await room.published()
    room.clock.forward(hours=25)
    await room.replica().heard(LINKED)
    assert await room.published() == before


async def test_whoever_acts_in_the_tab_has_it_before_them(room: Room) -> None:
    """Also where it was opened the day before (guard: `acted`)."""
    tab = room.replica()
    await tab.say(ADA, None)
    await tab.heard(LINKED)
    assert await room.published() >= 2


async def test_a_store_that_is_away_leaves_no_tab_stale(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn, since somebody may be looking."""

    async def away(*_: object) -> bool:
        raise ConnectionError

    monkeypatch.setattr(room.openings, "lately", away)
    await room.replica().heard(LINKED)
    assert await room.published() == 1


async def test_openings_are_forgotten_by_the_database_too(room: Room) -> None:
    """By an index, and by whoever reads (row 69)."""
    await room.openings.ensure_indexes()
    await room.openings.opened(ADA, room.clock())
    assert await room.openings.lately(ADA, room.clock() + timedelta(hours=23))
    assert not await room.openings.lately(ADA, room.clock() + timedelta(hours=25))


async def test_calls_of_one_process_share_their_connections(room: Room) -> None:
    """Ten calls, one after the other, come over one connection (guard: `session=`)."""
    ports: set[object] = set()

    def noted(_: object) -> dict[str, object]:
        ports.update(room.api.peers)
        return {"ok": True}

    room.api.answers["auth.test"] = noted
    async with connections() as session:
        for _ in range(10):
            await client("xoxb-1", room.api.url, session).auth_test()
    assert len(ports) == 1
