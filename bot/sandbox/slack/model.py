"""What a workspace is made of: channels, messages, views, and what Slack hands out for a while."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .team import APP, Team, bot_profile

Blocks = list[dict[str, Any]]


@dataclass
class Channel:
    """A channel, or the direct messages of one person with the app (`user` is that person)."""

    id: str
    name: str
    members: set[str]
    topic: str = ""
    user: str | None = None
    shared: bool = False
    creator: str = ""

    @property
    def is_im(self) -> bool:
        """Whether these are direct messages."""
        return self.user is not None

    def as_slack(self, team: Team) -> dict[str, Any]:
        """The `channel` object of conversations.info, as the bot in that workspace sees it."""
        if self.is_im:
            return {
                "id": self.id,
                "created": 1700000000,
                "is_im": True,
                "is_org_shared": False,
                "user": self.user,
                "is_archived": False,
                "context_team_id": team.id,
                "is_open": True,
                "priority": 0,
            }
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": True,
            "is_group": False,
            "is_im": False,
            "is_mpim": False,
            "is_private": False,
            "created": 1700000000,
            "is_archived": False,
            "is_general": self.name == "general",
            "is_shared": self.shared,
            "is_ext_shared": self.shared,
            "is_org_shared": team.enterprise is not None,
            "context_team_id": team.id,
            "creator": self.creator,
            "is_member": team.bot_user in self.members,
            "topic": {"value": self.topic, "creator": "", "last_set": 0},
            "purpose": {"value": self.topic, "creator": "", "last_set": 0},
            "num_members": len(self.members),
        }


@dataclass
class Message:
    """One message. `only_for` makes it ephemeral; `edited` is the ts of its last change of text, `rev` the
    revision of its last change of any kind."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: Blocks | None = None
    thread_ts: str | None = None
    only_for: str | None = None
    broadcast: bool = False
    deleted: bool = False
    edited: str | None = None
    rev: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    def seen_by(self, viewer: str | None) -> bool:
        """Whether this person sees it; None stands for nobody in particular, who sees no ephemerals."""
        return not self.deleted and (self.only_for is None or self.only_for == viewer)

    def as_slack(self, team: Team) -> dict[str, Any]:
        """The `message` object of Slack's payloads and answers, in this workspace."""
        made: dict[str, Any] = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text}
        made["team"] = team.id
        if self.user == team.bot_user:
            made |= {"bot_id": team.bot, "app_id": APP, "bot_profile": bot_profile(team)}
        if self.blocks:
            made["blocks"] = self.blocks
        if self.thread_ts:
            made["thread_ts"] = self.thread_ts
        if self.edited:
            made["edited"] = {"user": self.user, "ts": self.edited}
        return {**made, **self.extra}

    def as_json(self) -> dict[str, Any]:
        """Every field, for the file and for the page; to be read at once, since what is inside is not copied."""
        return {**vars(self)}


@dataclass
class View:
    """A modal or a Home tab that is open for `user`. `errors` are shown under its inputs."""

    id: str
    user: str
    content: dict[str, Any]
    hash: str
    root: str
    previous: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    rev: int = 0

    def as_slack(self, team: Team) -> dict[str, Any]:
        """The `view` object of payloads and of views.open, in this workspace."""
        content = self.content
        made = {
            "id": self.id,
            "team_id": team.id,
            "type": content["type"],
            "blocks": content["blocks"],
            "private_metadata": content.get("private_metadata") or "",
            "callback_id": content.get("callback_id") or "",
            "state": {"values": self.values},
            "hash": self.hash,
            "title": content.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
            "clear_on_close": bool(content.get("clear_on_close")),
            "notify_on_close": bool(content.get("notify_on_close")),
            "close": content.get("close"),
            "submit": content.get("submit"),
            "previous_view_id": self.previous,
            "root_view_id": self.root,
            "app_id": APP,
            "external_id": content.get("external_id") or "",
            "app_installed_team_id": team.id,
            "bot_id": team.bot,
        }
        if content.get("submit_disabled") is not None:
            made["submit_disabled"] = content["submit_disabled"]
        return made


@dataclass
class Trigger:
    """A `trigger_id`: three seconds, one use. `view` is the modal in which it arose, for views.push."""

    id: str
    user: str
    expires: datetime
    view: str | None = None
    used: bool = False


@dataclass
class Upload:
    """A file on its way: `key` is the secret part of its address, `length` in bytes what was announced."""

    id: str
    key: str
    name: str
    length: int
    kind: str
    content: bytes | None = None

    def as_slack(self, team: Team, base: str, title: str | None = None) -> dict[str, Any]:
        """The `file` object of a snippet (docs.slack.dev, "File object"), its text whole in `preview`; `base` is where
        this Slack is.
        """
        shown = (self.content or b"").decode("utf-8", "replace")
        return {
            "id": self.id,
            "name": self.name,
            "title": title or self.name,
            "mimetype": "text/plain",
            "filetype": self.kind or "text",
            "mode": "snippet",
            "size": self.length,
            "user": team.bot_user,
            "user_team": team.id,
            "permalink": f"{base}/files/{team.home}/{self.id}",
            "preview": shown,
            "preview_is_truncated": False,
        }


@dataclass
class ResponseUrl:
    """A `response_url`: five uses in thirty minutes. `ts` is the message that was clicked, if one was."""

    key: str
    user: str
    channel: str
    expires: float
    ts: str | None = None
    thread_ts: str | None = None
    left: int = 5
