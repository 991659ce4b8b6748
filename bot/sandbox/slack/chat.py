"""chat.*: posting, changing and deleting messages (docs.slack.dev/reference/methods, "chat")."""

from __future__ import annotations

import re

from . import connecting, limits
from .arguments import Arguments
from .call import Answer, Call
from .errors import SlackRefusal
from .model import Blocks, Channel, Message
from .state import Workspace

TS = re.compile(r"\d{10}\.\d{6}")
EDITS = 5  # of one message at once, then one a second
KEPT = ("metadata", "unfurl_links", "unfurl_media", "parse", "mrkdwn", "attachments")


def place(workspace: Workspace, name: str) -> Channel:
    """The channel that the bot names: an id, or a person's id for their direct messages.

    Raises SlackRefusal `channel_not_found`, `not_in_channel`.
    """
    if name in workspace.people:
        name = f"D{name[1:]}"
    channel = workspace.channels.get(name)
    if channel is None:
        raise SlackRefusal("channel_not_found")
    if workspace.team.bot_user not in channel.members:
        raise SlackRefusal("not_in_channel")
    return channel


def content(arguments: Arguments, most: int) -> tuple[str, Blocks | None]:
    """Text and blocks, checked. Raises SlackRefusal `no_text`, `msg_too_long`, `invalid_blocks`."""
    text = limits.text(arguments.text("text"), most)
    blocks = limits.message_blocks(arguments.values.get("blocks"))
    if not text and not blocks and not arguments.values.get("attachments"):
        raise SlackRefusal("no_text")
    return text, blocks


def thread_of(workspace: Workspace, channel: Channel, ts: str) -> str | None:
    """The first message of a thread. Slack lets a bot reply to nothing; here that is a mistake found early."""
    if not ts:
        return None
    first = workspace.find(channel.id, ts) if TS.fullmatch(ts) else None
    if first is None or first.only_for is not None:
        raise SlackRefusal("invalid_thread_ts")
    return first.thread_ts or first.ts


def own_message(call: Call, error: str) -> Message:
    """A message of the bot that is still there; ephemerals cannot be reached by their ts."""
    channel = call.workspace.channels.get(call.arguments.need("channel", "channel_not_found"))
    if channel is None:
        raise SlackRefusal("channel_not_found")
    message = call.workspace.find(channel.id, call.arguments.need("ts", "message_not_found"))
    if message is None or message.only_for is not None:
        raise SlackRefusal("message_not_found")
    if message.user != call.team.bot_user:
        raise SlackRefusal(error)
    return message


def post_message(call: Call) -> Answer:
    """chat.postMessage."""
    workspace, arguments = call.workspace, call.arguments
    channel = place(workspace, arguments.need("channel", "channel_not_found"))
    text, blocks = content(arguments, limits.MESSAGE_TEXT)
    thread = thread_of(workspace, channel, arguments.text("thread_ts"))
    call.pace.take(channel.id, workspace.clock())
    connecting.placed(call, channel, blocks)
    message = workspace.add_message(
        channel.id,
        call.team.bot_user,
        text,
        blocks,
        thread_ts=thread,
        broadcast=arguments.flag("reply_broadcast"),
        extra={name: arguments.values[name] for name in KEPT if name in arguments.values},
    )
    return {"channel": channel.id, "ts": message.ts, "message": message.as_slack(call.team)}


def post_ephemeral(call: Call) -> Answer:
    """chat.postEphemeral; the person must be in the channel."""
    workspace, arguments = call.workspace, call.arguments
    channel = place(workspace, arguments.need("channel", "channel_not_found"))
    person = arguments.need("user", "user_not_in_channel")
    if person not in channel.members:
        raise SlackRefusal("user_not_in_channel")
    text, blocks = content(arguments, limits.MESSAGE_TEXT)
    thread = thread_of(workspace, channel, arguments.text("thread_ts"))
    call.pace.take(channel.id, workspace.clock())
    message = workspace.add_message(channel.id, call.team.bot_user, text, blocks, thread_ts=thread, only_for=person)
    return {"message_ts": message.ts}


def update(call: Call) -> Answer:
    """chat.update. Text alone takes the blocks away and shows "(edited)"; neither text nor blocks is `no_text`.

    What is being streamed is not edited; and one message not more than once a second for long.
    """
    workspace, arguments = call.workspace, call.arguments
    message = own_message(call, "cant_update_message")
    text, blocks = content(arguments, limits.UPDATED_TEXT)
    stream = workspace.streams.get((message.channel, message.ts))
    if stream is not None and workspace.clock() < stream.until:
        raise SlackRefusal("streaming_state_conflict")
    call.pace.take(f"{message.channel}:{message.ts}", workspace.clock(), burst=EDITS)
    extra = message.extra | {name: arguments.values[name] for name in KEPT if name in arguments.values}
    text = text if "text" in arguments.values else message.text
    connecting.placed(call, workspace.channels[message.channel], blocks)
    edited = message.edited if blocks else workspace.next_ts()
    workspace.change_message(message, text=text, blocks=blocks, edited=edited, extra=extra)
    return {
        "channel": message.channel,
        "ts": message.ts,
        "text": message.text,
        "message": message.as_slack(call.team),
    }


def delete(call: Call) -> Answer:
    """chat.delete."""
    message = own_message(call, "cant_delete_message")
    call.workspace.change_message(message, deleted=True)
    return {"channel": message.channel, "ts": message.ts}
