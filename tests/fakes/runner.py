"""People, their tokens, and actions that note what is done to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot import keyring
from bot.actions import Action, ActionResult, Call, Registry
from bot.actions.policy import Policy
from bot.approvals import Approval, Origin, Verdict
from bot.approvals.approvers import Approvers
from bot.approvals.devices import Devices
from bot.approvals.service import ApprovalService
from bot.audit.writer import AuditWriter
from bot.habits import Habits
from bot.receipts import Receipts
from bot.runner import Runner, Waiting
from bot.signing import Signer
from bot.work import Works
from oauth import AccessToken, Identity, Principal, SlackUser, Subject
from oauth.errors import AccountNotConnected, IdentityError, NotLinked, ScopeRefused
from oauth.models import LinkVersion
from tests.conftest import HandClock
from tests.fakes.approvals import FakeCards, FakeGroups, MemoryApprovalStore
from tests.fakes.audit import MemoryAuditStore
from tests.fakes.histories import MemoryHistoryStore

_POLICY = {field.name for field in fields(Policy)} | {"approval"}
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
    gone: list[tuple[SlackUser, LinkVersion]] = field(default_factory=list)
    failing: bool = False

    async def principal(self, slack: SlackUser) -> Principal | None:
        """The live link of a person."""
        if self.failing:
            raise ConnectionError
        return self.live.get(slack.key)

    async def versions(self, people: Iterable[SlackUser]) -> dict[str, LinkVersion]:
        """Of those who are linked."""
        if self.failing:
            raise ConnectionError
        return {one.key: self.live[one.key].version for one in people if one.key in self.live}

    async def ended(self, since: datetime) -> list[tuple[SlackUser, LinkVersion]]:
        """Whose links have ended; this fake forgets nobody."""
        if self.failing:
            raise ConnectionError
        return list(self.gone)

    def link(self, *people: Principal) -> None:
        """They are linked from now on; a former link of theirs ends."""
        self.gone += [(one.slack, self.live[one.slack.key].version) for one in people if one.slack.key in self.live]
        self.live |= {one.slack.key: one for one in people}

    def unlink(self, who: Principal) -> None:
        """Not any more."""
        self.gone.append((who.slack, who.version))
        self.live.pop(who.slack.key, None)


@dataclass
class FakeTokens:
    """A broker that keeps the broker's rules: the link must be the principal's own, and reach that far.

    While `lasting` holds, the last token is good yet and given again.
    """

    links: FakeLinks
    error: IdentityError | None = None
    given: list[AccessToken] = field(default_factory=list)
    accounts: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    reaches: dict[str, frozenset[str]] = field(default_factory=dict)
    fresh_for: list[float] = field(default_factory=list)
    lasting: bool = False

    async def token(
        self, principal: Principal, scopes: frozenset[str], audience: str, fresh_for: float = 0.0
    ) -> AccessToken:
        """A token for this person and these scopes; `reaches` are those of other APIs, by the provider's policies."""
        self.fresh_for.append(fresh_for)
        if self.error is not None:
            raise self.error
        missing = scopes - self.reaches.get(audience, principal.scopes)
        if missing:
            raise ScopeRefused(missing)
        return await self._given(principal, scopes, audience)

    async def connected(
        self, principal: Principal, connection: str, scopes: frozenset[str], fresh_for: float = 0.0
    ) -> AccessToken:
        """A third party's token, where `accounts` says that the person's account there has been connected for it."""
        if self.error is not None:
            raise self.error
        allowed = self.accounts.get((principal.sub, connection))
        if allowed is None or not scopes <= allowed:
            raise AccountNotConnected(connection, scopes)
        return await self._given(principal, scopes, f"connection:{connection}")

    async def _given(self, principal: Principal, scopes: frozenset[str], audience: str) -> AccessToken:
        live = await self.links.principal(principal.slack)
        if live is None or live.version != principal.version:
            raise NotLinked
        if self.lasting and self.given:
            return self.given[-1]
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
        """An action that does this; `approval` and what else a policy says may be among the changes."""
        plain = Action(
            name=name,
            description="Refund one order",
            parameters={"order_id": {"type": "string"}, "amount": {"type": "integer", "minimum": 1}},
            scopes=frozenset({"orders:refund"}),
            audience=None,
            sensitive=True,
            policy=Policy("self"),
            idempotent=False,
            definition={"name": name, "version": 1},
            call=self,
        )
        given = {"kind" if name == "approval" else name: changes.pop(name) for name in _POLICY & changes.keys()}
        return replace(plain, policy=replace(plain.policy, **given), **changes)


