"""Work that lasts, in a workspace that keeps Slack's limits: task cards where there are some, else edits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.actions.progress import Progress
from bot.sandbox.slack import TEAM, SandboxSlack
from bot.work import Outcome, Place, Running, Stop, TooFast, View
from bot.work.model import Person
from bot.work.ports import Gone
from handlers.one_workspace import OneWorkspace
from handlers.post import Post, client
from handlers.screens import SlackScreens, SlackSurface
from handlers.streams import StreamingWorkspaces
from oauth import SlackUser
from tests.conftest import HandClock

ADA = SlackUser(TEAM, "U0ADA")
BOB = SlackUser(TEAM, "U0BOB")
PLANNED = Progress().planned(["Read <!channel>", "Copy", "Check"]).stepped("Read <!channel>")
COPYING = PLANNED.stepped("Copy").said("Copying orders", done=40, of=200)


@pytest.fixture
async def slack(tmp_path: Path, clock: HandClock) -> AsyncIterator[SandboxSlack]:
    """A workspace with its own limits, and the clock of the test."""
    made = SandboxSlack(tmp_path, signing_secret="secret", bot_token="xoxb-1", clock=clock)
    await made.start()
    yield made
    await made.stop()


class Stage:
    """What shows work in that workspace."""

    def __init__(self, slack: SandboxSlack, clock: HandClock) -> None:
        self.slack, self.clock = slack, clock
        self.workspaces = OneWorkspace(client("xoxb-1", slack.api_url))
        self.streaming = StreamingWorkspaces(clock)
        self.screens = SlackScreens(Post(self.workspaces), self.workspaces, self.streaming, clock)
        self.running = Running("abc", ADA, "auth0|ada", "1", "copy_orders", clock())

    def surface(self, place: Place | None = None) -> SlackSurface:
        """What is seen of one run."""
        return self.screens.surface(self.running, place)

    @property
    def seen(self) -> list[dict[str, Any]]:
        """What Ada sees in her direct messages."""
        return self.slack.messages("D0ADA", "U0ADA")

    def called(self, method: str) -> list[dict[str, Any]]:
        """What the bot asked for by this method."""
        return [call.arguments for call in self.slack.api.calls if call.method == method]


@pytest.fixture
def stage(slack: SandboxSlack, clock: HandClock) -> Stage:
    return Stage(slack, clock)


def buttons(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Ids and values of the buttons of a message."""
    every = [one for block in message["blocks"] for one in block.get("elements", []) if one.get("type") == "button"]
    return [(one["action_id"], one["value"]) for one in every]


async def test_work_has_a_message_with_a_button(stage: Stage) -> None:
    """In the requester's own messages; its value is the run's name and nothing else."""
    surface = stage.surface()
    await surface.show(View())
    (message,) = stage.seen
    assert "copy_orders" in message["text"]
    assert buttons(message) == [("run.stop", "abc")]
    assert surface.place == Place("D0ADA", message["ts"])


async def test_steps_are_streamed_as_task_cards(stage: Stage) -> None:
    """In the thread of the message, each call with what has changed; the end closes both."""
    surface = stage.surface()
    await surface.show(View())
    await surface.show(View(PLANNED))
    stage.clock.forward(seconds=2)
    await surface.show(View(COPYING))
    (started,), (appended,) = stage.called("chat.startStream"), stage.called("chat.appendStream")
    assert started["thread_ts"] == stage.seen[0]["ts"]
    assert (started["recipient_user_id"], started["recipient_team_id"]) == ("U0ADA", TEAM)
    assert [chunk["type"] for chunk in started["chunks"]] == [
        "plan_update",
        "task_update",
        "task_update",
        "task_update",
    ]
    assert "channel>" not in json.dumps(stage.seen[0])
    assert [(one.get("id"), one.get("status")) for one in appended["chunks"]] == [
        (None, None),
        ("step0", "complete"),
        ("step1", "in_progress"),
    ]
    await surface.show(View(COPYING.ended(ok=True), outcome=Outcome.OK))
    top, stream = stage.seen
    assert [(one["title"], one["status"]) for one in stream["blocks"][0]["tasks"]][1][1] == "complete"
    assert "is done" in top["text"]
    assert buttons(top) == []
    assert stage.called("chat.stopStream")


async def test_the_message_above_the_cards_follows_slowly(stage: Stage) -> None:
    """Every five seconds, and at once when it is being stopped."""
    surface = stage.surface()
    await surface.show(View(PLANNED))
    for done in range(1, 11):
        stage.clock.forward(seconds=1)
        await surface.show(View(PLANNED.said("Reading", done=done, of=20)))
    assert len(stage.called("chat.update")) == 2
    await surface.show(View(PLANNED, stop=Stop("stopped")))
    assert "being stopped" in stage.seen[0]["text"]
    assert buttons(stage.seen[0]) == []


@pytest.mark.parametrize("error", ["unknown_method", "not_allowed_token_type", "invalid_arguments", "invalid_chunks"])
async def test_where_nothing_is_streamed_the_message_is_edited(stage: Stage, error: str) -> None:
    """With a bar and the steps; and it is not tried again for an hour (guard: `refused`)."""
    stage.slack.fail("chat.startStream", error=error)
    surface = stage.surface()
    await surface.show(View())
    await surface.show(View(COPYING))
    (message,) = stage.seen
    shown = json.dumps(message["blocks"], ensure_ascii=False)
    assert "█" in shown
    assert "40 %" in shown
    assert "✓ Read" in shown
    assert "Copying orders (40 of 200)" in shown
    assert "<!channel>" not in shown
    await stage.surface().show(View(PLANNED))
    assert len(stage.called("chat.startStream")) == 1
    stage.clock.forward(minutes=61)
    await stage.surface().show(View())
    later = stage.surface()
    await later.show(View())
    await later.show(View(PLANNED))
    assert len(stage.called("chat.startStream")) == 2


