"""The identity rooms on a store in memory and a provider in memory; everything else is the real thing."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any

import oauth
from oauth import AccessToken, IdentityError, IdentityRooms, IdentitySettings, Principal, SlackProfile, SlackUser, Vault
from oauth.models import Pause
from oauth.proving import Returned
from tests.fakes.account_store import MemoryAccountStore
from tests.fakes.link_store import MemoryLinkStore
from tests.fakes.my_account import FakeMyAccount
from tests.fakes.observer import ListObserver
from tests.fakes.provider import AUDIENCE, CLIENT_ID, ISSUER, SCOPES, FakeProvider
from tests.fakes.step_up_login import FakeStepUpLogin
from tests.fakes.step_up_store import MemoryStepUpStore

PUBLIC_URL = "https://bot.example"
READ, REFUND = (frozenset({scope}) for scope in SCOPES)
ADA = SlackUser("T1", "UADA")
BOB = SlackUser("T1", "UBOB")
ADA_ELSEWHERE = SlackUser("T2", "UADA")
ADA_MAIL, BOB_MAIL, EVE_MAIL = "ada@corp.example", "bob@corp.example", "eve@corp.example"
PEOPLE = {
    ADA: SlackProfile("Corp", "Ada", ADA_MAIL),
    BOB: SlackProfile("Corp", "Bob", BOB_MAIL),
    ADA_ELSEWHERE: SlackProfile("Other", "Ada", ADA_MAIL),
}


def token_keys(*kids: str) -> dict[str, Any]:
    """A key set whose keys differ only in their last byte, one for each name."""
    secret = {kid: base64.urlsafe_b64encode(b"k" * 31 + kid[-1:].encode()).rstrip(b"=").decode() for kid in kids}
    return {"keys": [{"kty": "oct", "kid": kid, "k": value} for kid, value in secret.items()]}


@dataclass
class House:
    """The rooms and what stands around them, with the steps of a login in short."""

    rooms: IdentityRooms
    store: MemoryLinkStore
    provider: FakeProvider
    observer: ListObserver
    vault: Vault
    clock: Any
    account_store: MemoryAccountStore
    my_account: FakeMyAccount
    step_up_store: MemoryStepUpStore
    step_up_login: FakeStepUpLogin

    def replica(self, **settings: Any) -> House:
        """Another process on the same database, provider and clock."""
        beside = {
            "account_store": self.account_store,
            "my_account": self.my_account,
            "step_up_store": self.step_up_store,
            "step_up_login": self.step_up_login,
        }
        return house(self.store, self.provider, self.observer, self.vault, self.clock, **beside, **settings)

    async def start(self, slack: SlackUser = ADA, **how: Any) -> str:
        """The secret of a login link."""
        started = await self.rooms.linking.start(slack, PEOPLE[slack], fresh=how.pop("fresh", True), **how)
        assert started.url is not None
        return started.url.rpartition("/")[2]

    async def sign_in(self, secret: str, email: str, *, browser: str = "browser-1", **how: Any) -> dict[str, Any]:
        """Through the link to the provider and back; the arguments of `returned`."""
        url = await self.rooms.linking.go_on(secret, browser)
        code = self.provider.sign_in(url, email, **how)
        state = str(self.provider.authorized[-1]["state"])
        return {"state": state, "browser": browser, "code": code, "error": None, "iss": None}

    async def return_as(self, slack: SlackUser, email: str, **how: Any) -> Returned:
        """A whole login up to its proof."""
        secret = await self.start(slack)
        return await self.rooms.linking.returned(**await self.sign_in(secret, email, **how))

    async def link(self, slack: SlackUser = ADA, email: str | None = None) -> Principal:
        """A person who is linked."""
        profile_mail = PEOPLE[slack].email
        returned = await self.return_as(slack, email or str(profile_mail))
        if returned.principal is not None:
            return returned.principal
        return await self.rooms.linking.enter_code(slack, str(returned.code))

    def opened(self, slack: SlackUser, name: str) -> Any:
        """A sealed field of the person's ticket."""
        ticket = self.store.kept_tickets[slack.key]
        return json.loads(self.vault.open(getattr(ticket, f"sealed_{name}"), record=ticket.record, name=name))


async def no_pause(seconds: float) -> None:
    """Others come first, and nobody waits."""
    await asyncio.sleep(0)


def house(
    store: Any,
    provider: Any,
    observer: Any,
    vault: Vault,
    clock: Any,
    pause: Pause = no_pause,
    account_store: MemoryAccountStore | None = None,
    my_account: FakeMyAccount | None = None,
    step_up_store: MemoryStepUpStore | None = None,
    step_up_login: FakeStepUpLogin | None = None,
    **settings: Any,
) -> House:
    """Put it together."""
    account_store, my_account = account_store or MemoryAccountStore(), my_account or FakeMyAccount(clock)
    step_up_store, step_up_login = step_up_store or MemoryStepUpStore(), step_up_login or FakeStepUpLogin(clock)
    known = {"public_url": PUBLIC_URL, "issuer": ISSUER, "client_id": CLIENT_ID, "audience": AUDIENCE, "scopes": SCOPES}
    rooms = oauth.build(
        IdentitySettings(**(known | settings)),
        database=None,
        vault=vault,
        observer=observer,
        clock=clock,
        store=store,
        provider=provider,
        account_store=account_store,
        my_account=my_account,  # type: ignore[arg-type]
        step_up_store=step_up_store,
        step_up_login=step_up_login,  # type: ignore[arg-type]
        pause=pause,
    )
    return House(
        rooms, store, provider, observer, vault, clock, account_store, my_account, step_up_store, step_up_login
    )


async def token(home: House, who: Principal, scopes: frozenset[str] = READ, fresh_for: float = 0.0) -> AccessToken:
    """What an action asks for."""
    return await home.rooms.broker.token(who, scopes, AUDIENCE, fresh_for)


async def outcome(home: House, answer: dict[str, object]) -> type[BaseException] | None:
    """What a callback ends in: an error's class, or None for a link or a code."""
    try:
        await home.rooms.linking.returned(**answer)  # type: ignore[arg-type]
    except IdentityError as error:
        return type(error)
    return None