AUDIT_KEY = keyring.new_audit_key()
ORIGIN = Origin("C1", None, "1700000000.000100")


class Pauses:
    """Waiting that takes no time: it notes how long, and lets everything else go on."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Others go first."""
        self.taken.append(seconds)
        await asyncio.sleep(0)


async def forever(_: float) -> None:
    """Waiting that never ends: for hearts that are not what a test is about."""
    await asyncio.Event().wait()


@dataclass(frozen=True)
class Replica:
    """One process."""

    runner: Runner
    approvals: ApprovalService
    cards: FakeCards


@dataclass
class World:
    """One database, one Slack, people, and as many replicas as are asked for."""

    clock: HandClock
    store: MemoryApprovalStore = field(default_factory=MemoryApprovalStore)
    audit: MemoryAuditStore = field(default_factory=MemoryAuditStore)
    cards: FakeCards = field(default_factory=FakeCards)
    groups: FakeGroups = field(default_factory=FakeGroups)
    histories: MemoryHistoryStore = field(default_factory=MemoryHistoryStore)
    links: FakeLinks = field(default_factory=FakeLinks)
    deed: Deed = field(default_factory=Deed)
    actions: list[Action] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = FakeTokens(self.links)
        self.actions = self.actions or [self.deed.action()]
        self.ada, self.bob = person("ada"), person("bob")
        self.links.link(self.ada, self.bob)
        self.here = self.replica()

    def replica(
        self,
        actions: list[Action] | None = None,
        pause: Callable[[float], Awaitable[None]] = forever,
        longest: float = 60.0,
        patience: float = 10.0,
        cards: FakeCards | None = None,
        works: Works | None = None,
        devices: Devices | None = None,
    ) -> Replica:
        """One more process on the same database."""
        writer = AuditWriter(self.audit, AUDIT_KEY, self.clock)
        cards = cards or self.cards
        groups = Approvers(self.groups)
        approvals = ApprovalService(self.store, writer, cards, groups, self.clock, patience=patience, devices=devices)
        runner = Runner(
            registry=Registry(self.actions if actions is None else actions),
            tokens=self.tokens,
            people=self.links,
            audit=writer,
            approvals=approvals,
            store=self.store,
            habits=Habits(self.histories),
            receipts=Receipts(Signer(AUDIT_KEY), "https://bot.example.com", self.clock),
            audience="https://api.example.com",
            clock=self.clock,
            longest=longest,
            pause=pause,
            works=works,
            devices=devices,
        )
        return Replica(runner, approvals, cards)

    async def asked(
        self, who: Principal | None = None, name: str = "refund_order", raw: dict[str, Any] | None = None
    ) -> Approval:
        """Somebody asks for a sensitive action."""
        values = {"order_id": "A-1", "amount": 5} if raw is None else raw
        waiting = await self.here.runner.run(who or self.ada, name, values, ORIGIN)
        assert isinstance(waiting, Waiting)
        return waiting.approval

    async def approved(self, **changes: Any) -> Approval:
        """Asked for and agreed to, noted down as on record, and not yet begun."""
        approval = await self.asked(**changes)
        who = self.links.live[approval.requester.key]
        decided = await self.here.approvals.decide(who, approval.id, Verdict.APPROVE)
        await self.store.audited(decided)
        return decided

    def at_rest(self, approval: Approval) -> Approval:
        """The request as it is in the database."""
        return self.store.now(approval)
