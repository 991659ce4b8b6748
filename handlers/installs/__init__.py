"""Any number of workspaces: how the bot is installed in one, what is kept of it, and how it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import ClientSession, web
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from bot.audit.writer import AuditWriter
from bot.tasks import Tasks
from handlers.installs.departures import Departures, OneDeparture
from handlers.installs.flow import App, InstallPages
from handlers.installs.rotation import Rotation
from handlers.installs.store import MongoInstallationStore, MongoStateStore
from handlers.installs.workspaces import ManyWorkspaces
from handlers.post import client
from oauth import Clock, Links, Site, Vault

__all__ = ["App", "Installs", "ManyWorkspaces", "MongoInstallationStore", "OneDeparture", "keeper"]


def keeper(
    app: App, database: Any, vault: Vault, api_url: str, clock: Clock, session: ClientSession | None = None
) -> ManyWorkspaces:
    """What knows all workspaces, on a database of the driver that `store` knows; `session` is for calls of Slack."""
    store = MongoInstallationStore(database, vault)
    rotator = AsyncTokenRotator(client_id=app.client_id, client_secret=app.client_secret, client=client("", api_url))
    clients = partial(client, base_url=api_url, session=session)
    return ManyWorkspaces(store, Rotation(store, rotator, vault, clock), vault, clients, clock)


@dataclass(frozen=True, slots=True)
class Installs:
    """How workspaces come and go."""

    departures: Departures
    pages: InstallPages
    states: MongoStateStore

    @classmethod
    def of(
        cls,
        app: App,
        *,
        database: Any,
        vault: Vault,
        site: Site,
        links: Links,
        audit: AuditWriter,
        tasks: Tasks,
        api_url: str,
        clock: Clock,
    ) -> Installs:
        """Put together on a database of the driver that `store` knows."""
        store, states = MongoInstallationStore(database, vault), MongoStateStore(database, clock)
        return cls(
            departures=Departures(store, links, audit, tasks, clock),
            pages=InstallPages(app, site, installs=store, states=states, audit=audit, web_client=client("", api_url)),
            states=states,
        )

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        self.pages.add_to(app)
