"""Who works in the office, what they may ask for, and how they press buttons: with Slack's own signed payloads."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot import config, keyring
from bot.app import build
from bot.approvals.model import Approval, Copy, Origin
from bot.approvals.store import MongoApprovalStore
from bot.audit.store import MongoAuditStore
from bot.bot import Bot
from bot.database import Database, EmbeddedServer, connect
from bot.errors import AuditUnavailable
from bot.runner import Waiting
from bot.sandbox.demo import AUDIENCE, SCOPES, Surroundings, free_ports, surroundings
from bot.sandbox.slack import APP, TEAM, Delivery
from bot.sandbox.slack.dispatch import Dispatch
from bot.sandbox.tenant import Family, Person
from oauth import Identity, LinkVersion, Principal, SlackUser, Subject, Vault, utc_now
from oauth.models import Link
from tests.faults.office.ledger import Ledger

APPROVE, DENY, WITHDRAW = "approval.approve", "approval.deny", "approval.withdraw"
_READ = frozenset(SCOPES)
_TRIES = 5
_ACTION = """
[[action]]
name = "%s"
description = "Pay somebody"
method = "POST"
url = "%s/pay/{payee}"
scopes = ["orders:refund"]
audience = "https://shop.example.com"
idempotent = %s
%s
[action.parameters.payee]
type = "string"
[action.parameters.amount]
type = "integer"
"""


@dataclass(frozen=True, slots=True)
class Office:
    """What is around the replicas. `asker` is a bot of this process that serves nobody and has no rounds."""

    around: Surroundings
    environment: Mapping[str, str]
    database: Database
    ledger: Ledger
    asker: Bot
    people: tuple[Principal, ...]
    store: MongoApprovalStore
    trail: MongoAuditStore

    async def asks(self, who: Principal, action: str, amount: int = 1, origin: Origin | None = None) -> Approval:
        """Somebody asks for a payment; the request with its card posted."""
        values, origin = {"payee": "Bob", "amount": amount}, origin or Origin(request=secrets.token_hex(4))
        for left in reversed(range(_TRIES)):
            try:
                found = await self.asker.runner.run(who, action, values, origin)
                break
            except AuditUnavailable:  # a trail on which others are busy for seconds; whoever hears that asks again
                if not left:
                    raise
        assert isinstance(found, Waiting), found
        kept = await self.store.get(who.slack.workspace, found.approval.id)
        assert kept is not None
        return kept

    async def alike(self, model: Approval, count: int) -> None:
        """So many more requests like this one, each somebody else's, whose cards stand: nothing is to be done soon."""
        copies = tuple(replace(copy, channel=copy.channel or "D0", shown=model.revision) for copy in model.copies)
        for number in range(count):
            user = f"U1{number:06}"
            one = replace(
                model,
                id=secrets.token_hex(12),
                run=secrets.token_hex(16),
                requester=replace(model.requester, user=user),
                sub=f"auth0|{user.lower()}",
                expires_at=utc_now() + timedelta(days=1),
                copies=copies,
            )
            await self.store.add(one)
            await self.store.put_off(one, one.expires_at)

    def replica(self, port: int) -> dict[str, str]:
        """The environment of one more replica."""
        return {**self.environment, "PORT": str(port)}

    @asynccontextmanager
    async def slack_to(self, address: str, wait: float = 10.0) -> AsyncIterator[Dispatch]:
        """Slack, as it sends to this replica; `wait` in seconds for an ack."""
        sending = Dispatch(
            f"{address}/slack/events", self.environment["SLACK_SIGNING_SECRET"], utc_now, wait=wait, pauses=()
        )
        await sending.start()
        try:
            yield sending
        finally:
            await sending.stop()


