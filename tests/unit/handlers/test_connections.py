"""Slack is told who is connected: what is true last, politely, and never in anybody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from aiohttp import web

from handlers.connect import Refusals
from handlers.connections import UPDATE, Reports
from handlers.one_workspace import OneWorkspace
from handlers.post import client
from handlers.workspace import Installation
from oauth import LinkEvent, Principal, SlackUser
from oauth.errors import StoreUnavailable
from tests.conftest import HandClock
from tests.fakes.reading import ADA, PRINCIPAL
from tests.unit.handlers.slack_api import SlackApi

BOB = SlackUser("T1", "U0BOB")
STANDING = ["not_allowed_token_type", "missing_scope", "app_not_subscribed", "unknown_method"]


class Known:
    """Who is linked. A look that is `held` has seen it and takes its time to tell; `away`, nobody can look."""

    def __init__(self) -> None:
        self.people: set[SlackUser] = {ADA}
        self.away = False
        self.held: asyncio.Event | None = None
        self.looks: asyncio.Queue[SlackUser] = asyncio.Queue()

    async def principal(self, slack: SlackUser) -> Principal | None:
        self.looks.put_nowait(slack)
        if self.away:
            raise StoreUnavailable
        seen, held = slack in self.people, self.held
        if held is not None:
            await held.wait()
        return PRINCIPAL if seen else None


class Room:
    """Slack, which answers `fine` unless told otherwise, and a replica."""

    def __init__(self, api: SlackApi, clock: HandClock) -> None:
        self.api, self.known, self.clock = api, Known(), clock
        self.workspaces = OneWorkspace(client("xoxb-1", api.url))
        self.reports = Reports(self.known, self.workspaces, Refusals(clock), clock)  # type: ignore[arg-type]

    @property
    def told(self) -> list[tuple[str, str]]:
        """What Slack was told, in order, taken or not."""
        return [(given["user_id"], given["status"]) for method, given in self.api.calls if method == UPDATE]

    def answers(self, answer: Any) -> None:
        """From now on."""
        self.api.answers[UPDATE] = answer


@pytest.fixture
async def room(clock: HandClock) -> AsyncIterator[Room]:
    api = SlackApi()
    await api.server.start_server()
    made = Room(api, clock)
    made.answers({"ok": True})
    yield made
    await api.server.close()


async def test_slack_hears_of_a_link_and_of_its_end(room: Room) -> None:
    """Whatever ended it, the state is looked up, and Slack gets the person's id and one of its two words."""
    await room.reports.heard(LinkEvent("link.completed", "ok", ADA, principal=PRINCIPAL))
    room.known.people.clear()
    for reason in ("unlink", "not_me", "logout", "grant_dead", "operator", "wrong_organization"):
        await room.reports.heard(LinkEvent("link.revoked", "ok", ADA, reason=reason))
    assert room.told == [(ADA.user, "connected"), *[(ADA.user, "disconnected")] * 6]


@pytest.mark.parametrize(
    "event",
    [
        LinkEvent("link.refused", "denied", ADA, reason="state_unknown"),
        LinkEvent("link.wanted", "ok", ADA),
        LinkEvent("link.completed", "ok"),
        LinkEvent("link.revoked", "ok", ADA, reason="deactivated"),
        LinkEvent("link.revoked", "ok", ADA, reason="uninstalled"),
    ],
)
async def test_what_changes_nothing_for_slack_is_not_told(room: Room, event: LinkEvent) -> None:
    """A login that came to nothing, and people who are not there any more."""
    await room.reports.heard(event)
    assert room.told == []


async def test_what_changed_while_slack_was_told_is_told_after_it(room: Room) -> None:
    """Another replica may have ended the link meanwhile, and its word may have arrived first; the last one is true."""

    def unlinked_meanwhile(_: dict[str, Any]) -> dict[str, Any]:
        room.known.people.clear()
        return {"ok": True}

    room.answers(unlinked_meanwhile)
    await room.reports.report(ADA)
    assert [status for _, status in room.told] == ["connected", "disconnected"]


async def test_one_call_at_a_time_for_a_person_and_none_is_forgotten(room: Room) -> None:
    """Word of a change that comes while somebody looks is not lost behind an older look."""
    first = asyncio.create_task(room.reports.report(ADA))
    await room.known.looks.get()
    last_look = room.known.held = asyncio.Event()
    await room.known.looks.get()
    room.known.people.clear()
    async with asyncio.timeout(5):
        await room.reports.report(ADA)
    assert [status for _, status in room.told] == ["connected"]
    room.known.held = None
    last_look.set()
    await first
    assert [status for _, status in room.told] == ["connected", "disconnected"]


