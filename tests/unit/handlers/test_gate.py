"""Payloads of this app and workspace, each once, by people who may speak."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import AuditUnavailable
from bot.tasks import Tasks
from handlers.gate import Gate
from handlers.life_cycle import LifeCycle
from handlers.listening import bolt_app
from handlers.message import Message
from handlers.one_workspace import OneWorkspace
from handlers.speaker import Speaker
from handlers.workspace import Installation
from oauth import SlackUser
from oauth.errors import StoreUnavailable
from tests.conftest import HandClock
from tests.unit.handlers.test_speaker import CLICK, COMMAND, HERE, MENTION

OF_ADA = {"api_app_id": "A1", "team": {"id": "T1"}, "user": {"id": "U0ADA", "username": "ada", "team_id": "T1"}}
VIEW = {"view": {"id": "V1", "type": "modal", "callback_id": "link.code", "state": {"values": {}}}}
SPOKEN: dict[str, dict[str, Any]] = {
    "command": COMMAND,
    "block_actions": CLICK,
    "view_submission": {"type": "view_submission", "trigger_id": "4.5.7", **OF_ADA, **VIEW},
    "view_closed": {"type": "view_closed", "is_cleared": False, **OF_ADA, **VIEW},
    "block_suggestion": {"type": "block_suggestion", "action_id": "choose", "block_id": "b", "value": "a", **OF_ADA},
    "shortcut": {"type": "shortcut", "callback_id": "ask", "trigger_id": "4.5.8", "action_ts": "9.2", **OF_ADA},
    "message_action": {"type": "message_action", "callback_id": "ask", "trigger_id": "4.5.9", **OF_ADA},
    "app_mention": MENTION,
    "message": {
        **MENTION,
        "event": {"type": "message", "channel_type": "im", "user": "U0ADA", "channel": "D1", "ts": "9.3"},
    },
    "app_home_opened": {**MENTION, "event": {"type": "app_home_opened", "user": "U0ADA", "tab": "home"}},
}
ENDING: dict[str, dict[str, Any]] = {
    "user_change": {**MENTION, "event": {"type": "user_change", "user": {"id": "U0ADA", "deleted": True}}},
    "tokens_revoked": {**MENTION, "event": {"type": "tokens_revoked", "tokens": {"bot": ["UBOT"]}}},
    "app_uninstalled": {**MENTION, "event": {"type": "app_uninstalled"}},
}


class Trail:
    """Keeps the entries; `broken` as a database that is away."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str | None]] = []
        self.broken = False

    async def append(self, type_: str, outcome: str, *, reason: str | None = None, **_: Any) -> None:
        if self.broken:
            raise AuditUnavailable
        self.entries.append((type_, outcome, reason))


