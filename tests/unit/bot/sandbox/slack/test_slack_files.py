"""A file in three steps: its address, its bytes, and the message that shows it."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from tests.unit.bot.sandbox.slack.listener import TOKEN, Calls

TEXT = "<!channel> ``` \u2028 é\n".encode() * 2_000


async def asked(calls: Calls, content: bytes = TEXT, **more: Any) -> tuple[str, str]:
    """The address for these bytes, and the id of the file."""
    named = await calls.ok("files.getUploadURLExternal", filename="text.txt", length=len(content), **more)
    return named["upload_url"], named["file_id"]


async def sent(calls: Calls, url: str, content: Any = TEXT) -> int:
    """What comes back for the bytes."""
    async with calls.http.post(url, data=content) as response:
        return response.status


async def test_a_snippet_is_shown_in_the_thread(calls: Calls) -> None:
    """All three steps, and the text is there, whole, below the message that it belongs to."""
    card = await calls.ok("chat.postMessage", channel="D0ADA", text="Card")
    url, file = await asked(calls, snippet_type="text")
    assert await sent(calls, url) == 200
    files = [{"id": file, "title": "text"}]
    await calls.ok("files.completeUploadExternal", files=files, channel_id="D0ADA", thread_ts=card["ts"])
    shown = calls.slack.messages("D0ADA")[-1]
    assert shown["thread_ts"] == card["ts"]
    assert shown["files"][0]["preview"].encode() == TEXT
    assert (shown["files"][0]["id"], shown["files"][0]["title"]) == (file, "text")


async def test_the_address_of_a_file_leads_to_its_text(calls: Calls) -> None:
    """As plain text, whatever it says; and to nothing before it is shown."""
    url, file = await asked(calls, snippet_type="text")
    assert await sent(calls, url) == 200
    there = f"{calls.slack.url}/files/T0COUNTER/{file}"
    async with calls.http.get(there) as response:
        assert response.status == 404
    done = await calls.ok("files.completeUploadExternal", files=[{"id": file}], channel_id="C0GENERAL")
    assert done["files"][0]["permalink"] == there
    async with calls.http.get(there) as response:
        assert (response.content_type, await response.read()) == ("text/plain", TEXT)


async def test_slacks_own_client_uploads_too(calls: Calls) -> None:
    """`files_upload_v2` makes the same three calls."""
    client = AsyncWebClient(token=TOKEN, base_url=calls.slack.api_url)
    await client.files_upload_v2(channel="C0GENERAL", content=TEXT.decode(), filename="text.txt")
    assert calls.slack.messages("C0GENERAL")[-1]["files"][0]["preview"].encode() == TEXT


async def test_the_bytes_may_come_as_a_form(calls: Calls) -> None:
    """Slack takes both."""
    url, file = await asked(calls)
    form = aiohttp.FormData()
    form.add_field("filename", TEXT, filename="text.txt")
    assert await sent(calls, url, form) == 200
    await calls.ok("files.completeUploadExternal", files=[{"id": file}], channel_id="C0GENERAL")


async def test_an_address_takes_one_upload(calls: Calls) -> None:
    """A second one, and one to an address that nobody was given, finds nothing."""
    url, _ = await asked(calls)
    assert [await sent(calls, url), await sent(calls, url), await sent(calls, f"{url}x")] == [200, 404, 404]


async def test_the_length_must_be_the_one_announced(calls: Calls) -> None:
    """Fewer or more bytes are no upload, and the right ones still may come."""
    url, file = await asked(calls)
    assert [await sent(calls, url, TEXT[:-1]), await sent(calls, url, TEXT + b"x")] == [400, 400]
    complete = {"files": [{"id": file}], "channel_id": "C0GENERAL"}
    assert await calls.error("files.completeUploadExternal", **complete) == "file_not_found"
    assert await sent(calls, url) == 200
    await calls.ok("files.completeUploadExternal", **complete)
    assert await calls.error("files.completeUploadExternal", **complete) == "file_not_found"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"channel_id": "C0NOWHERE"}, "channel_not_found"),
        ({"channel_id": "U0ADA"}, "channel_not_found"),
        ({"channel_id": "C0SUPPORT"}, "not_in_channel"),
        ({"channel_id": "C0GENERAL", "thread_ts": "1700000000.000000"}, "invalid_thread_ts"),
        ({"files": []}, "invalid_arguments"),
        ({"files": "["}, "invalid_arguments"),
    ],
)
async def test_a_file_is_shown_only_where_the_bot_is(calls: Calls, more: dict[str, Any], error: str) -> None:
    """A channel that the bot is in, a thread that is there; a refusal leaves the file as it was."""
    calls.slack.workspace.channels["C0SUPPORT"].members.discard(calls.slack.workspace.team.bot_user)
    url, file = await asked(calls)
    assert await sent(calls, url) == 200
    arguments = {"files": [{"id": file}]} | more
    assert await calls.error("files.completeUploadExternal", **arguments) == error
    assert calls.slack.messages("C0SUPPORT") == calls.slack.messages("C0GENERAL") == []
    await calls.ok("files.completeUploadExternal", files=[{"id": file}], channel_id="C0GENERAL")


@pytest.mark.parametrize("length", [0, -1, "many", None])
async def test_a_length_is_a_number_of_bytes(calls: Calls, length: Any) -> None:
    """Nothing has no length."""
    assert await calls.error("files.getUploadURLExternal", filename="a", length=length) == "invalid_arguments"


async def test_a_snippet_has_its_limit(calls: Calls) -> None:
    """A megabyte of text at most."""
    arguments = {"filename": "a", "length": 1024 * 1024 + 1, "snippet_type": "text"}
    assert await calls.error("files.getUploadURLExternal", **arguments) == "snippet_too_large"


async def test_the_answer_of_an_upload_can_get_lost(calls: Calls) -> None:
    """The bytes are there all the same, as they would be at Slack."""
    calls.slack.fail("upload", "lost")
    url, file = await asked(calls)
    with pytest.raises(aiohttp.ClientError):
        await sent(calls, url)
    await calls.ok("files.completeUploadExternal", files=[{"id": file}], channel_id="C0GENERAL")


async def test_an_upload_can_fail_without_effect(calls: Calls) -> None:
    """A 500 has taken nothing in."""
    calls.slack.fail("upload", "broken")
    url, _ = await asked(calls)
    assert [await sent(calls, url), await sent(calls, url)] == [500, 200]
