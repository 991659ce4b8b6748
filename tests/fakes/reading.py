"""What a person reads of a message, and texts that try to be more than text."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from bot.actions.model import Action, ActionResult, Call
from bot.actions.policy import Policy
from bot.approvals.model import Approval, Origin
from bot.sandbox.slack import limits
from handlers import blocks
from handlers.message import Message
from oauth import Identity, Principal, SlackUser, Subject
from oauth.models import LinkVersion

NOON = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
ADA = SlackUser("T1", "U0ADA")
PRINCIPAL = Principal(
    ADA,
    Identity("https://idp.example/", Subject("auth0|ada"), "ada@example.com", "Ada"),
    LinkVersion("v1"),
    frozenset({"orders:refund", "orders:read"}),
    NOON,
)
ASKED = Approval(
    id="abc123",
    requester=ADA,
    sub="auth0|ada",
    link_version="v1",
    action="refund_order",
    description="Refund one order",
    arguments={"order_id": "A-7", "amount": 1250},
    scopes=frozenset({"orders:refund"}),
    digest="d" * 64,
    run="r",
    origin=Origin(),
    created_at=NOON,
    expires_at=NOON + timedelta(minutes=15),
)
TRICKS = (
    "<!channel>",
    "<@U0BOB>",
    "<https://evil.example|Approve>",
    "*b*",
    "_i_",
    "~s~",
    "`c`",
    "```",
    "&lt;",
    ":tada:",
)
TRICKS += ("\u202e", "\u2066", "\u200b", "\x00", "\u2028", "\n", " ", "> q", "• ", "@here", "#general", "\ud800")
NASTY = st.lists(st.sampled_from(TRICKS) | st.text(st.characters(), max_size=8), max_size=40).map(
    lambda some: "".join(some).replace("⟨", "(")
)
MARK = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")
OURS = re.compile(r"<@[A-Z0-9]+>|<!date\^\d+\^[^<>|^]+\|[^<>|^]+>")


async def nothing(_: Call) -> ActionResult:
    """An action that is never called here."""
    raise AssertionError


def an_action(name: str = "refund_order", **more: Any) -> Action:
    """An action with two parameters, unless told otherwise."""
    usual: dict[str, Any] = {
        "description": "Refund one order",
        "parameters": {"order_id": {"type": "string"}, "amount": {"type": "integer", "default": 1}},
        "scopes": frozenset({"orders:refund"}),
        "audience": None,
        "sensitive": True,
        "policy": Policy(more.pop("approval", "self")),
        "idempotent": False,
        "definition": {},
        "call": nothing,
    }
    return Action(name=name, **(usual | more))


def texts(message: Message, kind: str) -> list[str]:
    """Every text of this kind in the blocks, in reading order."""
    found: list[str] = []

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("type") == kind:
                found.append(part["text"])
            for value in part.values():
                look(value)
        elif isinstance(part, list | tuple):
            for value in part:
                look(value)

    look(message.blocks)
    return found


def said(message: Message) -> str:
    """All that a person reads."""
    kinds = ("mrkdwn", "plain_text", "text")
    return "\n".join([message.text, *(text for kind in kinds for text in texts(message, kind))])


def buttons_of(message: Message) -> dict[str, dict[str, Any]]:
    """The buttons by their ids."""
    return {
        one["action_id"]: one for block in message.blocks if block["type"] == "actions" for one in block["elements"]
    }


def assert_sound(message: Message) -> None:
    """Slack takes it, and nothing foreign in it can do anything."""
    limits.message_blocks(list(message.blocks))
    assert 0 < len(message.text) <= limits.UPDATED_TEXT
    assert blocks.together(message.blocks) <= blocks.MOST_TOGETHER
    for text in [message.text, *texts(message, "mrkdwn")]:
        assert not re.search(r"[<>]", OURS.sub("", text)), text
    for text in said(message).split("\n"):
        hidden = [letter for letter in text if unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}]
        assert set(hidden) <= {"\u2060"}


def values_shown(message: Message) -> dict[str, str]:
    """The arguments as the card shows them, by name, with shown code points read back."""
    found: dict[str, str] = {}
    inside = list(message.blocks[1 + len(blocks.passages(ASKED.description)) :])
    label = ""
    for block in inside:
        pairs = block.get("fields", [])
        if pairs and pairs[0]["text"].startswith("`"):
            for name, value in zip(pairs[::2], pairs[1::2], strict=True):
                found[name["text"]] = "" if value["type"] == "mrkdwn" else value["text"]
        elif block["type"] == "section" and "text" in block:
            text = block["text"]
            if text["type"] == "mrkdwn":
                label = text["text"]
            else:
                found[label] = found.get(label, "") + text["text"]
    return {name.split("`")[1]: MARK.sub(lambda mark: chr(int(mark[1], 16)), value) for name, value in found.items()}
