"""One workspace as a test or a person sees it: act as the people in it, and look at what is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .chat import place
from .dispatch import Delivery
from .gestures import Gestures, Submission
from .lifecycle import Lifecycle
from .model import View
from .people import Person
from .state import Found, Workspace
from .team import Team


class SandboxWorkspace:
    """What can be done in `team`. The workspaces of one organization share people, channels and messages."""

    def __init__(self, team: Team, workspace: Workspace, gestures: Gestures, lifecycle: Lifecycle) -> None:
        self.team = team
        self.workspace = workspace
        self.gestures = gestures
        self._lifecycle = lifecycle

    # -- people

    async def command(self, user: str, text: str, channel: str = "C0GENERAL") -> Delivery:
        """Type `/agent status`; gives what the bot answered within the deadline."""
        return await self.gestures.command(user, text, channel)

    async def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Post as a person, in Slack's markup (`<@U0BOT> …`); gives the ts."""
        return await self.gestures.say(user, channel, text, thread_ts)

    async def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: object = None,
    ) -> Delivery:
        """Use a control of a message that this person sees. Raises NoSuchThing."""
        return await self.gestures.click(user, channel, ts, action_id, block_id=block_id, value=value)

    async def click_view(self, user: str, view_id: str, action_id: str, *, value: object = None) -> Delivery:
        """Use a control of a modal or of the Home tab."""
        return await self.gestures.click_view(user, view_id, action_id, value=value)

    async def submit(self, user: str, view_id: str, values: Mapping[str, Any]) -> Submission:
        """Submit a modal: `{block_id: value}`, or `{block_id: {action_id: value}}`."""
        return await self.gestures.submit(user, view_id, values)

    async def close(self, user: str, view_id: str, *, cleared: bool = False) -> Delivery | None:
        """Close a modal without submitting it."""
        return await self.gestures.close(user, view_id, cleared=cleared)

    async def open_home(self, user: str, tab: str = "home") -> Delivery | None:
        """Look at the app's Home tab; the event goes to the bot."""
        return await self.gestures.open_home(user, tab)

    def add_person(self, name: str, *, email: str | None = None, **more: Any) -> Person:
        """Let somebody else in; `more` are fields of Person: `guest="single"`, `confirmed=False`, `team="T0OTHER"` for
        somebody of another workspace in the shared channels, with `stranger=True` beside it for one in no channel.
        """
        handle = name.lower()
        address = email or f"{handle}@example.com"
        person = Person(f"U0{name.upper()}", handle, name, address, **{"team": self.team.id, **more})
        return self.workspace.admit(person)

    async def change_person(self, user: str, **fields: Any) -> Delivery:
        """Change fields of Person, e.g. `email`; the app hears of it by `user_change`."""
        return await self._lifecycle.change(user, **fields)

    async def deactivate(self, user: str) -> Delivery:
        """Deactivate an account: users.info says `deleted`, conversations.open `user_disabled`, and `user_change` is
        sent."""
        return await self._lifecycle.change(user, deleted=True)

    async def reactivate(self, user: str) -> Delivery:
        """Undo that; `user_change` is sent again."""
        return await self._lifecycle.change(user, deleted=False)

    # -- the app

    async def uninstall(self) -> tuple[Delivery, Delivery]:
        """Remove the app: its token is dead (`account_inactive`), then `tokens_revoked` and `app_uninstalled` are sent.

        Where only the organization has the app, it is removed from the whole organization. Raises NoSuchThing where
        it is not installed.
        """
        return await self._lifecycle.uninstall()

    async def revoke_tokens(self) -> Delivery:
        """Revoke the bot's token: it is dead (`token_revoked`), then `tokens_revoked` is sent. Raises NoSuchThing."""
        return await self._lifecycle.revoke_tokens()

    # -- looking

    def dm(self, user: str) -> str:
        """The channel of this person's direct messages with the app."""
        return place(self.workspace, self.workspace.person(user).id).id

    def messages(self, channel: str, viewer: str | None = None) -> list[dict[str, Any]]:
        """What is in a channel, oldest first, in Slack's shape with `channel` and `ephemeral` added.

        Ephemerals are there only for the `viewer` who sees them.
        """
        who = self.workspace.person(viewer).id if viewer else None
        seen = self.workspace.seen(self.workspace.channel(channel).id, who)
        return [m.as_slack(self.team) | {"channel": m.channel, "ephemeral": m.only_for is not None} for m in seen]

    def view_for(self, user: str) -> dict[str, Any] | None:
        """The modal that this person has in front of them, with `errors` and `trouble` as shown; or None."""
        stack = self.workspace.stacks.get(self.workspace.person(user).id, [])
        return self._shown(stack[-1]) if stack else None

    def home_for(self, user: str) -> dict[str, Any] | None:
        """What was published to this person's Home tab; or None."""
        home = self.workspace.homes.get(self.workspace.person(user).id)
        return self._shown(home) if home else None

    async def until(self, predicate: Callable[[], Found | None], timeout: float = 5.0) -> Found:
        """What `predicate` returns once that is true; asked again at every change, never by polling.

        Raises TimeoutError after `timeout` seconds.
        """
        return await self.workspace.until(predicate, timeout)

    def _shown(self, view: View) -> dict[str, Any]:
        return view.as_slack(self.team) | {"errors": view.errors, "trouble": view.trouble}
