"""The button that stops work that lasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.work import Stopping
from handlers import cards
from handlers.answering import Ack, Answering
from handlers.invitations import Invitations
from handlers.message import Message
from handlers.speaker import Speaker
from oauth import Links


@dataclass(frozen=True, slots=True)
class StopClicks:
    """A listener. The clicker is resolved to a live link; of the button only the run's name is believed."""

    answering: Answering
    stopping: Stopping
    links: Links
    invitations: Invitations

    def listen(self, bolt: AsyncApp) -> None:
        """Subscribe."""
        bolt.action(cards.RUN_STOP)(self.stop_clicked)

    async def stop_clicked(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody wants it to end. That is stored before Slack gets its ack, so that no crash can lose it."""
        who: Speaker = context["speaker"]
        await self.answering.click(ack, who, self._stop(who, _value(body)))

    async def _stop(self, who: Speaker, run: str) -> Message | None:
        principal = await self.links.principal(who.slack)
        if principal is None:
            return await self.invitations.invite(who)
        running = await self.stopping.stop(principal, run)
        if running.requester.key == who.slack.key:
            return None  # their own message says so
        return cards.note("It is being stopped. The card says how it ended as soon as it has.")


def _value(body: Mapping[str, Any]) -> str:
    value = next((a.get("value") for a in body.get("actions") or [] if isinstance(a, dict)), None)
    return value if isinstance(value, str) else ""
