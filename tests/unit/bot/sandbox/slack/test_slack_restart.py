"""A restart finds what the last start left; a second start beside the first changes nothing."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.sandbox.slack import SandboxSlack, storage
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import SECRET, TOKEN, Calls, Listener, actions, button


@asynccontextmanager
async def running(directory: Path, listener: Listener, clock: HandClock, port: int = 0) -> AsyncIterator[SandboxSlack]:
    """One run of the workspace over this directory."""
    slack = SandboxSlack(
        directory, signing_secret=SECRET, bot_token=TOKEN, events_url=listener.url, burst=100, clock=clock
    )
    await slack.start(port=port)
    try:
        yield slack
    finally:
        await slack.stop()


async def test_messages_home_and_reading_outlive_a_restart(
    tmp_path: Path, listener: Listener, clock: HandClock, http: aiohttp.ClientSession
) -> None:
    """Everything that a person would expect to find again."""
    async with running(tmp_path, listener, clock) as slack:
        calls = Calls(slack, http)
        root = await slack.say("Ada", "C0GENERAL", "root")
        await calls.ok("chat.postMessage", channel="C0GENERAL", text="reply", thread_ts=root)
        await calls.ok("chat.postEphemeral", channel="C0GENERAL", user="U0BOB", text="psst")
        posted = await calls.ok("chat.postMessage", channel="D0ADA", text="a", blocks=[actions(button())])
        await calls.ok("chat.update", channel="D0ADA", ts=posted["ts"], text="b")
        await calls.ok("views.publish", user_id="U0ADA", view={"type": "home", "blocks": []})
        slack.add_person("Mallory", team="T0OTHER")
        slack.workspace.mark_read("U0ADA", "D0ADA")
        before = {who: slack.messages("C0GENERAL", who) + slack.messages("D0ADA") for who in ("Ada", "Bob")}
        home, unread = slack.home_for("Ada"), slack.workspace.unread("U0ADA")
        revision = slack.workspace.revision
    async with running(tmp_path, listener, clock) as slack:
        after = {who: slack.messages("C0GENERAL", who) + slack.messages("D0ADA") for who in ("Ada", "Bob")}
        assert after == before
        assert (slack.home_for("Ada"), slack.workspace.unread("U0ADA")) == (home, unread)
        assert slack.workspace.person("Mallory").team == "T0OTHER"
        assert slack.workspace.channel("C0GENERAL").shared
        assert slack.workspace.revision > revision
        newest = max(message["ts"] for message in after["Bob"])
        assert await slack.say("Ada", "C0GENERAL", "after") > newest


async def test_a_response_url_outlives_a_restart_with_the_uses_that_are_left(
    tmp_path: Path, listener: Listener, clock: HandClock, http: aiohttp.ClientSession
) -> None:
    """Three of five were spent before, so two are left after."""
    async with running(tmp_path, listener, clock) as slack:
        await slack.command("Ada", "/agent status")
        url = listener.heard[0].form["response_url"]
        for _ in range(3):
            async with http.post(url, json={"text": "x"}) as response:
                assert response.status == 200
        port = int(slack.url.rsplit(":", 1)[1])
    async with running(tmp_path, listener, clock, port):
        found = []
        for _ in range(3):
            async with http.post(url, json={"text": "x"}) as response:
                found.append(response.status)
    assert found == [200, 200, 404]


async def test_a_second_start_on_the_same_port_changes_nothing(
    tmp_path: Path, listener: Listener, clock: HandClock
) -> None:
    """It fails, leaves nothing open, and does not write its older state over the first one's."""
    async with running(tmp_path, listener, clock) as first:
        second = SandboxSlack(tmp_path, signing_secret=SECRET, bot_token=TOKEN, clock=clock)
        await first.say("Ada", "C0GENERAL", "kept")
        with pytest.raises(OSError, match="in use"):
            await second.start(port=int(first.url.rsplit(":", 1)[1]))
        await first.stop()
        await second.stop()
    found = json.loads((tmp_path / "slack.json").read_text())
    assert [message["text"] for message in found["messages"]["C0GENERAL"]] == ["kept"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"people": 5}', '{"people": [{"nickname": "x"}], "messages": {}}', "\udcff"]
)
async def test_a_file_that_is_no_state_is_put_aside(
    tmp_path: Path, listener: Listener, clock: HandClock, text: str
) -> None:
    """The workspace begins anew, and what was there is still there under another name."""
    raw = text.encode("utf-8", "surrogateescape")
    (tmp_path / "slack.json").write_bytes(raw)
    async with running(tmp_path, listener, clock) as slack:
        assert set(slack.workspace.people) == {"U0ADA", "U0BOB", "U0CAROL"}
        assert slack.messages("C0GENERAL") == []
    assert (tmp_path / "slack.json.unreadable").read_bytes() == raw
    assert storage.load(tmp_path / "slack.json") is not None


async def test_half_a_character_does_not_stop_the_writing(
    tmp_path: Path, listener: Listener, clock: HandClock, http: aiohttp.ClientSession
) -> None:
    """JSON can carry what UTF-8 cannot; such a message is kept like any other, and so are those after it."""
    async with running(tmp_path, listener, clock) as slack:
        await Calls(slack, http).ok("chat.postMessage", channel="C0GENERAL", text="half \ud83d")
        await slack.say("Ada", "C0GENERAL", "after")
    async with running(tmp_path, listener, clock) as slack:
        assert [m["text"] for m in slack.messages("C0GENERAL")] == ["half \ud83d", "after"]


async def test_a_full_disk_does_not_end_the_workspace(tmp_path: Path, listener: Listener, clock: HandClock) -> None:
    """While the file cannot be written one goes on talking; once it can be, everything is written."""
    directory = tmp_path / "data"
    directory.write_text("a file where the directory should be")
    async with running(directory, listener, clock) as slack:
        await slack.say("Ada", "C0GENERAL", "before")
        await asyncio.to_thread(storage.save, tmp_path / "elsewhere", "x")
        directory.unlink()
        await slack.say("Ada", "C0GENERAL", "after")
    found = json.loads((directory / "slack.json").read_text())
    assert [m["text"] for m in found["messages"]["C0GENERAL"]] == ["before", "after"]


def test_a_save_replaces_all_or_nothing(tmp_path: Path) -> None:
    """Where the replacing fails, the old state is whole and nothing is left lying about."""
    target = tmp_path / "slack.json"
    storage.save(target, '{"a": 1}')
    assert storage.load(target) == {"a": 1}
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "inside").touch()
    with pytest.raises(OSError):
        storage.save(blocked, "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocked", "slack.json"]


async def test_what_nobody_started_writes_nothing(tmp_path: Path) -> None:
    """Making and stopping one without a start leaves no file."""
    slack = SandboxSlack(tmp_path, signing_secret=SECRET, bot_token=TOKEN)
    await slack.stop()
    assert not (tmp_path / "slack.json").exists()


async def test_the_address_can_be_chosen(tmp_path: Path, listener: Listener, clock: HandClock) -> None:
    """The port that was asked for is the one it listens on, so that links stay good."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with running(tmp_path, listener, clock, port) as slack:
        assert slack.url == f"http://127.0.0.1:{port}"
        assert slack.api_url == f"{slack.url}/api/"