@pytest.mark.parametrize(
    "failure",
    [
        {"ok": False, "error": "internal_error"},
        {"ok": False, "error": "fatal_error"},
        web.Response(status=502, text="<html>"),
        web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "0"}),
    ],
)
async def test_what_slack_could_not_be_told_is_told_later(room: Room, clock: HandClock, failure: Any) -> None:
    """Not before a quarter of a minute, with what is true by then, and then no more."""
    said = failure if isinstance(failure, dict) else None
    room.answers(lambda _: said or web.Response(status=failure.status, body=failure.body, headers=failure.headers))
    await room.reports.report(ADA)
    before = len(room.told)
    room.answers({"ok": True})
    room.known.people.clear()
    await room.reports.see_to()
    assert len(room.told) == before
    for _ in range(2):
        clock.forward(seconds=15)
        await room.reports.see_to()
    assert room.told[before:] == [(ADA.user, "disconnected")]


async def test_tries_become_rare_and_end(room: Room, clock: HandClock) -> None:
    """Each pause is twice the last one; after eight more tries the next change of the link tells it."""
    room.answers({"ok": False, "error": "service_unavailable"})
    await room.reports.report(ADA)
    pauses, waited = [], 0
    for _ in range(8000):
        clock.forward(seconds=1)
        waited += 1
        tried = len(room.told)
        await room.reports.see_to()
        if len(room.told) > tried:
            pauses.append(waited)
            waited = 0
    assert pauses == [15, 30, 60, 120, 240, 480, 960, 1920]
    room.answers({"ok": True})
    await room.reports.heard(LinkEvent("link.completed", "ok", ADA))
    assert room.told[-1] == (ADA.user, "connected")


async def test_a_database_that_is_away_is_asked_later(room: Room, clock: HandClock) -> None:
    """Nobody guesses: without a look Slack is told nothing."""
    room.known.away = True
    await room.reports.report(ADA)
    assert room.told == []
    room.known.away = False
    clock.forward(seconds=15)
    await room.reports.see_to()
    assert room.told == [(ADA.user, "connected")]


async def test_a_second_look_that_fails_is_made_up_for(room: Room, clock: HandClock) -> None:
    """What was told may have become untrue in that moment, so Slack is told once more later."""

    def away_meanwhile(_: dict[str, Any]) -> dict[str, Any]:
        room.known.away = True
        return {"ok": True}

    room.answers(away_meanwhile)
    await room.reports.report(ADA)
    room.answers({"ok": True})
    room.known.away = False
    room.known.people.clear()
    clock.forward(seconds=15)
    await room.reports.see_to()
    assert room.told == [(ADA.user, "connected"), (ADA.user, "disconnected")]


@pytest.mark.parametrize("error", STANDING)
async def test_what_slack_refuses_for_good_is_logged_once_and_left(room: Room, clock: HandClock, error: str) -> None:
    """A bot token where Slack wants a user's, a scope that is missing: no call for anybody there for an hour."""
    room.answers({"ok": False, "error": error})
    with structlog.testing.capture_logs() as log:
        for person in (ADA, BOB, ADA):
            await room.reports.report(person)
        clock.forward(minutes=59)
        await room.reports.see_to()
        await room.reports.report(ADA)
        assert len(room.told) == 1
        clock.forward(minutes=2)
        await room.reports.report(ADA)
    assert len(room.told) == 2
    assert [(line["event"], line["what"], line["error"]) for line in log] == [("connect_ui_refused", UPDATE, error)]


async def test_a_person_whom_slack_does_not_know_keeps_no_other_waiting(room: Room, clock: HandClock) -> None:
    """Their refusal is theirs alone, and nobody tries it again."""
    room.answers(lambda given: {"ok": given["user_id"] == BOB.user, "error": "user_not_found"})
    await room.reports.report(ADA)
    await room.reports.report(BOB)
    clock.forward(hours=1)
    await room.reports.see_to()
    assert room.told == [(ADA.user, "connected"), (BOB.user, "disconnected")]


async def test_a_workspace_that_the_bot_has_left_is_told_nothing(room: Room, clock: HandClock) -> None:
    """There is no token for it now, and whoever installs it anew begins with nobody linked."""
    room.workspaces.installed = Installation("T9", "Elsewhere", "UBOT", "BBOT", "A1")
    await room.reports.report(ADA)
    room.workspaces.installed = Installation("T1", "Work", "UBOT", "BBOT", "A1")
    clock.forward(hours=1)
    await room.reports.see_to()
    assert room.told == []
