"""People, their tokens, and actions that note what is done to them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.actions import Action, ActionResult, Call
from oauth import AccessToken, Identity, Principal, SlackUser, Subject
from oauth.errors import IdentityError, NotLinked, ScopeRefused
from oauth.models import LinkVersion

GRANT = frozenset({"orders:read", "orders:refund"})


def person(name: str, *, scopes: frozenset[str] = GRANT, version: str = "1", team: str = "T1") -> Principal:
    """Somebody with a live link."""
    return Principal(
        slack=SlackUser(team, f"U{name.upper()}"),
        identity=Identity("https://tenant.example.com/", Subject(f"auth0|{name}")),
        version=LinkVersion(version),
        scopes=scopes,
        linked_at=datetime(2030, 1, 1, tzinfo=UTC),
    )


@dataclass
class FakeLinks:
    """Who is linked: `People` for the runner."""

    live: dict[str, Principal] = field(default_factory=dict)
    failing: bool = False

    async def principal(self, slack: SlackUser) -> Principal | None:
        """The live link of a person."""
        if self.failing:
            raise ConnectionError
        return self.live.get(slack.key)

    def link(self, *people: Principal) -> None:
        """They are linked from now on."""
        self.live |= {one.slack.key: one for one in people}

    def unlink(self, who: Principal) -> None:
        """Not any more."""
        self.live.pop(who.slack.key, None)


@dataclass
class FakeTokens:
    """A broker that keeps the broker's rules: the link must be the principal's own, and reach that far."""

    links: FakeLinks
    error: IdentityError | None = None
    given: list[AccessToken] = field(default_factory=list)

    async def token(
        self, principal: Principal, scopes: frozenset[str], audience: str, fresh_for: float = 0.0
    ) -> AccessToken:
        """A token for this person and these scopes."""
        if self.error is not None:
            raise self.error
        if scopes - principal.scopes:
            raise ScopeRefused(scopes - principal.scopes)
        live = await self.links.principal(principal.slack)
        if live is None or live.version != principal.version:
            raise NotLinked
        now = datetime.now(UTC)
        number = len(self.given) + 1
        value = f"canary-{principal.sub}-{number}"
        self.given.append(AccessToken(value, audience, scopes, now, now + timedelta(minutes=5), f"jti-{number}"))
        return self.given[-1]


@dataclass
class Deed:
    """What an action did. `result` is what it answers, an exception is raised; it waits for `gate`, if there is one."""

    result: ActionResult | Exception = field(
        default_factory=lambda: ActionResult(ok=True, text="Refunded.", status=200)
    )
    gate: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[Call] = field(default_factory=list)

    async def __call__(self, call: Call) -> ActionResult:
        """Note the call and answer."""
        self.calls.append(call)
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def action(self, name: str = "refund_order", **changes: Any) -> Action:
        """An action that does this."""
        plain = Action(
            name=name,
            description="Refund one order",
            parameters={"order_id": {"type": "string"}, "amount": {"type": "integer", "minimum": 1}},
            scopes=frozenset({"orders:refund"}),
            audience=None,
            sensitive=True,
            approval="self",
            expires=timedelta(minutes=15),
            idempotent=False,
            definition={"name": name, "version": 1},
            call=self,
        )
        return replace(plain, **changes)
