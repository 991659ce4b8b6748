"""What is said in Slack: a text for notifications and screen readers, and the blocks that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is mrkdwn, already escaped; `blocks` take its place on the screen where they are given."""

    text: str
    blocks: tuple[Block, ...] = ()

    def as_slack(self) -> dict[str, Any]:
        """The arguments that chat.postMessage, chat.update, an ack and a `response_url` share."""
        return {"text": self.text} | ({"blocks": list(self.blocks)} if self.blocks else {})
