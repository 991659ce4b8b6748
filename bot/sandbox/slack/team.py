"""Which workspaces there are, by ids that never change from one start to the next.

One stands alone and is what a single-workspace bot is in; a second one shares a person's id with it; two belong to
one Enterprise Grid organization (docs.slack.dev/enterprise/organization-ready-apps).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

APP = "A0SANDBOX"
APP_NAME = "Countersign"
SLACKBOT = "USLACKBOT"
VERIFICATION_TOKEN = "sandbox-verification-token"


@dataclass(frozen=True)
class Enterprise:
    """An Enterprise Grid organization."""

    id: str
    name: str
    domain: str


@dataclass(frozen=True)
class Team:
    """A workspace, and the bot's own ids in it. Those of one organization share people, channels and bot."""

    id: str
    name: str
    domain: str
    bot_user: str
    bot: str
    enterprise: Enterprise | None = None

    @property
    def home(self) -> str:
        """Whose people and channels these are: the organization's, or the workspace's own."""
        return self.enterprise.id if self.enterprise else self.id

    def holds(self, other: str) -> bool:
        """Whether people of that workspace are at home in this one."""
        return other == self.id or (other in TEAMS and TEAMS[other].home == self.home)


@dataclass(frozen=True)
class Origin:
    """From which workspace something is sent, and whether the app is there by an organization-wide install."""

    team: Team
    org_wide: bool = False


FIRST = Team("T0COUNTER", "Sandbox", "sandbox", "U0BOT", "B0BOT")
SECOND = Team("T0SECOND", "Second", "second", "U0SECONDBOT", "B0SECONDBOT")
GRID = Enterprise("E0GRID", "Grid", "grid")
NORTH = Team("T0NORTH", "North", "north", "U0GRIDBOT", "B0GRIDBOT", GRID)
SOUTH = Team("T0SOUTH", "South", "south", "U0GRIDBOT", "B0GRIDBOT", GRID)

TEAMS = {team.id: team for team in (FIRST, SECOND, NORTH, SOUTH)}


def teams_of(owner: str) -> tuple[Team, ...]:
    """The workspaces of an installation: one, or all of an organization. Empty for an id that nobody has."""
    return tuple(team for team in TEAMS.values() if owner in (team.id, team.home))


def bot_profile(team: Team) -> dict[str, Any]:
    """Who posts, as Slack describes an app's bot."""
    return {
        "id": team.bot,
        "deleted": False,
        "name": APP_NAME,
        "updated": 1700000000,
        "app_id": APP,
        "user_id": team.bot_user,
        "team_id": team.id,
    }
