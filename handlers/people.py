"""What Slack says about a person (users.info)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import structlog
from slack_sdk.errors import SlackApiError

from handlers.life_cycle import is_outside
from handlers.speaker import Speaker
from handlers.workspace import Workspaces, reason_of
from oauth import SlackProfile

log = structlog.get_logger(__name__)

_STRANGER = {"user_not_found", "user_not_visible"}
_MAY_NOT_ASK = {"missing_scope", "unknown_method", "no_permission", "not_allowed_token_type"}


class NoPerson(Exception):
    """A bot, or somebody whose account has ended."""


class Guest(Exception):
    """A guest, or somebody of another workspace, where only members may be linked."""


class PersonUnknown(Exception):
    """Slack does not answer just now, and without its word nobody can be told from a guest."""


@dataclass(frozen=True, slots=True)
class People:
    """Looks people up."""

    workspaces: Workspaces
    external: Literal["deny", "allow"]

    async def profile(self, who: Speaker) -> SlackProfile:
        """Name and confirmed e-mail. Where Slack may not tell, there is no e-mail, and linking asks for a code.

        Raises NoPerson, Guest or PersonUnknown.
        """
        team = await self.workspaces.name(who.slack)
        plain = SlackProfile(team, who.name or who.slack.user)
        try:
            web = await self.workspaces.client(who.slack)
            answer: Any = (await web.users_info(user=who.slack.user)).data
        except SlackApiError as refusal:
            error = reason_of(refusal)
            log.warning("person_unknown", error=error)
            if self.external == "deny" and error in _STRANGER:
                raise Guest from None
            if self.external == "deny" and error not in _MAY_NOT_ASK:
                raise PersonUnknown from None
            return plain  # a code works without Slack's word
        except Exception as error:  # whatever the network does
            log.warning("person_unknown", kind=type(error).__name__)
            if self.external == "deny":
                raise PersonUnknown from None
            return plain
        user = answer.get("user")
        if not isinstance(user, dict):
            return plain
        if user.get("deleted") or user.get("is_bot"):
            raise NoPerson
        if self.external == "deny" and is_outside(user, who.slack):
            raise Guest
        found = user.get("profile")
        about = found if isinstance(found, dict) else {}
        name = about.get("real_name") or user.get("real_name") or user.get("name") or plain.user_name
        email = about.get("email") if user.get("is_email_confirmed") is True else None
        return SlackProfile(team, str(name)[:200], str(email)[:320] if email else None)
