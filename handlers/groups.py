"""Slack's user groups, as they are when somebody clicks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot.errors import ApproversUnknown
from handlers.workspace import Workspaces, reason_of
from oauth import SlackUser

log = structlog.get_logger(__name__)

_NO_GROUP = {"no_such_subteam", "subteam_not_found"}


@dataclass(frozen=True, slots=True)
class UserGroups:
    """Asks Slack each time: whoever was taken out of a group decides nothing any more."""

    workspaces: Workspaces

    async def members(self, workspace: SlackUser, group: str) -> frozenset[str]:
        """The ids of its users (docs.slack.dev, "usergroups.users.list"); nobody in a group that is not there.

        Raises ApproversUnknown.
        """
        try:
            web = await self.workspaces.client(workspace)
            answer: Any = await web.usergroups_users_list(usergroup=group)
        except SlackApiError as refusal:
            if reason_of(refusal) in _NO_GROUP:
                return frozenset()
            log.warning("group_not_read", error=reason_of(refusal))
            raise ApproversUnknown from None
        except Exception as error:  # the network, or the workspace is gone: then nobody counts as a member
            log.warning("group_not_read", kind=type(error).__name__)
            raise ApproversUnknown from None
        return frozenset(answer["users"])