async def test_t50_whatever_a_step_is_called_it_is_shown_inert(stage: Stage) -> None:
    """Thirty names of everything that markup and bidirectional text can do: Slack takes them, edited and streamed."""
    names = [f"{n} <!channel> *b* _i_ `c` @here \u202e {'& <' * 60}" for n in range(30)]
    surface = stage.surface()
    progress = Progress().planned(names).stepped(names[3]).said("<@U0BOB> \u202e" * 40, done=1, of=2)
    await surface.show(View())
    await surface.show(View(progress))
    stage.clock.forward(seconds=6)
    await surface.show(View(progress, stop=Stop("stopped")))
    await surface.show(View(progress, outcome=Outcome.FAILED))
    shown = json.dumps(stage.seen, ensure_ascii=False)
    assert "\u202e" not in shown
    assert "<!channel>" not in json.dumps(stage.seen[0])
    assert "<@U0BOB>" not in json.dumps(stage.seen[0])
    assert stage.called("chat.stopStream")


async def test_a_slack_that_is_not_well_is_asked_again(stage: Stage) -> None:
    """`internal_error` says nothing of whether the workspace has streams."""
    stage.slack.fail("chat.startStream", error="internal_error")
    await stage.surface().show(View(PLANNED))
    assert stage.streaming.streams(ADA)


async def test_a_stream_that_slack_has_ended_goes_on_as_edits(stage: Stage) -> None:
    """After five minutes; the workspace is still one that streams."""
    surface = stage.surface()
    await surface.show(View(PLANNED))
    stage.clock.forward(minutes=6)
    await surface.show(View(COPYING))
    assert "Copying orders (40 of 200)" in json.dumps(stage.seen[0])
    assert "✓ Read" in json.dumps(stage.seen[0], ensure_ascii=False)
    await surface.show(View(COPYING, outcome=Outcome.OK))
    assert "is done" in stage.seen[0]["text"]
    assert stage.streaming.streams(ADA)


@pytest.mark.parametrize("method", ["chat.update", "chat.startStream"])
async def test_a_pause_that_slack_wants_is_handed_on(stage: Stage, method: str) -> None:
    """Nobody waits here: by then there is something newer to show (guard: the client without patience)."""
    surface = stage.surface()
    await surface.show(View())
    if method == "chat.update":
        stage.streaming.refused(ADA)
    stage.slack.fail(method, "ratelimited", retry_after=7)
    with pytest.raises(TooFast) as told:
        await surface.show(View(PLANNED))
    assert told.value.seconds == 7


async def test_t72_a_message_whose_answer_got_lost_is_not_made_twice(stage: Stage) -> None:
    """It is found again by its mark (guard: `again`)."""
    surface = stage.surface()
    stage.slack.fail("chat.postMessage", "lost")
    with pytest.raises(Exception):  # noqa: B017 - whatever the network raises
        await surface.show(View())
    await surface.show(View(), again=True)
    assert len(stage.seen) == 1
    assert surface.place == Place("D0ADA", stage.seen[0]["ts"])


async def test_what_was_never_seen_is_not_shown_when_it_is_over(stage: Stage) -> None:
    """Slack was away all the time: a message about what went on would only disturb."""
    await stage.surface().show(View(outcome=Outcome.OK), again=True)
    assert stage.seen == []


async def test_another_replica_shows_how_it_ended(stage: Stage) -> None:
    """At the place that the database knows."""
    surface = stage.surface()
    await surface.show(View())
    assert surface.place is not None
    await stage.surface(surface.place).show(View(outcome=Outcome.UNKNOWN, reason="interrupted"))
    assert "the bot was stopped in mid-call" in stage.seen[0]["text"]
    assert buttons(stage.seen[0]) == []


async def test_where_the_bot_is_gone_nobody_is_told(stage: Stage) -> None:
    """Removed from that workspace."""
    await stage.workspaces.see_to()
    elsewhere = Running("abc", SlackUser("T9", "U0ADA"), "auth0|ada", "1", "copy_orders", stage.clock())
    with pytest.raises(Gone):
        await stage.screens.surface(elsewhere).show(View())


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (View(outcome=Outcome.OK), "is done"),
        (View(outcome=Outcome.FAILED, reason="http_500"), "failed: the service answered with HTTP 500"),
        (View(stop=Stop("stopped", Person(BOB, "b")), outcome=Outcome.FAILED), "was stopped by <@U0BOB>"),
        (View(stop=Stop("stopped", Person(BOB, "b")), outcome=Outcome.UNKNOWN), "stopped by <@U0BOB>. It may be done"),
        (View(stop=Stop("not_linked"), outcome=Outcome.UNKNOWN, reason="not_linked"), "the account was unlinked"),
    ],
)
async def test_the_message_says_how_it_ended(stage: Stage, view: View, said: str) -> None:
    """In a sentence, with who stopped it."""
    surface = stage.surface()
    await surface.show(View())
    await surface.show(view)
    assert said in stage.seen[0]["text"]
