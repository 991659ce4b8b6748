"""What the Web API refuses, in Slack's own words (docs.slack.dev, each method's table of errors)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class SlackRefusal(Exception):
    """An answer with `ok: false`: `error` is Slack's code, `messages` its `response_metadata.messages`.

    `status` is 200 for almost everything, as at Slack; 429 carries `retry_after` in seconds.
    """

    def __init__(
        self,
        error: str,
        *,
        messages: Sequence[str] = (),
        status: int = 200,
        retry_after: int | None = None,
        **extra: Any,
    ) -> None:
        self.error = error
        self.messages = tuple(messages)
        self.status = status
        self.retry_after = retry_after
        self.extra = extra
        super().__init__(error)

    def body(self) -> dict[str, Any]:
        """The JSON object that goes back to the caller."""
        answer: dict[str, Any] = {"ok": False, "error": self.error, **self.extra}
        if self.messages:
            answer["response_metadata"] = {"messages": [f"[ERROR] {line}" for line in self.messages]}
        return answer


class NoSuchThing(LookupError):
    """A test or a page named a person, channel, message, control or view that is not there."""
