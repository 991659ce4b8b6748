"""Slack's own connect UI: what the block `auth_provider` may hold, and who is connected (docs.slack.dev, "Connection
reporting"; the fields and lengths are those of slack_sdk's AuthProviderBlock).

Slack keeps one state for each person, and the block shows that state wherever the person sees it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from .elements import OVERFLOW, TYPE, plain
from .errors import SlackRefusal
from .schema import Check, Problems, by_type, complain, every, flag, listing, shape, string

KIND = "auth_provider"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PER_MINUTE = 20
_ADDRESSES = ("auth_url", "disconnect_url")

Json = dict[str, Any]


@dataclass
class Connections:
    """`auth_hosts` are those of `features.user_connections` in the app's manifest, `subscribed` says that it hears
    the event `user_connection`, and `of` is who is connected, by person."""

    auth_hosts: frozenset[str] = frozenset()
    subscribed: bool = False
    of: dict[str, bool] = field(default_factory=dict)
    told: deque[datetime] = field(default_factory=deque)

    def declare(self, *hosts: str) -> None:
        """Let the app have what its manifest would give it."""
        self.auth_hosts, self.subscribed = frozenset(hosts), True

    def count(self, now: datetime) -> None:
        """One more update. Raises SlackRefusal `ratelimited` beyond twenty a minute (tier 2)."""
        while self.told and now - self.told[0] >= timedelta(minutes=1):
            self.told.popleft()
        if len(self.told) >= PER_MINUTE:
            left = timedelta(minutes=1) - (now - self.told[0])
            raise SlackRefusal("ratelimited", status=429, retry_after=max(1, round(left.total_seconds())))
        self.told.append(now)

    def problems(self, provider: Json, path: str) -> Problems:
        """What is wrong with the hosts of a provider: each must be a declared one, or below one."""
        found: Problems = []
        for name in _ADDRESSES:
            host = urlsplit(provider.get(name) or "").hostname
            if host and not any(host == known or host.endswith(f".{known}") for known in self.auth_hosts):
                complain(found, "host is not in features.user_connections.auth_hosts", f"{path}/{name}")
        return found


def _address(value: object, path: str, problems: Problems) -> None:
    """HTTPS, as Slack wants it. On this machine alone, where there is no certificate, plain HTTP is taken as well."""
    string(3000)(value, path, problems)
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        fits = parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))
    except ValueError:
        fits = False
    if not fits:
        complain(problems, "must be an HTTPS URL", path)


_REQUIRED: dict[str, Check] = {"value": string(150), "name": plain(75), "is_connected": flag}
_OPTIONAL: dict[str, Check] = {
    "description": plain(150),
    "icon_url": _address,
    "auth_url": _address,
    "disconnect_url": _address,
    "connected_identity": plain(75),
    "connected_context": plain(75),
    "accessory": by_type({"overflow": OVERFLOW}),
}
PROVIDER = shape(_REQUIRED, _OPTIONAL)


def block(inside: Check) -> Check:
    """The block; `inside` checks each block of its `fallback`."""
    more: dict[str, Check] = {"block_id": string(255), "fallback": listing(inside, 1, 10)}
    return every(shape({"type": TYPE, **_REQUIRED}, {**_OPTIONAL, **more}))


def providers(blocks: list[Json] | None) -> list[tuple[int, Json]]:
    """The blocks of this kind, each with its place."""
    return [(place, each) for place, each in enumerate(blocks or []) if each.get("type") == KIND]


def controls(block: Json) -> Iterator[tuple[Json, Json]]:
    """The button that the block draws; its id is made of the provider's name."""
    if block.get("type") == KIND and not block["is_connected"]:
        button = {"type": "button", "action_id": f"{KIND}_connect_{block['value']}", "text": _CONNECT}
        yield block, button | ({"url": block["auth_url"]} if block.get("auth_url") else {})


_CONNECT = {"type": "plain_text", "text": "Connect", "emoji": False}
