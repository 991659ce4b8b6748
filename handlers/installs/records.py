"""One installation as it is kept. Its tokens are sealed for their own record and field."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.installation_store import Installation as Granted

from handlers.workspace import Installation
from oauth import Vault

Document = dict[str, Any]
SCHEMA = 1
_TEXTS = ("app", "team", "team_name", "enterprise", "bot", "bot_user", "installed_by")


@dataclass(frozen=True, slots=True)
class Installed:
    """The bot in one workspace, or in a whole Enterprise Grid organization (`org_wide`, then `team` is None).

    `generation` names the tokens in it: it grows with each installation and each rotation. `expires_at` is None where
    tokens are not rotated.
    """

    app: str | None
    team: str | None
    team_name: str | None
    enterprise: str | None
    org_wide: bool
    bot: str | None
    bot_user: str | None
    scopes: tuple[str, ...]
    installed_by: str | None
    installed_at: datetime
    sealed_token: str = field(repr=False)
    sealed_refresh: str | None = field(repr=False, default=None)
    expires_at: datetime | None = None
    generation: int = 1

    @property
    def key(self) -> str:
        """What it is found by: the organization's id if it is for all of that, else the workspace's."""
        return key_of(self.enterprise, self.team, self.org_wide)

    def here(self, team: str | None) -> Installation:
        """What a payload from this workspace meets."""
        home = self.team or team or self.enterprise or ""
        return Installation(home, self.team_name or home, self.bot_user, self.bot, self.app, self.enterprise)

    def token(self, vault: Vault) -> str:
        """The bot's token. Raises SealBroken."""
        return vault.open(self.sealed_token, record=record_of(self.key), name="token").decode()

    def as_bot(self, vault: Vault) -> Bot:
        """In the words of Slack's SDK, with the tokens open. Raises SealBroken."""
        refresh = self.sealed_refresh
        return Bot(
            app_id=self.app,
            enterprise_id=self.enterprise,
            team_id=self.team,
            team_name=self.team_name,
            bot_token=self.token(vault),
            bot_id=self.bot or "",
            bot_user_id=self.bot_user or "",
            bot_scopes=self.scopes,
            bot_refresh_token=refresh and vault.open(refresh, record=record_of(self.key), name="refresh").decode(),
            bot_token_expires_at=int(self.expires_at.timestamp()) if self.expires_at else None,
            is_enterprise_install=self.org_wide,
            installed_at=self.installed_at.timestamp(),
        )


def key_of(enterprise: str | None, team: str | None, org_wide: bool | None) -> str:
    """The key of an installation. Raises ValueError where it names neither."""
    found = enterprise if org_wide else team
    if not found:
        raise ValueError("an installation names a workspace or an organization")
    return found


def installed(granted: Granted | Bot, vault: Vault) -> Installed:
    """What Slack has granted, sealed. Raises ValueError where there is no bot token in it."""
    key = key_of(granted.enterprise_id, granted.team_id, granted.is_enterprise_install)
    if not granted.bot_token:
        raise ValueError("no bot token was granted")
    ends = granted.bot_token_expires_at
    return Installed(
        app=granted.app_id,
        team=None if granted.is_enterprise_install else granted.team_id,
        team_name=granted.team_name or (getattr(granted, "enterprise_name", None) or None),
        enterprise=granted.enterprise_id,
        org_wide=bool(granted.is_enterprise_install),
        bot=granted.bot_id,
        bot_user=granted.bot_user_id,
        scopes=tuple(granted.bot_scopes or ()),
        installed_by=getattr(granted, "user_id", None),
        installed_at=datetime.fromtimestamp(granted.installed_at, UTC),
        sealed_token=vault.seal(granted.bot_token.encode(), record=record_of(key), name="token"),
        sealed_refresh=(
            vault.seal(granted.bot_refresh_token.encode(), record=record_of(key), name="refresh")
            if granted.bot_refresh_token
            else None
        ),
        expires_at=datetime.fromtimestamp(ends, UTC) if ends else None,
    )


def document_of(found: Installed) -> Document:
    """What a new installation sets; the key, the generation and the lease are the store's affair."""
    return {
        **{name: getattr(found, name) for name in _TEXTS},
        "org_wide": found.org_wide,
        "scopes": list(found.scopes),
        "installed_at": found.installed_at,
        **tokens_of(found),
    }


def tokens_of(found: Installed) -> Document:
    """What a rotation sets."""
    return {"token": found.sealed_token, "refresh": found.sealed_refresh, "expires_at": found.expires_at}


def installed_of(found: Document) -> Installed:
    """The installation in a document; fields that a newer replica has added are left alone."""
    return Installed(
        **{name: found.get(name) for name in _TEXTS},
        org_wide=found["org_wide"],
        scopes=tuple(found.get("scopes") or ()),
        installed_at=found["installed_at"],
        sealed_token=found["token"],
        sealed_refresh=found.get("refresh"),
        expires_at=found.get("expires_at"),
        generation=found["generation"],
    )


def record_of(key: str) -> str:
    """The name that an installation's tokens are sealed for."""
    return f"install:{key}"
