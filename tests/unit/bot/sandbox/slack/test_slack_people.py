"""Guests, people from other workspaces, and strangers, as Slack describes them to an app."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.sandbox.slack import NoSuchThing, SandboxSlack
from bot.sandbox.slack.people import Guest
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import SECRET, TOKEN, Calls, Listener

MARKS = ("is_restricted", "is_ultra_restricted", "is_stranger")


@pytest.mark.parametrize(
    ("guest", "marks", "channels"),
    [
        (None, (False, False, False), ["C0GENERAL", "C0SUPPORT"]),
        ("multi", (True, False, False), ["C0GENERAL", "C0SUPPORT"]),
        ("single", (True, True, False), ["C0GENERAL"]),
    ],
)
async def test_a_guest_is_marked_and_kept_to_their_channels(
    slack: SandboxSlack, calls: Calls, guest: Guest | None, marks: tuple[bool, ...], channels: list[str]
) -> None:
    """A single-channel guest has both marks, as Slack documents, and is in one channel alone."""
    slack.add_person("Eve", guest=guest)
    eve = (await calls.ok("users.info", user="U0EVE"))["user"]
    assert (tuple(eve[mark] for mark in MARKS), eve["team_id"]) == (marks, "T0COUNTER")
    members = {c: (await calls.ok("conversations.members", channel=c))["members"] for c in ("C0GENERAL", "C0SUPPORT")}
    assert [channel for channel, there in members.items() if "U0EVE" in there] == channels
    assert (await calls.ok("conversations.open", users="U0EVE"))["channel"]["id"] == "D0EVE"


async def test_somebody_of_another_workspace_in_a_shared_channel_is_no_stranger(
    slack: SandboxSlack, calls: Calls, listener: Listener
) -> None:
    """Slack's mark is for those whom the app shares no channel with: only the workspace tells the others."""
    slack.add_person("Mallory", team="T0OTHER")
    mallory = (await calls.ok("users.info", user="U0MALLORY"))["user"]
    assert (mallory["is_stranger"], mallory["team_id"]) == (False, "T0OTHER")
    assert (await calls.ok("conversations.info", channel="C0GENERAL"))["channel"]["is_ext_shared"] is True
    await slack.command("Mallory", "/agent status")
    assert listener.heard[0].form["team_id"] == "T0OTHER"


async def test_a_stranger_can_be_asked_about_and_no_more(slack: SandboxSlack, calls: Calls) -> None:
    """They are in no channel, share none, and no direct messages can be opened with them."""
    slack.add_person("Mallory", team="T0OTHER", stranger=True)
    mallory = (await calls.ok("users.info", user="U0MALLORY"))["user"]
    assert (mallory["is_stranger"], mallory["team_id"]) == (True, "T0OTHER")
    assert (await calls.ok("conversations.info", channel="C0GENERAL"))["channel"]["is_ext_shared"] is False
    assert await calls.error("conversations.open", users="U0MALLORY") == "user_not_visible"
    with pytest.raises(NoSuchThing):
        await slack.command("Mallory", "/agent status")


async def test_guests_and_strangers_outlive_a_restart(tmp_path: Path, clock: HandClock) -> None:
    """With their channels, and without the channels that they are not in."""
    first = SandboxSlack(tmp_path, signing_secret=SECRET, bot_token=TOKEN, clock=clock)
    await first.start()
    first.add_person("Eve", guest="single")
    first.add_person("Mallory", team="T0OTHER", stranger=True)
    await first.stop()
    second = SandboxSlack(tmp_path, signing_secret=SECRET, bot_token=TOKEN, clock=clock)
    assert second.workspace.person("Eve").guest == "single"
    assert "U0EVE" not in second.workspace.channel("C0SUPPORT").members
    assert "U0MALLORY" not in second.workspace.channel("C0GENERAL").members
    assert not second.workspace.channel("C0GENERAL").shared