async def click(sending: Dispatch, who: Principal, approval: Approval, button: str) -> Delivery:
    """Press a button on one's copy of the card."""
    user = who.slack.user
    copy = next((one for one in approval.copies if one.to == user), Copy(approval.copies[0].part, user))
    payload: dict[str, Any] = {
        "type": "block_actions",
        "api_app_id": APP,
        "team": {"id": TEAM, "domain": "sandbox"},
        "user": {"id": user, "username": user.lower(), "team_id": TEAM},
        "container": {"type": "message", "channel_id": copy.channel or "D0", "message_ts": copy.ts or "0.1"},
        "channel": {"id": copy.channel or "D0", "name": "directmessage"},
        "trigger_id": secrets.token_hex(8),
        "actions": [{"type": "button", "block_id": "b", "action_id": button, "value": approval.id}],
    }
    return await sending.interaction(payload)


@asynccontextmanager
async def office(
    directory: Path, people: int, policies: Mapping[str, str], *, idempotent: Sequence[str] = (), delay: float = 0.0
) -> AsyncIterator[Office]:
    """While it is needed: so many linked people, and an action for each policy, in the words of an actions file.

    Those in `idempotent` say so. `delay` in seconds is the service's.
    """
    async with AsyncExitStack() as stack:
        server = EmbeddedServer(directory / "database")
        stack.push_async_callback(server.stop)
        mongo_uri = await server.start()
        around = await stack.enter_async_context(surroundings(directory / "around"))
        ledger = Ledger(delay)
        stack.push_async_callback(ledger.stop)
        url = await ledger.start()
        actions = directory / "actions.toml"
        text = "".join(
            _ACTION % (name, url, str(name in idempotent).lower(), policy) for name, policy in policies.items()
        )
        actions.write_text(text, encoding="utf-8")
        environment = {
            **around.environment,
            "MONGODB_URI": mongo_uri,
            "MONGODB_DATABASE": f"office_{secrets.token_hex(6)}",
            "TOKEN_KEYS": json.dumps(keyring.new_token_keys()),
            "AUDIT_KEY": json.dumps(keyring.new_audit_key()),
            "ACTIONS_FILE": str(actions),
            "LOG_LEVEL": "error",
        }
        settings = config.load(environment)
        client, database = connect(mongo_uri, environment["MONGODB_DATABASE"])
        stack.callback(client.close)
        asker = await build(settings, database)
        stack.push_async_callback(asker.stop)
        await asker.identity.start()
        for store in asker.stores:
            await store.ensure_indexes()
        await asker.workspaces.see_to()
        sealing = Vault(json.loads(environment["TOKEN_KEYS"]))
        linked = [await _linked(around, asker, sealing, number) for number in range(people)]
        kept = MongoApprovalStore(database, sealing)
        yield Office(around, environment, database, ledger, asker, tuple(linked), kept, MongoAuditStore(database))


async def _linked(around: Surroundings, asker: Bot, sealing: Vault, number: int) -> Principal:
    """One more person of the workspace, with a grant of the tenant's behind their link."""
    person = Person(f"p{number:03}", f"Person {number}", f"p{number:03}@example.com")
    slack = around.slack.add_person(f"P{number:03}")
    state = around.tenant.state
    state.people[person.id] = person
    now = state.clock()
    scopes = ("openid", "profile", "email", "offline_access", *SCOPES)
    family = Family(secrets.token_hex(8), person.id, AUDIENCE, scopes, secrets.token_hex(8), now, now)
    state.families[family.id] = family
    user = SlackUser(TEAM, slack.id)
    identity = Identity(around.tenant.issuer, Subject(person.sub), person.email, person.name)
    principal = Principal(user, identity, LinkVersion(secrets.token_hex(12)), _READ, utc_now())
    sealed = sealing.seal(state.next_token(family).encode(), record=f"link:{user.key}", name="refresh")
    await asker.identity.store.add_link(Link(principal, sealed))
    return principal


__all__ = ["APPROVE", "DENY", "WITHDRAW", "Office", "click", "free_ports", "office"]
