"""Between what a person chooses on the pages: whose account, or where to install."""

from __future__ import annotations

from dataclasses import dataclass, field

from .authorize import Asked
from .people import Person
from .team import FIRST, TEAMS, Team
from .workspaces import Workspaces


@dataclass(frozen=True)
class Choice:
    """`owner` is the workspace or organization that is named to the app, `user` the person who acts there, `home`
    where that person is kept."""

    owner: str
    user: str
    home: str

    @property
    def value(self) -> str:
        """As the form sends it."""
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
    if asked.team in TEAMS:
        workspaces.at(TEAMS[asked.team])
    teams = [team for team in workspaces.teams if asked.team in ("", team.id)] or [FIRST]
    groups = []
    for team in teams:
        group = Group(team.name)
        for person in workspaces.at(team).people.values():
            if not person.deleted:
                group.options.append(_somebody(team, person))
        groups.append(group)
    return _suggested(groups, asked.hint)


def _somebody(team: Team, person: Person) -> Option:
    owner = team.id if team.holds(person.team) else person.team
    notes = [] if person.confirmed else ["address not confirmed"]
    if owner != team.id:
        notes.append(f"from {owner}")
    choice = Choice(owner, person.id, team.home)
    return Option(choice.value, choice, person.real_name, person.email, tuple(notes))


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
