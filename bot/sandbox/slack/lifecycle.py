"""How somebody or the app itself comes to an end in a workspace (docs.slack.dev: `user_change`, `tokens_revoked`,
`app_uninstalled`).

These events are always sent, whatever the app subscribed to; where it is not installed there is nothing to end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from . import payloads
from .dispatch import Delivery, Dispatch
from .errors import NoSuchThing
from .installations import Installations
from .state import Workspace
from .team import Origin


class Lifecycle:
    """For one workspace; its organization's installation is its own where it has no other."""

    def __init__(
        self, workspace: Workspace, dispatch: Dispatch, installations: Installations, origin: Callable[[], Origin]
    ) -> None:
        self._workspace = workspace
        self._dispatch = dispatch
        self._installations = installations
        self._origin = origin

    async def change(self, who: str, **fields: Any) -> Delivery:
        """Change fields of a person, and tell the app."""
        person = self._workspace.admit(replace(self._workspace.person(who), **fields))
        origin, at = self._origin(), self._workspace.clock().timestamp()
        owner = self._installations.owner_at(origin.team)
        scopes = self._installations.installed[owner].scopes if owner else ()
        user = person.as_slack(origin.team, with_email="users:read.email" in scopes)
        event = payloads.user_change(user, at=at, ts=self._workspace.next_ts())
        return await self._dispatch.event(payloads.envelope(origin, event, at=at))

    async def revoke_tokens(self) -> Delivery:
        """End the bot's token; it is refused with `token_revoked`, and nothing refreshes it. Raises NoSuchThing."""
        owner, event = self._end("token_revoked")
        return await self._send(owner, event)

    async def uninstall(self) -> tuple[Delivery, Delivery]:
        """Remove the app; its token is refused with `account_inactive`. Both events are sent. Raises NoSuchThing.

        Their order is not Slack's promise: either may come first there.
        """
        owner, revoked = self._end("account_inactive")
        gone = payloads.app_uninstalled(ts=self._workspace.next_ts())
        return await self._send(owner, revoked), await self._send(owner, gone)

    def _end(self, error: str) -> tuple[str, payloads.Json]:
        team = self._origin().team
        owner = self._installations.owner_at(team)
        if owner is None:
            raise NoSuchThing(f"the app is not installed in {team.id}")
        self._installations.end(owner, error)
        return owner, payloads.tokens_revoked([team.bot_user], ts=self._workspace.next_ts())

    async def _send(self, owner: str, event: payloads.Json) -> Delivery:
        at = self._workspace.clock().timestamp()
        enterprise = self._origin().team.enterprise
        return await self._dispatch.event(payloads.callback(event, at, owner, enterprise.id if enterprise else None))
