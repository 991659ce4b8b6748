"""All workspaces of the sandbox, each with its file; one is made when somebody first asks for it."""

from __future__ import annotations

from pathlib import Path

from . import storage
from .people import RESIDENTS, Person
from .state import Clock, Workspace
from .team import FIRST, TEAMS, Team, teams_of


class Workspaces:
    """By the id of a workspace, or of the organization that keeps its people. The first one is always there."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._open: dict[str, Workspace] = {}
        self._keepers: list[storage.Keeper] = []
        self._running = False
        for home in dict.fromkeys(team.home for team in TEAMS.values()):
            if home == FIRST.home or self._path(home).exists():
                self.at(teams_of(home)[0])

    def at(self, team: Team) -> Workspace:
        """The workspace of this team; those of one organization are one."""
        return self._open.get(team.home) or self._made(team)

    def find(self, home: str) -> Workspace | None:
        """One that is there already."""
        return self._open.get(home)

    def people(self, team: Team) -> list[Person]:
        """Who is in a workspace; asking does not make it."""
        there = self._open.get(team.home)
        return list(there.people.values() if there else RESIDENTS[team.home])

    @property
    def teams(self) -> list[Team]:
        """The teams of all that are there."""
        return [team for team in TEAMS.values() if team.home in self._open]

    def start(self) -> None:
        """Begin to write the files."""
        self._running = True
        for keeper in self._keepers:
            keeper.start()

    async def stop(self) -> None:
        """Write what is left and end."""
        self._running = False
        for keeper in self._keepers:
            await keeper.stop()

    def _made(self, team: Team) -> Workspace:
        path = self._path(team.home)
        keeper = storage.Keeper(path, lambda: workspace.snapshot())
        workspace = Workspace(self._clock, keeper.mark, teams_of(team.home)[0])
        if path.exists():
            try:
                workspace.restore(storage.load(path) or {})
            except ValueError:
                storage.put_aside(path)
        self._open[team.home] = workspace
        self._keepers.append(keeper)
        if self._running:
            keeper.start()
        return workspace

    def _path(self, home: str) -> Path:
        return self._directory / ("slack.json" if home == FIRST.home else f"slack-{home}.json")
