"""Between what a person chooses on the pages: whose account, or where to install."""

from __future__ import annotations

from dataclasses import dataclass, field

from .authorize import Asked
from .people import Person
from .team import TEAMS, Team, teams_of
from .workspaces import Workspaces


@dataclass(frozen=True)
class Choice:
    """`owner` is the workspace or organization that is named to the app, `user` the person who acts there, `home`
    where that person is kept."""

    owner: str
    user: str
    home: str

    @property
    def account(self) -> str:
        """The person and the workspace in one word."""
        return f"{self.owner}:{self.user}"


@dataclass(frozen=True)
class Option:
    """One line of the page."""

    value: str
    choice: Choice
    title: str
    detail: str
    notes: tuple[str, ...] = ()
    chosen: bool = False


@dataclass
class Group:
    """The lines of one workspace."""

    legend: str
    options: list[Option] = field(default_factory=list)


def people(workspaces: Workspaces, asked: Asked) -> list[Group]:
    """Everybody who can sign in: whoever is in a workspace that is there, or in the one that was asked for.

    Somebody from elsewhere signs in to their own workspace.
    """
    groups = []
    for team in [TEAMS[asked.team]] if asked.team in TEAMS else workspaces.teams:
        active = [person for person in workspaces.people(team) if not person.deleted]
        groups.append(Group(team.name, [_somebody(team, person) for person in active]))
    return _suggested(groups, asked.hint)


def _somebody(team: Team, person: Person) -> Option:
    owner = team.id if team.holds(person.team) else person.team
    notes = [] if person.confirmed else ["address not confirmed"]
    if owner != team.id:
        notes.append(f"from {owner}")
    choice = Choice(owner, person.id, team.home)
    return Option(choice.account, choice, person.real_name, person.email, tuple(notes))


def places(workspaces: Workspaces, asked: Asked) -> list[Group]:
    """Where the app can be installed: every workspace, and every organization as a whole. Whoever is first there
    does it."""
    organizations = {team.enterprise.id: team.enterprise for team in TEAMS.values() if team.enterprise}
    groups = [Group("One workspace"), Group("A whole organization")]
    for team in TEAMS.values():
        if who := _first(workspaces, team):
            detail = f"{team.enterprise.name} organization" if team.enterprise else f"{team.domain}.slack.com"
            groups[0].options.append(Option(team.id, Choice(team.id, who, team.home), team.name, detail))
    for owner, enterprise in organizations.items():
        if who := _first(workspaces, teams_of(owner)[0]):
            names = " and ".join(team.name for team in teams_of(owner))
            groups[1].options.append(Option(owner, Choice(owner, who, owner), enterprise.name, names))
    return _suggested(groups, asked.team)


def _first(workspaces: Workspaces, team: Team) -> str | None:
    members = [person for person in workspaces.people(team) if team.holds(person.team)]
    return next((person.id for person in members if not person.deleted), None)


def _suggested(groups: list[Group], hint: str) -> list[Group]:
    """The first line that the hint names, by id, value or address, is the one that is chosen already."""
    wanted = hint.strip().casefold()
    for group in groups:
        for number, option in enumerate(group.options):
            if wanted in (option.choice.user.casefold(), option.value.casefold(), option.detail.casefold()):
                chosen = Option(option.value, option.choice, option.title, option.detail, option.notes, chosen=True)
                group.options[number] = chosen
                return groups
    return groups
