"""Who is in the sandbox's workspaces, and how Slack describes somebody (docs.slack.dev, "User object")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .team import FIRST, GRID, NORTH, SECOND, TEAMS, Team

Guest = Literal["multi", "single"]


@dataclass(frozen=True)
class Person:
    """Somebody with an account; `confirmed` says that Slack vouches for the e-mail address.

    `guest` is `multi` or `single`, by the channels that a guest may be in. `stranger` is the mark of users.info: at
    Slack it is true for people of other workspaces who are in no channel that the app sees, and false for those in
    its shared channels.
    """

    id: str
    name: str
    real_name: str
    email: str
    confirmed: bool = True
    team: str = FIRST.id
    deleted: bool = False
    guest: Guest | None = None
    stranger: bool = False

    def as_slack(self, team: Team, *, with_email: bool) -> dict[str, Any]:
        """The `user` object of users.info, as seen from a workspace; the address only under `users:read.email`."""
        profile: dict[str, Any] = {
            "real_name": self.real_name,
            "real_name_normalized": self.real_name,
            "display_name": self.name,
            "display_name_normalized": self.name,
            "title": "",
            "team": self.team,
        }
        if with_email:
            profile["email"] = self.email
        made = {
            "id": self.id,
            "team_id": self.team,
            "name": self.name,
            "real_name": self.real_name,
            "deleted": self.deleted,
            "tz": "Etc/UTC",
            "tz_label": "Coordinated Universal Time",
            "tz_offset": 0,
            "profile": profile,
            "is_admin": False,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": self.guest is not None,
            "is_ultra_restricted": self.guest == "single",
            "is_stranger": self.stranger,
            "is_bot": False,
            "is_app_user": False,
            "is_email_confirmed": self.confirmed,
            "updated": 1700000000,
        }
        return made | _in_organization(self)


def _in_organization(person: Person) -> dict[str, Any]:
    """What an Enterprise Grid adds. Here everybody is in all workspaces of their organization."""
    home = TEAMS.get(person.team)
    if home is None or home.enterprise is None:
        return {}
    enterprise_user = {
        "id": person.id,
        "enterprise_id": home.enterprise.id,
        "enterprise_name": home.enterprise.name,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "teams": [team.id for team in TEAMS.values() if team.home == home.home],
    }
    return {"enterprise_user": enterprise_user}


RESIDENTS: dict[str, tuple[Person, ...]] = {
    FIRST.home: (
        Person("U0ADA", "ada", "Ada Lindqvist", "ada@example.com"),
        Person("U0BOB", "bob", "Bob Okafor", "bob@example.com"),
        Person("U0CAROL", "carol", "Carol Reyes", "carol@example.com"),
    ),
    # This Bob has the same id as the first one and is somebody else.
    SECOND.home: (
        Person("U0BOB", "bob", "Bob Larsen", "bob@second.example", team=SECOND.id),
        Person("U0DAN", "dan", "Dan Petrov", "dan@second.example", team=SECOND.id),
    ),
    GRID.id: (
        Person("U0EVE", "eve", "Eve Tanaka", "eve@grid.example", team=NORTH.id),
        Person("U0DAN", "dan", "Dan Moreau", "dan@grid.example", team=NORTH.id),
    ),
}
