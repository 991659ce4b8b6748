"""Every workspace that the bot was installed in. Whether it is there is read anew every two seconds at most."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from handlers.installs.records import Installed
from handlers.installs.rotation import Rotation
from handlers.installs.store import MongoInstallationStore
from handlers.workspace import Installation, NotInstalled
from oauth import Clock, SlackUser, Vault
from oauth.errors import SealBroken

# So a workspace that the bot has left is left in every replica well within five seconds.
_FRESH = timedelta(seconds=2)
_SOON = timedelta(minutes=1)
_MOST = 4096


class ManyWorkspaces:
    """Installations by OAuth. Slack is asked nothing: what `auth.test` would say was kept at the installation."""

    known = True

    def __init__(
        self,
        store: MongoInstallationStore,
        rotation: Rotation,
        vault: Vault,
        clients: Callable[[str], AsyncWebClient],
        clock: Clock,
    ) -> None:
        """`clients` makes a client of a token."""
        self._store = store
        self._rotation = rotation
        self._vault = vault
        self._clients = clients
        self._clock = clock
        self._lately: OrderedDict[tuple[str, ...], tuple[datetime, Installed]] = OrderedDict()

    async def find(self, team: str | None, enterprise: str | None) -> Installation | None:
        """The installation that a payload of this origin is for; None where there is none."""
        found = await self._installed(team, enterprise)
        return found.here(team) if found else None

    async def client(self, slack: SlackUser) -> AsyncWebClient:
        """Slack's Web API with the bot's token for this person's workspace. Raises NotInstalled."""
        # Read anew: after an installation in the place of another one the former token is dead at once.
        found = await self._read(slack.team, slack.enterprise)
        if found is not None and found.expires_at is not None and found.expires_at <= self._clock() + _SOON:
            found = await self._rotation.renewed(found.key, _SOON)
        if found is None:
            raise NotInstalled
        try:
            return self._clients(found.token(self._vault))
        except SealBroken:
            raise NotInstalled from None

    async def name(self, slack: SlackUser) -> str:
        """The workspace's name, or the id by which the person's payload calls it."""
        found = await self._installed(slack.team, slack.enterprise)
        return (found.team_name if found else None) or slack.team

    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""
        await self._store.ensure_indexes()

    async def see_to(self) -> None:
        """Renew tokens that are about to end."""
        await self._rotation.see_to()

    async def _installed(self, team: str | None, enterprise: str | None) -> Installed | None:
        """The workspace's own installation, else that of its organization."""
        keys = tuple(key for key in (team, enterprise) if key)
        now = self._clock()
        read = self._lately.get(keys)
        if read is not None and now - read[0] < _FRESH:
            return read[1]
        found = await self._read(team, enterprise)
        if found is None:  # it may be installed in this very moment
            self._lately.pop(keys, None)
            return None
        self._lately[keys] = now, found
        self._lately.move_to_end(keys)
        if len(self._lately) > _MOST:
            self._lately.popitem(last=False)
        return found

    async def _read(self, team: str | None, enterprise: str | None) -> Installed | None:
        keys = [key for key in (team, enterprise) if key]
        return await self._store.find(keys) if keys else None
