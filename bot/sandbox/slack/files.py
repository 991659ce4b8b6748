"""files.*: an address, the bytes, and where they are shown (docs.slack.dev, "Working with files").

The address takes one upload, of exactly the length that was named; only what has arrived can be shown.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from . import chat
from .call import Answer, Call
from .errors import SlackRefusal
from .model import Upload
from .state import Workspace

SNIPPET_BYTES = 1024 * 1024  # docs.slack.dev, "files.getUploadURLExternal", `snippet_too_large`
BAD_REQUEST, NOT_FOUND = 400, 404


def get_upload_url(call: Call) -> Answer:
    """files.getUploadURLExternal: an address for one upload, and the id that the file will have."""
    arguments = call.arguments
    name, length = arguments.need("filename"), arguments.need("length")
    if not length.isascii() or not length.isdigit() or int(length) < 1:
        raise SlackRefusal("invalid_arguments", messages=["invalid `length`"])
    kind = arguments.text("snippet_type")
    if kind and int(length) > SNIPPET_BYTES:
        raise SlackRefusal("snippet_too_large")
    upload = Upload(f"F{secrets.token_hex(5).upper()}", secrets.token_urlsafe(24), name, int(length), kind)
    call.workspace.uploads[upload.id] = upload
    return {"upload_url": f"{call.base}/upload/v1/{call.team.home}/{upload.key}", "file_id": upload.id}


def receive(workspace: Workspace | None, key: str, content: bytes) -> None:
    """The bytes, sent to the address. SlackRefusal with its HTTP status where they are not what was announced."""
    uploads = workspace.uploads.values() if workspace else ()
    upload = next((one for one in uploads if secrets.compare_digest(one.key, key)), None)
    if upload is None or upload.content is not None:
        raise SlackRefusal("file_not_found", status=NOT_FOUND)
    if len(content) != upload.length:
        raise SlackRefusal("invalid_length", status=BAD_REQUEST)
    upload.content = content


def complete_upload(call: Call) -> Answer:
    """files.completeUploadExternal: show the files in a channel or a thread; without a channel they stay private."""
    workspace, arguments = call.workspace, call.arguments
    named = _named(arguments.values.get("files"))
    uploads = [workspace.uploads.get(one["id"]) for one in named]
    arrived = [one for one in uploads if one is not None and one.content is not None]
    if len(arrived) < len(named):
        raise SlackRefusal("file_not_found")
    files = [one.as_slack(call.team, call.base, title.get("title")) for one, title in zip(arrived, named, strict=True)]
    if where := arguments.text("channel_id"):
        channel = workspace.channels.get(where)  # the id of a conversation; a person's id is none here
        if channel is None:
            raise SlackRefusal("channel_not_found")
        chat.place(workspace, where)
        thread = chat.thread_of(workspace, channel, arguments.text("thread_ts"))
        text = arguments.text("initial_comment")
        workspace.add_message(channel.id, call.team.bot_user, text, None, thread_ts=thread, extra={"files": files})
    for one in arrived:
        del workspace.uploads[one.id]
    return {"files": files}


def text_of(workspace: Workspace | None, id_: str) -> str | None:
    """A file that is shown somewhere, whole; None where there is none."""
    messages = [one for kept in workspace.messages.values() for one in kept] if workspace else []
    files = [file for one in messages for file in (one.extra or {}).get("files", ())]
    return next((str(file["preview"]) for file in files if file["id"] == id_), None)


def _named(given: Any) -> list[dict[str, Any]]:
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        found = None
    fits = isinstance(found, list) and found and all(isinstance(one, dict) and one.get("id") for one in found)
    if not fits or len({one["id"] for one in found}) < len(found):
        raise SlackRefusal("invalid_arguments", messages=["invalid `files`"])
    return list(found)
