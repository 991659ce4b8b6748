"""The tab is shown when something changes, not too often, and what stays is the newest picture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.approvals.model import Copy, Part, State
from bot.approvals.outbox import Unreachable
from bot.errors import TooLargeToShow
from bot.tasks import Tasks
from handlers import cards
from handlers.message import Block, Message
from handlers.one_workspace import OneWorkspace
from handlers.post import Post, client
from handlers.speaker import Speaker
from handlers.tab.clicks import InTab, Overheard
from handlers.tab.tab import HomeTab
from oauth import LinkEvent, SlackUser
from tests.conftest import HandClock
from tests.fakes.approvals import FakeCards
from tests.fakes.reading import ADA, ASKED, PRINCIPAL
from tests.unit.handlers.slack_api import SlackApi

WHO = Speaker(ADA, "ada", external=False)


class Tabs:
    """Slack's side: a tab has a state, each state a hash, and a picture for another state is refused."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.hashes: list[str | None] = []
        self.failing = False

    def answer(self, given: dict[str, Any]) -> dict[str, Any]:
        """views.publish."""
        self.hashes.append(given.get("hash"))
        if self.failing:
            return {"ok": False, "error": "internal_error"}
        if given.get("hash") not in {None, f"h{len(self.shown)}"}:
            return {"ok": False, "error": "hash_conflict"}
        self.shown.append(" ".join(block["text"] for block in given["view"]["blocks"]))
        return {"ok": True, "view": {"hash": f"h{len(self.shown)}"}}


class Facts:
    """What is true, by a word; a look that is `held` has seen it and takes its time to tell."""

    def __init__(self, workspaces: OneWorkspace) -> None:
        self.workspaces = workspaces
        self.fact = "first"
        self.looks = 0
        self.held: asyncio.Event | None = None
        self.looking = asyncio.Event()

    async def look(self, slack: SlackUser, said: Message | None) -> list[Block]:
        """One block, or two with what was said."""
        self.looks += 1
        seen, held = self.fact, self.held
        self.looking.set()
        if held is not None:
            await held.wait()
        return [{"text": seen}, *([{"text": said.text}] if said else [])]


class Room:
    """Slack, and a replica or two."""

    def __init__(self, api: SlackApi, clock: HandClock) -> None:
        self.api, self.clock, self.tabs, self.tasks = api, clock, Tabs(), Tasks()
        api.answers["views.publish"] = self.tabs.answer
        self.facts = Facts(OneWorkspace(client("xoxb-1", api.url)))
        self.pauses: list[float] = []

    def replica(self, facts: Facts | None = None) -> HomeTab:
        """Another process."""
        return HomeTab(facts or self.facts, self.tasks, self.clock, pause=self._pause)  # type: ignore[arg-type]

    def other_facts(self) -> Facts:
        """The same database, looked at by somebody else."""
        return Facts(self.facts.workspaces)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
async def room(clock: HandClock) -> AsyncIterator[Room]:
    api = SlackApi(
        conversations_open={"ok": True, "channel": {"id": "D1"}},
        chat_postMessage={"ok": True, "channel": "D1", "ts": "1.1"},
    )
    await api.server.start_server()
    made = Room(api, clock)
    yield made
    await made.tasks.drain()
    await api.server.close()


async def test_what_is_seen_first_needs_one_look_and_one_call(room: Room) -> None:
    """Whoever opens the tab tells its state, so nothing has to be looked at twice."""
    room.tabs.shown = ["of yesterday"]
    assert await room.replica().renew(ADA, seen="h1")
    assert room.tabs.shown == ["of yesterday", "first"]
    assert (room.facts.looks, room.tabs.hashes) == (1, ["h1"])


async def test_an_older_picture_does_not_take_the_place_of_a_newer_one(room: Room) -> None:
    """One replica looks, is slow, and another shows what came after: refused by the hash, and looked at again.

    Guard: `hash=known` in `_put`.
    """
    slow = room.replica()
    await slow.renew(ADA)
    room.facts.held = asyncio.Event()
    room.facts.looking.clear()
    late = slow.renew(ADA)
    await room.facts.looking.wait()
    room.facts.fact = "second"
    other = room.other_facts()
    other.fact = "second"
    await room.replica(other).renew(ADA, seen="h1")
    held, room.facts.held = room.facts.held, None
    held.set()
    assert await late
    assert room.tabs.shown == ["first", "second", "second"]


async def test_where_the_state_is_not_known_one_more_look_tells(room: Room) -> None:
    """A picture that took another's place blindly is checked, and the newest stays (guard: the second look)."""
    slow = room.replica()
    room.facts.held = asyncio.Event()
    late = slow.renew(ADA)
    await room.facts.looking.wait()
    other = room.other_facts()
    room.facts.fact = other.fact = "second"
    await room.replica(other).renew(ADA)
    held, room.facts.held = room.facts.held, None
    held.set()
    assert await late
    assert room.tabs.shown == ["second", "first", "second"]


async def test_many_changes_are_shown_once_a_second(room: Room) -> None:
    """The first at once, the others together when the second is over (guard: `free_at`)."""
    tab = room.replica()
    await tab.renew(ADA)
    for _ in range(5):
        task = tab.renew(ADA)
    assert await task
    assert len(room.tabs.shown) == 2
    assert len(room.pauses) == 1
    assert 0 < room.pauses[0] <= 1


