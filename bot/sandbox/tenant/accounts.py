"""The vault: which accounts at third parties people have connected, with the tokens that were given for them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .connections import ThirdPartyTokens

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


@dataclass(slots=True)
class ConnectedAccount:
    """An account at a third party; `account` is its id there, `person` the one of ours who connected it."""

    id: str
    person: str
    connection: str
    account: str
    created_at: datetime
    tokens: ThirdPartyTokens = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """As the My Account API shows it; `access_type` is always `offline` there."""
        return {
            "id": self.id,
            "connection": self.connection,
            "access_type": "offline",
            "scopes": list(self.tokens.scopes),
            "created_at": self.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }


class Accounts:
    """Changes happen without awaiting; whoever makes one tells the tenant's state."""

    def __init__(self) -> None:
        self._kept: dict[str, ConnectedAccount] = {}

    def of(self, person: str, connection: str | None = None) -> list[ConnectedAccount]:
        """What somebody has connected, all or at one third party, the oldest first."""
        theirs = [one for one in self._kept.values() if one.person == person]
        return [one for one in theirs if connection in {None, one.connection}]

    def connect(
        self, person: str, connection: str, account: str, tokens: ThirdPartyTokens, now: datetime
    ) -> ConnectedAccount:
        """Keep the tokens of an account; the same account again replaces what was kept of it."""
        found = next((one for one in self.of(person, connection) if one.account == account), None)
        name = found.id if found is not None else f"cac_{''.join(secrets.choice(_LETTERS) for _ in range(22))}"
        self._kept.pop(name, None)
        self._kept[name] = ConnectedAccount(name, person, connection, account, now, tokens)
        return self._kept[name]

    def holds(self, account: ConnectedAccount) -> bool:
        """Whether it is still connected, and not connected anew since."""
        return self._kept.get(account.id) is account

    def remove(self, person: str, name: str) -> bool:
        """Forget one with its tokens, if it is this person's. The third party is not told, as Auth0 does not."""
        found = self._kept.get(name)
        if found is None or found.person != person:
            return False
        del self._kept[name]
        return True

    def snapshot(self) -> list[dict[str, Any]]:
        """What has to be kept. The tokens are in it as they are, since they must be given out again."""
        return [
            {
                "id": one.id,
                "person": one.person,
                "connection": one.connection,
                "account": one.account,
                "created_at": one.created_at.isoformat(),
                "access_token": one.tokens.access_token,
                "refresh_token": one.tokens.refresh_token,
                "scopes": list(one.tokens.scopes),
                "expires_at": one.tokens.expires_at.isoformat(),
            }
            for one in self._kept.values()
        ]

    def restore(self, kept: Sequence[Mapping[str, Any]], people: Mapping[str, object]) -> None:
        """Take what `snapshot` gave, of people who are still there. Raises KeyError, TypeError or ValueError."""
        for fields in kept:
            tokens = ThirdPartyTokens(
                access_token=fields["access_token"],
                refresh_token=fields["refresh_token"],
                scopes=tuple(fields["scopes"]),
                expires_at=datetime.fromisoformat(fields["expires_at"]),
            )
            created_at = datetime.fromisoformat(fields["created_at"])
            named = (fields["id"], fields["person"], fields["connection"], fields["account"])
            if fields["person"] in people:
                self._kept[fields["id"]] = ConnectedAccount(*named, created_at, tokens)
