"""Where the app is installed, and the bot tokens that this gave it (docs.slack.dev, "Installing with OAuth", "Using
token rotation").

An owner is a workspace, or an organization whose workspaces share one installation.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import SlackRefusal
from .state import Clock
from .team import Team

ROTATED_SECONDS = 43_200
LIVE_TOKENS = 2


@dataclass
class Installation:
    """`scopes` add up over repeated installs; `installer` is the person who agreed."""

    owner: str
    scopes: tuple[str, ...]
    installer: str = ""


@dataclass
class Token:
    """A bot token. `expires` is in seconds since 1970; `ended` is the error with which it is refused."""

    value: str = field(repr=False)
    owner: str
    expires: float | None = None
    ended: str = ""
    given: bool = False


@dataclass(frozen=True)
class Issued:
    """What an install or a refresh hands out; without rotation the token alone."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None


class Installations:
    """All of them. `changed` is called after each change."""

    def __init__(self, clock: Clock, changed: Callable[[], None] = lambda: None) -> None:
        self.installed: dict[str, Installation] = {}
        self._tokens: dict[str, Token] = {}
        # A used one is gone: it is refused like one that never was.
        self._refreshes: dict[str, str] = {}
        self._clock = clock
        self._changed = changed

    def adopt(self, owner: str, token: str, scopes: Sequence[str]) -> None:
        """Take a token from outside for an installation that is simply there; it never expires, and is not kept."""
        self.installed[owner] = Installation(owner, tuple(scopes))
        self._tokens[token] = Token(token, owner, given=True)

    def org_wide(self, team: Team) -> bool:
        """Whether the app is in this workspace only because its organization has it."""
        return team.id not in self.installed and team.enterprise is not None and team.home in self.installed

    def owner_at(self, team: Team) -> str | None:
        """The owner of the installation that serves this workspace; None where there is none."""
        return next((owner for owner in (team.id, team.home) if owner in self.installed), None)

    def install(self, owner: str, scopes: Sequence[str], installer: str, *, rotates: bool) -> Issued:
        """Install, or install again. Without rotation a token that still works stays the one token."""
        former = self.installed.get(owner)
        every = (*former.scopes, *scopes) if former else scopes
        self.installed[owner] = Installation(owner, tuple(dict.fromkeys(every)), installer)
        live = [t for t in self._live(owner) if t.expires is None]
        if live and not rotates:
            self._changed()
            return Issued(live[0].value)
        return self._issue(owner, rotates=rotates)

    def refresh(self, token: str) -> tuple[Installation, Issued]:
        """Spend a refresh token. Raises SlackRefusal `invalid_refresh_token`."""
        owner = self._refreshes.pop(token, None)
        if owner is None:
            raise SlackRefusal("invalid_refresh_token")
        return self.installed[owner], self._issue(owner, rotates=True)

    def admit(self, token: str) -> Installation:
        """Whose token this is. SlackRefusal `invalid_auth`, `token_expired`, `token_revoked`, `account_inactive`."""
        found = self._tokens.get(token)
        if found is None:
            raise SlackRefusal("invalid_auth")
        if found.ended:
            raise SlackRefusal(found.ended)
        if found.expires is not None and self._clock().timestamp() >= found.expires:
            raise SlackRefusal("token_expired")
        return self.installed[found.owner]

    def end(self, owner: str, error: str) -> None:
        """Take everything back: from now on its tokens are refused with this error, and nothing refreshes them."""
        del self.installed[owner]
        for token in self._live(owner):
            token.ended = error
        self._refreshes = {token: of for token, of in self._refreshes.items() if of != owner}
        self._changed()

    def _live(self, owner: str) -> list[Token]:
        return [token for token in self._tokens.values() if token.owner == owner and not token.ended]

    def _issue(self, owner: str, *, rotates: bool) -> Issued:
        secret = f"{secrets.randbelow(10**12)}-{secrets.token_urlsafe(24)}"
        issued = Issued(f"xoxb-{secret}")
        if rotates:
            issued = Issued(f"xoxe.xoxb-1-{secret}", f"xoxe-1-{secrets.token_urlsafe(96)}", ROTATED_SECONDS)
            self._refreshes[str(issued.refresh_token)] = owner
        now = self._clock().timestamp()
        expires = now + issued.expires_in if issued.expires_in else None
        self._tokens[issued.access_token] = Token(issued.access_token, owner, expires)
        # One that was refreshed early goes on beside its successor, and no more than that one.
        expiring = [token for token in self._live(owner) if token.expires is not None]
        for token in expiring[:-LIVE_TOKENS]:
            token.ended = "token_revoked"
        self._changed()
        return issued

    # -- to and from the file

    def snapshot(self) -> dict[str, Any]:
        """All that outlives a restart; not the tokens that were given from outside."""
        kept = [token for token in self._tokens.values() if not token.given]
        owners = {token.owner for token in kept}
        return {
            "installed": [asdict(each) for owner, each in self.installed.items() if owner in owners],
            "tokens": [asdict(token) for token in kept],
            "refreshes": self._refreshes,
        }

    def restore(self, found: dict[str, Any]) -> None:
        """Take over what snapshot() gave. Raises ValueError, with nothing changed, for anything else."""
        try:
            installed = [Installation(e["owner"], tuple(e["scopes"]), e["installer"]) for e in found["installed"]]
            tokens = [Token(**token) for token in found["tokens"]]
            refreshes = dict(found["refreshes"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("no installations") from error
        self.installed = {each.owner: each for each in installed}
        self._tokens = {token.value: token for token in tokens}
        self._refreshes = refreshes
