"""What the page is sent live: everything at first, then what changed, and an end when the workspace ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.bot.sandbox.slack.listener import Calls, Listener, field, modal
from tests.unit.bot.sandbox.slack.page import Page, Stream


async def test_the_stream_begins_with_everything(page: Page, calls: Calls) -> None:
    """All that this person sees, and nothing that is for somebody else."""
    await page.slack.say("Ada", "C0GENERAL", "for all")
    await calls.ok("chat.postMessage", channel="D0BOB", text="for Bob")
    await calls.ok("chat.postEphemeral", channel="C0GENERAL", user="U0BOB", text="psst, Bob")
    async with page.live() as stream:
        found = await stream.next()
    assert found["full"] is True
    assert [message["text"] for message in found["messages"]] == ["for all"]
    assert found["unread"]["U0BOB"] == {"C0GENERAL": 2, "D0BOB": 1}


async def test_then_comes_what_changed(page: Page, calls: Calls) -> None:
    """A new message, its change and its end, each alone."""
    await page.slack.say("Ada", "C0GENERAL", "old")
    async with page.live() as stream:
        await stream.next()
        ts = (await calls.ok("chat.postMessage", channel="C0GENERAL", text="new"))["ts"]
        texts = [(m["text"], m["deleted"]) for m in await until(stream, lambda found: found["messages"])]
        assert texts == [("new", False)]
        await calls.ok("chat.update", channel="C0GENERAL", ts=ts, text="newer")
        assert [m["text"] for m in await until(stream, lambda found: found["messages"])] == ["newer"]
        await calls.ok("chat.delete", channel="C0GENERAL", ts=ts)
        assert [m["deleted"] for m in await until(stream, lambda found: found["messages"])] == [True]


async def until(stream: Stream, what: Any) -> Any:
    """The first thing that `what` finds in the coming events."""
    while not (found := what(await stream.next())):
        pass
    return found


async def test_who_comes_back_gets_what_was_missed(page: Page) -> None:
    """By the id of the last event, without all the rest again."""
    await page.slack.say("Ada", "C0GENERAL", "old")
    async with page.live() as stream:
        await stream.next()
        last = stream.id
    await page.slack.say("Bob", "C0GENERAL", "missed")
    async with page.live(last=last) as stream:
        found = await stream.next()
    assert (found["full"], [message["text"] for message in found["messages"]]) == (False, ["missed"])


@pytest.mark.parametrize("last", ["other-1", "1", "-", "x" * 50, "other-99999999999999999999"])
async def test_an_id_of_another_start_means_everything(page: Page, last: str) -> None:
    """After a restart revisions may count anew, so nothing may be left out."""
    await page.slack.say("Ada", "C0GENERAL", "old")
    async with page.live(last=last) as stream:
        found = await stream.next()
    assert (found["full"], len(found["messages"])) == (True, 1)


async def test_the_stream_is_for_somebody_who_is_there(page: Page) -> None:
    """An unknown person gets no stream."""
    async with page.http.get(f"{page.slack.url}/ui/live?user=U0NOBODY") as response:
        assert response.status == 404


async def test_open_streams_do_not_hold_up_the_end(page: Page) -> None:
    """Ctrl-C ends the streams at once; nobody waits for a browser to go away."""
    async with page.live("U0ADA") as ada, page.live("U0BOB") as bob:
        await ada.next()
        await bob.next()
        async with asyncio.timeout(1.5):
            await page.slack.stop()
        assert await ada.response.content.read() is not None


async def test_a_modal_is_sent_with_its_depth_and_faults(page: Page, listener: Listener, calls: Calls) -> None:
    """What the page draws of it, and that it is gone."""
    await page.slack.command("Ada", "/agent run")
    opened = await calls.ok("views.open", trigger_id=listener.heard[-1].form["trigger_id"], view=modal(field()))
    name = opened["view"]["id"]
    async with page.live() as stream:
        view = (await stream.next())["view"]
        assert (view["id"], view["depth"], view["errors"]) == (name, 1, {})
        status, answer = await page.act("submit", {"user": "U0ADA", "view_id": name, "values": {"amount": None}})
        assert (status, set(answer["errors"])) == (200, {"amount"})
        await page.act("submit", {"user": "U0ADA", "view_id": name, "values": {"amount": {"amount": "5"}}})
        await until(stream, lambda found: found["view"] is None)
