"""What Slack says about a person (users.info)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from handlers.speaker import Speaker
from handlers.workspace import Workspaces
from oauth import SlackProfile

log = structlog.get_logger(__name__)


class NoPerson(Exception):
    """A bot, or somebody whose account has ended."""


@dataclass(frozen=True, slots=True)
class People:
    """Looks people up."""

    workspaces: Workspaces

    async def profile(self, who: Speaker) -> SlackProfile:
        """Name and confirmed e-mail. Where Slack does not tell, there is no e-mail, and linking asks for a code.

        Raises NoPerson.
        """
        team = await self.workspaces.name(who.slack)
        plain = SlackProfile(team, who.name or who.slack.user)
        try:
            web = await self.workspaces.client(who.slack)
            answer: Any = (await web.users_info(user=who.slack.user)).data
        except SlackApiError as refusal:
            log.warning("person_unknown", error=refusal.response.get("error"))
            return plain
        except Exception as error:  # the network; a code works without Slack's word
            log.warning("person_unknown", kind=type(error).__name__)
            return plain
        user = answer.get("user")
        if not isinstance(user, dict):
            return plain
        if user.get("deleted") or user.get("is_bot"):
            raise NoPerson
        found = user.get("profile")
        about = found if isinstance(found, dict) else {}
        name = about.get("real_name") or user.get("real_name") or user.get("name") or plain.user_name
        email = about.get("email") if user.get("is_email_confirmed") is True else None
        return SlackProfile(team, str(name)[:200], str(email)[:320] if email else None)
