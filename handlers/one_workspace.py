"""One workspace, with the bot token of the settings: learnt from Slack at start (auth.test, bots.info)."""

from __future__ import annotations

from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ConfigurationError
from handlers.workspace import Installation, NotInstalled, NotKnownYet, reason_of
from oauth import SlackUser

log = structlog.get_logger(__name__)

_WRONG_TOKEN = {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission"}


class OneWorkspace:
    """What is known of the installation; `installed` is None until Slack has answered."""

    def __init__(self, client: AsyncWebClient, app: str | None = None) -> None:
        """`app` is the app's id where the settings tell it, as an app-level token does."""
        self._client = client
        self._app = app
        self.installed: Installation | None = None

    @property
    def known(self) -> bool:
        """Whether payloads can be told apart yet."""
        return self.installed is not None

    async def find(self, team: str | None, enterprise: str | None) -> Installation | None:
        """Ours, if the payload is of this workspace. Raises NotKnownYet."""
        if self.installed is None:
            raise NotKnownYet
        return self.installed if self.installed.holds(team, enterprise) else None

    async def client(self, slack: SlackUser) -> AsyncWebClient:
        """The one client. Raises NotInstalled for somebody of another workspace, linked under another token."""
        if self.installed is not None and slack.workspace != self.installed.person("").workspace:
            raise NotInstalled
        return self._client

    async def name(self, slack: SlackUser) -> str:
        """The workspace's name, or the id by which the person's payload calls it."""
        return self.installed.team_name if self.installed else slack.team

    async def ensure_indexes(self) -> None:
        """Nothing is kept."""

    async def see_to(self) -> None:
        """Ask Slack who we are (auth.test, bots.info), unless that is known.

        Raises ConfigurationError where the token is wrong. Where Slack does not answer, the next round asks again.
        """
        if self.installed is not None:
            return
        try:
            found: Any = (await self._client.auth_test()).data
        except SlackApiError as refusal:
            error = str(reason_of(refusal))
            if error in _WRONG_TOKEN:
                raise ConfigurationError(
                    [f"SLACK_BOT_TOKEN: Slack does not accept it ({error}). Copy it anew from the app's settings."]
                ) from None
            log.warning("slack_away", error=error)
            return
        except Exception as error:  # whatever the network does; the next round tries again
            log.warning("slack_away", kind=type(error).__name__)
            return
        team = found.get("team_id") if isinstance(found, dict) else None
        if not isinstance(team, str) or not team:
            log.warning("slack_away", error="auth.test names no workspace")
            return
        self.installed = Installation(
            team=team,
            team_name=found.get("team") or team,
            bot_user=found.get("user_id"),
            bot=found.get("bot_id"),
            app=self._app or found.get("app_id") or await self._app_of(found.get("bot_id")),
            enterprise=found.get("enterprise_id") or None,
        )

    async def _app_of(self, bot: str | None) -> str | None:
        try:
            found: Any = (await self._client.bots_info(bot=bot)).data
        except Exception as error:  # an answer that is nice to have: the signature already names the app
            log.warning("app_id_unknown", kind=type(error).__name__)
            return None
        app = found.get("bot", {}).get("app_id")
        return app if isinstance(app, str) else None