class Deliveries:
    """Two replicas share one of these, as they share a database."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    async def first(self, workspace: str, claim: str, now: datetime) -> bool:
        new = f"{workspace}:{claim}" not in self.taken
        self.taken.add(f"{workspace}:{claim}")
        return new


class House:
    """A gate before a real Bolt app whose listeners write down who spoke."""

    def __init__(self, clock: HandClock, deliveries: Deliveries, *, external: Any = "deny") -> None:
        self.heard: list[Speaker] = []
        self.trail = Trail()
        self.tasks = Tasks()
        self.told: list[tuple[str, str]] = []
        self.workspace = OneWorkspace(AsyncWebClient(token="xoxb-1"))
        self.workspace.installed = HERE
        bolt = bolt_app()
        self._listen(bolt)
        self.ended: list[tuple[str, str]] = []
        self.left_at: list[datetime] = []
        self.broken: Exception | None = None
        self.gate = Gate(
            bolt=bolt,
            workspaces=self.workspace,
            deliveries=deliveries,
            audit=self.trail,  # type: ignore[arg-type]
            post=self,
            tasks=self.tasks,
            life_cycle=LifeCycle(self, self, external),  # type: ignore[arg-type]
            external=external,
            clock=clock,
        )

    async def unlink(self, slack: SlackUser, reason: str) -> bool:
        """A link that ends, or a store that does not answer."""
        if self.broken is not None:
            raise self.broken
        self.ended.append((slack.key, reason))
        return True

    async def left(self, installed: Installation, since: datetime) -> None:
        """A workspace that the bot has left."""
        self.left_at.append(since)

    async def answer(self, response_url: str, message: Message) -> bool:
        """As Slack takes an answer."""
        self.told.append((response_url, message.text))
        return True

    async def whisper(self, slack: SlackUser, channel: str, message: Message) -> None:
        """As Slack takes a word to one person."""
        self.told.append((f"{channel}:{slack.user}", message.text))

    async def admit(self, payload: Mapping[str, Any], signature: str | None = None) -> BoltResponse:
        """As the gate does, and wait for the listener, which Bolt starts after it has acked an event."""
        answer = await self.gate.admit(dict(payload), signature)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=5)
        return answer

    def _listen(self, bolt: AsyncApp) -> None:
        async def heard(ack: Any, context: Any) -> None:
            self.heard.append(context["speaker"])
            await ack()

        async def heard_event(context: Any) -> None:
            self.heard.append(context["speaker"])

        bolt.command("/agent")(heard)
        bolt.action("approval.approve")(heard)
        bolt.view("link.code")(heard)
        bolt.view_closed("link.code")(heard)
        bolt.options("choose")(heard)
        bolt.shortcut("ask")(heard)
        for kind in ("app_mention", "message", "app_home_opened"):
            bolt.event(kind)(heard_event)


@pytest.fixture
def deliveries() -> Deliveries:
    return Deliveries()


@pytest.fixture
def house(clock: HandClock, deliveries: Deliveries) -> House:
    return House(clock, deliveries)


@pytest.mark.parametrize("kind", SPOKEN)
async def test_a_payload_of_ours_reaches_its_listener(house: House, kind: str) -> None:
    """Commands, interactions and events of the installed app are heard, with their speaker."""
    answer = await house.admit(SPOKEN[kind])
    assert answer.status == 200
    assert [who.slack.user for who in house.heard] == ["U0ADA"]
    assert house.trail.entries == []


@pytest.mark.parametrize("kind", [*SPOKEN, *ENDING])
@pytest.mark.parametrize(
    "foreign",
    [
        {"api_app_id": "A9"},
        {"team_id": "T9", "team": {"id": "T9"}},
        {"team_id": None, "team": None},
    ],
    ids=["app", "workspace", "nowhere"],
)
async def test_t09_foreign_apps_and_workspaces(house: House, kind: str, foreign: dict[str, Any]) -> None:
    """Whatever comes from another app or workspace is answered with an empty 200 and one entry, and nobody is told.

    Guards: `Installation.holds`, and the comparison of `app` in `Gate.admit`.
    """
    answer = await house.admit({**(SPOKEN | ENDING)[kind], **foreign})
    assert (answer.status, answer.body) == (200, "")
    assert (house.heard, house.ended, house.left_at, house.told) == ([], [], [], [])
    assert house.trail.entries == [("action.refused", "denied", "foreign_origin")]


async def test_t05_a_replay_at_another_replica_has_no_effect(clock: HandClock, deliveries: Deliveries) -> None:
    """The same click, or the same effectful command, counts once among all replicas (guard: `deliveries.first`)."""
    one, other = House(clock, deliveries), House(clock, deliveries)
    for payload in (CLICK, {**COMMAND, "text": "unlink"}):
        await one.admit(payload)
        await other.admit(payload)
    assert (len(one.heard), len(other.heard)) == (2, 0)


async def test_t05_the_same_bytes_under_the_same_signature_are_a_replay(
    clock: HandClock, deliveries: Deliveries
) -> None:
    """At any replica; the same words under another signature were typed again (guard: the signature as claim)."""
    one, other = House(clock, deliveries), House(clock, deliveries)
    typed = {**COMMAND, "text": "unlink"}
    await one.admit(typed, "v0=a")
    await other.admit(typed, "v0=a")
    await other.admit(typed, "v0=b")
    assert (len(one.heard), len(other.heard)) == (1, 1)


async def test_t06_an_event_delivered_again_has_no_effect(house: House) -> None:
    """Slack sends an event again when an ack was late; the second one is not heard (guard: `deliveries.first`)."""
    await house.admit(MENTION)
    await house.admit(MENTION)
    assert len(house.heard) == 1


async def test_what_only_reads_is_answered_without_a_write(house: House, deliveries: Deliveries) -> None:
    """`/agent status` leaves no claim: it may be asked again, and costs no write."""
    for _ in range(2):
        await house.admit({**COMMAND, "text": "Status"})
    assert (len(house.heard), deliveries.taken) == (2, set())


@pytest.mark.parametrize("kind", [kind for kind in SPOKEN if kind not in {"command", "app_home_opened"}])
async def test_t60_external_people_are_turned_away(house: House, kind: str) -> None:
    """Somebody from another workspace is denied by default, with one entry (guard: `who.external` in `Gate.admit`).

    A command of theirs names their own workspace (row 9), and what is in a Home tab is the tab's affair.
    """
    payload = SPOKEN[kind]
    theirs = {**payload, "user": {"id": "U0MALLORY", "team_id": "T9"}}
    if "event" in payload:
        theirs = {**payload, "event": {**payload["event"], "user": "U0MALLORY", "user_team": "T9"}}
    assert (await house.admit(theirs)).status == 200
    assert house.heard == []
    assert house.trail.entries == [("action.refused", "denied", "external_user")]


async def test_t60_an_external_person_is_told_why(house: House) -> None:
    """A plain sentence to that person alone, where Slack gives a way to say it (guard: `Gate._turn_away`)."""
    await house.admit({**CLICK, "user": {"id": "U0MALLORY", "team_id": "T9"}, "response_url": "https://hooks.example"})
    ((url, said),) = house.told
    assert url == "https://hooks.example"
    assert "Only members of this workspace" in said


async def test_t60_whoever_speaks_from_outside_is_told_where_they_spoke(house: House) -> None:
    """A mention has no `response_url`; the word goes to that person alone (guard: `whisper` in `Gate._turn_away`)."""
    outside = {**MENTION, "event": {**MENTION["event"], "user_team": "T9"}}
    await house.admit(outside)
    await house.tasks.drain()
    ((where, said),) = house.told
    assert where == f"{MENTION['event']['channel']}:{MENTION['event']['user']}"
    assert "Only members" in said


async def test_t60_what_nobody_said_is_answered_nothing(house: House) -> None:
    """Whoever only looks at the app, or edits a message, is not spoken to (guard: `_is_spoken`)."""
    looked = {**MENTION, "event": {**MENTION["event"], "type": "app_home_opened", "user_team": "T9"}}
    edited = {
        **MENTION,
        "event": {**MENTION["event"], "type": "message", "subtype": "message_changed", "user_team": "T9"},
    }
    for payload in (looked, edited):
        await house.admit(payload)
    await house.tasks.drain()
    assert house.told == []


async def test_t60_external_people_are_heard_where_they_are_allowed(clock: HandClock, deliveries: Deliveries) -> None:
    """One word of the operator lets them in (guard: `external` in `Gate.admit`)."""
    house = House(clock, deliveries, external="allow")
    await house.admit({**CLICK, "user": {"id": "U0DAN", "team_id": "T9"}})
    assert [who.slack.user for who in house.heard] == ["U0DAN"]


async def test_before_slack_has_answered_nothing_is_heard(house: House) -> None:
    """Without knowing the workspace nothing can be told from foreign payloads: Slack is asked to come again."""
    house.workspace.installed = None
    assert (await house.admit(COMMAND)).status == 503
    assert house.heard == []


async def test_what_bots_say_is_not_heard(house: House) -> None:
    """Messages of bots, our own among them, are no questions."""
    await house.admit({**MENTION, "event": {**MENTION["event"], "bot_id": "B9"}})  # type: ignore[dict-item]
    await house.admit({**MENTION, "event": {**MENTION["event"], "user": "UBOT"}})  # type: ignore[dict-item]
    assert house.heard == []


async def test_t01_a_flood_of_unsigned_requests_does_not_fill_the_trail(house: House, clock: HandClock) -> None:
    """One entry a minute says that there were some (guard: _QUIET)."""
    for _ in range(100):
        await house.gate.unsigned("bad_signature")
    clock.forward(seconds=61)
    await house.gate.unsigned("bad_signature")
    assert house.trail.entries == [("action.refused", "denied", "bad_signature")] * 2


async def test_an_unsigned_request_is_refused_without_a_trail(house: House) -> None:
    """A trail that cannot be written makes no request welcome, and raises nothing."""
    house.trail.broken = True
    await house.gate.unsigned("bad_signature")
    assert house.trail.entries == []


async def test_an_app_that_slack_does_not_name_is_not_compared(house: House) -> None:
    """Where bots.info told nothing, the signature alone names the app."""
    house.workspace.installed = Installation("T1", "Work", "UBOT", "BBOT", None)
    await house.admit({**COMMAND, "api_app_id": "A7"})
    assert len(house.heard) == 1


def _event(**event: Any) -> dict[str, Any]:
    about = {"type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": "Ev1"}
    return about | {"event_time": 1_700_000_000, "event": event}


@pytest.mark.parametrize(
    ("user", "ended"),
    [
        ({"id": "U0ADA", "deleted": True}, [("T1:U0ADA", "deactivated")]),
        ({"id": "U0ADA", "is_restricted": True}, [("T1:U0ADA", "guest")]),
        ({"id": "U0ADA", "is_ultra_restricted": True}, [("T1:U0ADA", "guest")]),
        ({"id": "U0ADA", "deleted": False, "real_name": "Ada"}, []),
        ({"id": None, "deleted": True}, []), ("U0ADA", []), (None, []),
    ],
)  # fmt: skip
async def test_t61_whoever_is_no_member_any_more_is_unlinked(
    house: House, user: object, ended: list[tuple[str, str]]
) -> None:
    """Deactivated or made a guest: the link ends before the ack (guard: `LifeCycle._changed`)."""
    assert (await house.admit(_event(type="user_change", user=user))).status == 200
    assert house.ended == ended


async def test_t61_an_end_that_could_not_be_written_is_sent_again(house: House) -> None:
    """Slack gets a 503, so that it repeats the event, and the repetition counts (guards: the status of `Gate._heard`,
    and that it takes no claim)."""
    left = _event(type="user_change", user={"id": "U0ADA", "deleted": True})
    house.broken = StoreUnavailable()
    assert (await house.admit(left)).status == 503
    house.broken = None
    assert (await house.admit(left)).status == 200
    assert house.ended == [("T1:U0ADA", "deactivated")]


@pytest.mark.parametrize(
    ("event", "times"),
    [
        ({"type": "app_uninstalled"}, 1),
        ({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["UBOT"]}}, 1),
        ({"type": "tokens_revoked", "tokens": {"oauth": ["U0ADA"], "bot": []}}, 0),
        ({"type": "tokens_revoked"}, 0),
    ],
)
async def test_t61_a_workspace_that_is_left_is_ended(house: House, event: dict[str, Any], times: int) -> None:
    """Uninstalled, or the bot's own tokens revoked; a person's revoked token is not ours (guard: `LifeCycle.heard`)."""
    assert (await house.admit(_event(**event))).status == 200
    assert house.left_at == [datetime.fromtimestamp(1_700_000_001, UTC)] * times


async def test_t61_a_foreign_workspace_ends_nothing_here(house: House) -> None:
    """The same event of another workspace is denied (guard: `Installation.holds`)."""
    foreign = _event(type="app_uninstalled") | {"team_id": "T9"}
    assert (await house.admit(foreign)).status == 200
    assert house.left_at == []
    assert [reason for _, _, reason in house.trail.entries] == ["foreign_origin"]