async def test_people_do_not_wait_for_each_other(room: Room) -> None:
    """The pace is each person's own."""
    tab = room.replica()
    await tab.renew(ADA)
    await tab.renew(SlackUser("T1", "U0BOB"))
    assert room.pauses == []


async def test_an_answer_stays_in_sight_until_it_is_old_or_replaced(room: Room, clock: HandClock) -> None:
    """A change that comes right after does not wipe it; ten minutes, the next act or the next answer do."""
    tab = room.replica()
    await tab.say(ADA, cards.note("done"))
    await tab.renew(ADA)
    assert room.tabs.shown[-1] == "first done"
    clock.forward(minutes=10)
    await tab.renew(ADA)
    assert room.tabs.shown[-1] == "first"
    await tab.say(ADA, cards.note("again"))
    tab.forget(ADA)
    await tab.renew(ADA)
    assert room.tabs.shown[-1] == "first"


async def test_an_answer_is_of_one_person(room: Room) -> None:
    """What was said to Ada is in nobody else's tab, and the same user id in another workspace is somebody else."""
    tab = room.replica()
    await tab.say(ADA, cards.note("secret of Ada"))
    for other in (SlackUser("T1", "U0BOB"), SlackUser("T2", ADA.user)):
        await tab.renew(other)
        assert room.tabs.shown[-1] == "first"


async def test_what_cannot_be_shown_ends_nothing(room: Room) -> None:
    """Slack fails, and the next change is shown again."""
    tab = room.replica()
    room.tabs.failing = True
    assert not await tab.renew(ADA)
    room.tabs.failing = False
    assert await tab.renew(ADA)


async def test_an_answer_that_the_tab_cannot_show_is_a_direct_message(room: Room) -> None:
    """A click is always answered (guard: the fallback in `InTab.tell`)."""
    answering = InTab(room.tasks, Post(room.facts.workspaces), tab=room.replica())
    room.tabs.failing = True
    await answering.tell(WHO, cards.note("too late"))
    sent = [given for method, given in room.api.calls if method == "chat.postMessage"]
    assert [given["text"] for given in sent] == ["too late"]
    room.tabs.failing = False
    await answering.tell(WHO, cards.note("too late"))
    assert room.tabs.shown[-1] == "first too late"
    assert [method for method, _ in room.api.calls].count("chat.postMessage") == 1


async def test_a_silent_click_is_seen_and_takes_the_former_answer_away(room: Room) -> None:
    """What was decided shows at once, without words."""
    tab = room.replica()
    await tab.say(ADA, cards.note("of before"))

    async def decided() -> None:
        room.facts.fact = "decided"

    async def ack() -> None:
        return None

    await InTab(room.tasks, Post(room.facts.workspaces), tab=tab).click(ack, WHO, decided())
    await room.tasks.drain()
    assert room.tabs.shown[-1] == "decided"


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (LinkEvent("link.completed", "ok", ADA, principal=PRINCIPAL), ["first"]),
        (LinkEvent("link.revoked", "ok", ADA, reason="logout"), [f"first {cards.link_ended('logout').text}"]),
        (LinkEvent("link.revoked", "ok", ADA, reason="relinked"), ["first"]),
        (LinkEvent("link.refused", "denied", ADA, reason="code_wrong"), ["first"]),
        (LinkEvent("link.revoked", "ok", ADA, reason="deactivated"), []),
        (LinkEvent("link.revoked", "ok", ADA, reason="uninstalled"), []),
        (LinkEvent("logout.received", "ok"), []),
    ],
)
async def test_what_happens_to_a_link_shows(room: Room, event: LinkEvent, shown: list[str]) -> None:
    """Also why it ended; for those who are gone, nothing is called."""
    await room.replica().heard(event)
    await room.tasks.drain()
    assert room.tabs.shown == shown


async def test_what_happens_to_a_request_shows(room: Room) -> None:
    """Each change, and at the end how it ended, also where its card cannot be shown (guard: the `finally`)."""
    tab, slack = room.replica(), FakeCards()
    shown = Overheard(slack)
    shown.subscribe(tab.changed)
    copy = Copy(Part.APPROVER, "UADA")
    assert (await shown.show(ASKED, copy)).ts == "1700000000.000001"
    slack.failing = True
    done = replace(ASKED, state=State.DONE, revision=3)
    with pytest.raises(ConnectionError):
        await shown.show(done, copy)
    await room.tasks.drain()
    assert room.tabs.shown[-1] == f"first {cards.outcome(done).text}"


async def test_cards_that_are_overheard_are_what_they_were(room: Room) -> None:
    """Checks, answers and errors go through unchanged."""
    slack = FakeCards(too_large=True)
    shown = Overheard(slack)
    with pytest.raises(TooLargeToShow):
        await shown.check(ASKED)
    done = replace(ASKED, state=State.DONE)
    await shown.tell(done)
    assert slack.told == [done]

    class Nobody(FakeCards):
        async def show(self, approval: Any, copy: Copy) -> Copy:
            raise Unreachable

    with pytest.raises(Unreachable):
        await Overheard(Nobody()).show(ASKED, Copy(Part.APPROVER, "UADA"))


async def test_what_is_remembered_is_bounded(room: Room) -> None:
    """Answers to two thousand people do not stay in memory; the oldest go first (guard: `_MOST_PEOPLE`)."""
    tab = room.replica()
    await tab.say(ADA, cards.note("done"))
    for number in range(2_000):
        tab.forget(SlackUser("T1", f"U{number}"))
    await tab.renew(ADA)
    assert room.tabs.shown[-1] == "first"
