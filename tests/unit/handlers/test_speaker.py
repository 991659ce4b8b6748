"""Who speaks is read from the signed payload alone, whatever else it holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.speaker import Kind, source, speaker
from handlers.workspace import Installation

HERE = Installation("T1", "Work", "UBOT", "BBOT", "A1")
GRID = Installation("T1", "Work", "UBOT", "BBOT", "A1", enterprise="E1")

COMMAND = {
    "command": "/agent",
    "text": "run pay user=U0BOB",
    "team_id": "T1",
    "user_id": "U0ADA",
    "user_name": "ada",
    "channel_id": "C1",
    "api_app_id": "A1",
    "trigger_id": "1.2.3",
    "response_url": "https://hooks.example.com/1",
}
CLICK = {
    "type": "block_actions",
    "api_app_id": "A1",
    "team": {"id": "T1"},
    "user": {"id": "U0ADA", "username": "ada", "team_id": "T1"},
    "container": {"type": "message", "channel_id": "D1", "message_ts": "1.1"},
    "trigger_id": "4.5.6",
    "actions": [{"action_id": "approval.approve", "value": "U0BOB"}],
}
MENTION = {
    "type": "event_callback",
    "api_app_id": "A1",
    "team_id": "T1",
    "event_id": "Ev1",
    "event": {"type": "app_mention", "user": "U0ADA", "team": "T1", "channel": "C1", "ts": "9.1", "text": "<@U0BOB>"},
}


@pytest.mark.parametrize("payload", [COMMAND, CLICK, MENTION])
def test_the_speaker_is_who_sent_it(payload: dict[str, Any]) -> None:
    """A name in a text, in arguments or in a button's value is not the speaker."""
    who = speaker(payload, HERE)
    assert who is not None
    assert (who.slack.key, who.external) == ("T1:U0ADA", False)


def test_claims_name_what_was_delivered() -> None:
    """A command and a click are known by their trigger, an event by its id, and a message by its ts alone."""
    assert source(COMMAND).claim == "1.2.3"
    assert source(CLICK).claim == "4.5.6"
    assert source({**MENTION, "event": {"type": "app_home_opened", "user": "U0ADA"}}).claim == "Ev1"
    message = {**MENTION, "event_id": "Ev2", "event": {**MENTION["event"], "type": "message"}}  # type: ignore[dict-item]
    assert source(message).claim == source(MENTION).claim == "C1:9.1"


def test_t60_people_of_other_workspaces_are_seen_as_such() -> None:
    """In a shared channel a click or a mention carries the person's own team (guard: `is_foreign` of that team)."""
    click = {**CLICK, "user": {"id": "U0MALLORY", "team_id": "T9"}}
    mention = {**MENTION, "event": {**MENTION["event"], "user": "U0MALLORY", "user_team": "T9"}}  # type: ignore[dict-item]
    assert [speaker(each, HERE).external for each in (click, mention)] == [True, True]  # type: ignore[union-attr]


def test_t59_the_workspace_is_part_of_the_person() -> None:
    """The same user id under another installation is somebody else (guard: Installation.person)."""
    elsewhere = Installation("T2", "Other", None, None, "A1")
    assert speaker(COMMAND, HERE).slack != speaker(COMMAND, elsewhere).slack  # type: ignore[union-attr]
    assert speaker(COMMAND, GRID).slack.workspace == "E1"  # type: ignore[union-attr]


def test_an_organization_is_one_place() -> None:
    """In an Enterprise Grid another workspace of the same organization is not foreign."""
    assert not GRID.is_foreign("T7", "E1")
    assert GRID.is_foreign("T7", "E9")
    assert GRID.is_foreign("T7", None)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "type",
    "command",
    "user",
    "user_id",
    "team",
    "team_id",
    "event",
    "container",
    "channel",
    "enterprise",
    "trigger_id",
]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), JSONISH | st.sampled_from(["event_callback", "block_actions"])))
def test_no_shape_of_a_payload_breaks_the_reader(payload: dict[str, Any]) -> None:
    """Fields that are missing, null or of another type give nobody, never an exception or an object as a name."""
    assert source(payload).kind in Kind
    who = speaker(payload, HERE)
    assert who is None or isinstance(who.slack.user, str)
