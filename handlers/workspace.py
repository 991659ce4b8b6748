"""Where the bot is installed: what is known of one workspace, and what knows all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from oauth import SlackUser

# Slack's words for what may go well the next time: they say nothing of what it lets us do.
PASSING = {
    "ratelimited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
}


class NotInstalled(Exception):
    """The bot is not, or not any more, in this person's workspace: nobody can be told anything there."""


class NotKnownYet(Exception):
    """Slack has not told yet who we are."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where we are installed. `app` is None where Slack does not tell, and then payloads are not compared with it.

    An installation for a whole organization has the `team` that the payload came from.
    """

    team: str
    team_name: str
    bot_user: str | None
    bot: str | None
    app: str | None
    enterprise: str | None = None

    def person(self, user: str) -> SlackUser:
        """Somebody of this workspace."""
        return SlackUser(self.team, user, self.enterprise)

    def holds(self, team: str | None, enterprise: str | None) -> bool:
        """Whether a payload of this origin is ours. One for a whole organization names no team."""
        if team is None:
            return enterprise is not None and enterprise == self.enterprise
        return not self.is_foreign(team, enterprise)

    def is_foreign(self, team: str | None, enterprise: str | None) -> bool:
        """Whether a person of this team belongs elsewhere; no team at all says nothing of a person."""
        if team is None or team == self.team:
            return False
        return self.enterprise is None or self.enterprise not in {team, enterprise}


class Workspaces(Protocol):
    """Every workspace that the bot is in. Nothing here asks Slack while somebody waits for an ack."""

    @property
    def known(self) -> bool:
        """Whether payloads can be told apart yet."""

    async def find(self, team: str | None, enterprise: str | None) -> Installation | None:
        """The installation that a payload of this origin is for; None where it is foreign. Raises NotKnownYet."""

    async def client(self, slack: SlackUser) -> AsyncWebClient:
        """Slack's Web API with the bot's token for this person's workspace. Raises NotInstalled."""

    async def name(self, slack: SlackUser) -> str:
        """The workspace's name, or the id by which the person's payload calls it."""

    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""

    async def see_to(self) -> None:
        """The periodic round: learn what is not known yet, renew what is about to end. Raises ConfigurationError."""


def reason_of(refusal: SlackApiError) -> str | None:
    """Slack's word for it; None where the answer was none of Slack's, such as a proxy's page."""
    answer: object = getattr(refusal.response, "data", refusal.response)
    reason = answer.get("error") if isinstance(answer, dict) else None
    return reason if isinstance(reason, str) else None
