"""chat.startStream, chat.appendStream and chat.stopStream (docs.slack.dev, "Text streaming" and the three methods).

Also what no document says and people have measured: both recipients are wanted everywhere, a title and a status take
the place of those before while details are appended, chunks and text do not go together, and a stream lives five
minutes whatever is appended to it (slackapi/python-slack-sdk issue 1859).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import limits
from .call import Answer, Call
from .chat import own_message, place, thread_of
from .errors import SlackRefusal
from .model import Blocks, Message

LIFETIME = timedelta(minutes=5)
_TITLE = 256
_STATUSES = {"pending", "in_progress", "complete", "error"}
_STARTS, _APPENDS = 20 / 60, 100 / 60  # tiers 2 and 4


@dataclass
class Stream:
    """A message that is being streamed, and until when Slack lets it be."""

    until: datetime
    mode: str
    title: str = ""
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    text: str = ""
    blocks: Blocks = field(default_factory=list)

    def take(self, chunks: list[dict[str, Any]], text: str) -> None:
        """What was appended."""
        self.text += text
        for chunk in chunks:
            match chunk["type"]:
                case "markdown_text":
                    self.text += chunk["text"]
                case "plan_update":
                    self.title = chunk["title"]
                case "blocks":
                    self.blocks += chunk["blocks"]
                case _:
                    card = self.tasks.setdefault(chunk["id"], {"type": "task_card", "task_id": chunk["id"]})
                    card |= {"title": chunk["title"], "status": chunk["status"]}
                    for name in ("details", "output"):
                        if said := chunk.get(name):
                            card[name] = _rich(_plain(card.get(name)) + said)

    def as_blocks(self, more: Blocks) -> Blocks:
        """How it looks now."""
        cards = list(self.tasks.values())
        plan: Blocks = [{"type": "plan", "title": self.title or "Thinking", "tasks": cards}] if cards else []
        made = plan if self.mode == "plan" else cards
        words: Blocks = [{"type": "markdown", "text": self.text}] if self.text else []
        every: Blocks = json.loads(json.dumps([*made, *words, *self.blocks, *more]))
        return [{"block_id": f"s{number}", **block} for number, block in enumerate(every)]


def start(call: Call) -> Answer:
    """chat.startStream: an answer to a message, in its thread; in a channel it may stand alone."""
    workspace, arguments = call.workspace, call.arguments
    channel = place(workspace, arguments.need("channel", "channel_not_found"))
    thread = thread_of(workspace, channel, arguments.text("thread_ts"))
    if thread is None and channel.is_im:
        raise SlackRefusal("invalid_arguments", messages=["missing required field: thread_ts"])
    for name in ("recipient_user_id", "recipient_team_id"):
        if not arguments.text(name):
            raise SlackRefusal(f"missing_{name}")
    if arguments.text("recipient_user_id") not in channel.members:
        raise SlackRefusal("user_not_found")
    mode = arguments.text("task_display_mode") or "timeline"
    if mode not in {"timeline", "plan"}:
        raise SlackRefusal("invalid_arguments", messages=["invalid value: task_display_mode"])
    chunks, text = _content(call)
    call.pace.take("start", workspace.clock(), per_second=_STARTS, burst=20)
    stream = Stream(workspace.clock() + LIFETIME, mode)
    stream.take(chunks, text)
    message = workspace.add_message(
        channel.id, call.team.bot_user, stream.text, stream.as_blocks([]) or None, thread_ts=thread
    )
    workspace.streams[channel.id, message.ts] = stream
    return {"channel": channel.id, "ts": message.ts}


def append(call: Call) -> Answer:
    """chat.appendStream."""
    message, stream = _streaming(call)
    chunks, text = _content(call)
    if not chunks and not text:
        raise SlackRefusal("no_text")
    call.pace.take("append", call.workspace.clock(), per_second=_APPENDS, burst=20)
    stream.take(chunks, text)
    call.workspace.change_message(message, text=stream.text, blocks=stream.as_blocks([]))
    return {"channel": message.channel, "ts": message.ts}


def stop(call: Call) -> Answer:
    """chat.stopStream: the last words, and blocks below all of it."""
    message, stream = _streaming(call)
    chunks, text = _content(call)
    more = limits.message_blocks(call.arguments.values.get("blocks")) or []
    call.pace.take("stop", call.workspace.clock(), per_second=_STARTS, burst=20)
    stream.take(chunks, text)
    del call.workspace.streams[message.channel, message.ts]
    call.workspace.change_message(message, text=stream.text, blocks=stream.as_blocks(more) or None)
    return {"channel": message.channel, "ts": message.ts, "message": message.as_slack(call.team)}


def _streaming(call: Call) -> tuple[Message, Stream]:
    message = own_message(call, "message_not_owned_by_app")
    stream = call.workspace.streams.get((message.channel, message.ts))
    if stream is None or call.workspace.clock() >= stream.until:
        raise SlackRefusal("message_not_in_streaming_state")
    return message, stream


def _content(call: Call) -> tuple[list[dict[str, Any]], str]:
    """Chunks or text. Raises SlackRefusal `invalid_chunks`, `invalid_arguments` or `msg_too_long`."""
    given, text = call.arguments.values.get("chunks"), call.arguments.text("markdown_text")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            raise SlackRefusal("invalid_chunks") from None
    if given and text:
        raise SlackRefusal("invalid_arguments", messages=["chunks and markdown_text do not go together"])
    if len(text) > limits.MARKDOWN:
        raise SlackRefusal("msg_too_long")
    chunks = given or []
    if not isinstance(chunks, list) or not all(isinstance(chunk, dict) and _fits(chunk) for chunk in chunks):
        raise SlackRefusal("invalid_chunks")
    return chunks, text


def _fits(chunk: dict[str, Any]) -> bool:
    match chunk.get("type"):
        case "markdown_text":
            return _is_text(chunk.get("text"), limits.MARKDOWN)
        case "plan_update":
            return _is_text(chunk.get("title"), _TITLE)
        case "task_update":
            named = _is_text(chunk.get("id"), _TITLE) and _is_text(chunk.get("title"), _TITLE)
            return named and chunk.get("status") in _STATUSES
        case "blocks":
            return bool(limits.message_blocks(chunk.get("blocks")))
    return False


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= most


def _rich(text: str) -> dict[str, Any]:
    words = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [words]}


def _plain(block: dict[str, Any] | None) -> str:
    return str(block["elements"][0]["elements"][0]["text"]) if block else ""
