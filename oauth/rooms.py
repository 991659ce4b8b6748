"""The package, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from oauth.accounts import AccountRooms, AccountStore, MongoAccountStore, MyAccount
from oauth.broker import Broker
from oauth.ciba import Devices
from oauth.fresh import FreshLinks
from oauth.grants import Revoker
from oauth.keys import SigningKeys
from oauth.linking import Linking
from oauth.links import Links
from oauth.logins import Logins
from oauth.models import (
    Clock,
    LinkObserver,
    Pause,
)
from oauth.own_page.addresses import Network
from oauth.own_page.login import Embedded
from oauth.own_page.passwordless import Passwordless
from oauth.own_page.routes import EmbeddedPages
from oauth.ports import LinkStore
from oauth.provider import Client
from oauth.proving import Proof, Proving
from oauth.questions import Questions
from oauth.refreshing import Refresher
from oauth.resealing import Resealed, Resealer
from oauth.routes import Pages
from oauth.shelf import Shelf
from oauth.site import Site
from oauth.slack_login import SlackLogins, SlackOpenId
from oauth.step_up import MongoStepUpStore, StepUpLogin, StepUpRooms, StepUpStore
from oauth.store import MongoLinkStore
from oauth.vault import Vault
from oauth.verify import Expected, Verifier


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """What this package needs to know. `issuer` is compared to the letter; secrets are left out of `repr`."""

    public_url: str
    issuer: str
    client_id: str
    audience: str
    scopes: tuple[str, ...]
    client_secret: str | None = field(default=None, repr=False)
    client_key: str | None = field(default=None, repr=False)
    organization: str | None = None
    proof: Proof = "auto"
    slack_issuer: str = "https://slack.com"
    slack_client_id: str | None = None
    slack_client_secret: str | None = field(default=None, repr=False)
    embedded_login: bool = False
    trusted_proxies: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class IdentityRooms:
    """The package, put together."""

    linking: Linking
    links: Links
    questions: Questions
    broker: Broker
    refresher: Refresher
    provider: Passwordless
    pages: Pages
    store: LinkStore
    resealer: Resealer
    slack_logins: SlackLogins | None
    accounts: AccountRooms
    step_ups: StepUpRooms
    devices: Devices

    async def start(self) -> None:
        """Create indexes."""
        await self.store.ensure_indexes()
        await self.accounts.start()
        await self.step_ups.start()

    async def recover(self) -> None:
        """The part of a round that cannot wait: what a dead replica was about to lose."""
        await self.broker.recover()

    async def sweep(self) -> None:
        """One periodic round: save what a dead replica was about to lose, and end what is over."""
        await self.recover()
        await self.linking.sweep()
        await self.questions.sweep()
        await self.accounts.sweep()
        await self.step_ups.sweep()

    async def reseal(self) -> Resealed:
        """Seal what these rooms keep under the first key; may be stopped at any point and begun again."""
        return await self.resealer.run()

    async def close(self) -> None:
        """Finish refreshes, then let go of the connections."""
        await self.broker.close()
        await self.provider.close()
        await self.accounts.close()
        await self.step_ups.close()
        if self.slack_logins is not None:
            await self.slack_logins.close()


def build(
    settings: IdentitySettings,
    *,
    database: Any,
    vault: Vault,
    observer: LinkObserver,
    clock: Callable[[], datetime] = utc_now,
    store: LinkStore | None = None,
    provider: Passwordless | None = None,
    account_store: AccountStore | None = None,
    my_account: MyAccount | None = None,
    step_up_store: StepUpStore | None = None,
    step_up_login: StepUpLogin | None = None,
    pause: Pause = asyncio.sleep,
) -> IdentityRooms:
    """Put the rooms together on a database of the driver that `store` knows, or on another store or provider.

    `pause` is how they wait.
    """
    client = Client(
        issuer=settings.issuer,
        client_id=settings.client_id,
        redirect_uri=f"{settings.public_url}/oauth/callback",
        audience=settings.audience,
        scopes=settings.scopes,
        secret=settings.client_secret,
        key=settings.client_key,
        organization=settings.organization,
    )
    provider = provider or Passwordless(client, clock)
    expected = Expected(settings.issuer, settings.client_id, settings.organization)
    verifier = Verifier(expected, SigningKeys(provider.signing_keys, clock), clock)
    store = store or MongoLinkStore(database)
    revoker = Revoker(store, vault, provider, clock)
    slack = _slack_logins(settings, vault, clock)
    shelf = Shelf(vault, clock)
    refresher = Refresher(
        store=store,
        vault=vault,
        shelf=shelf,
        provider=provider,
        verifier=verifier,
        revoker=revoker,
        observer=observer,
        clock=clock,
        audience=settings.audience,
        pause=pause,
    )
    broker = Broker(
        store=store, shelf=shelf, refresher=refresher, observer=observer, audience=settings.audience, pause=pause
    )
    links = Links(
        store=store,
        vault=vault,
        revoker=revoker,
        observer=observer,
        clock=clock,
        tokens=broker,
        audience=settings.audience,
    )
    logins = Logins(
        vault=vault,
        provider=provider,
        verifier=verifier,
        revoker=revoker,
        audience=settings.audience,
        scopes=settings.scopes,
    )
    proving = Proving(
        store=store,
        vault=vault,
        revoker=revoker,
        links=links,
        observer=observer,
        clock=clock,
        proof=settings.proof,
        slack=slack,
    )
    linking = Linking(
        store=store,
        vault=vault,
        logins=logins,
        proving=proving,
        revoker=revoker,
        observer=observer,
        clock=clock,
        public_url=settings.public_url,
        scopes=settings.scopes,
    )
    site = Site(settings.public_url, settings.issuer, slack_issuer=settings.slack_issuer if slack else None)
    embedded = Embedded(
        linking=linking,
        logins=logins,
        provider=provider,
        proving=proving,
        revoker=revoker,
        store=store,
        vault=vault,
        observer=observer,
        clock=clock,
    )
    own_login = EmbeddedPages(embedded, linking, site, settings.trusted_proxies) if settings.embedded_login else None
    pages = Pages(linking, FreshLinks(store, observer, clock), links, verifier, site, own_login)
    accounts = AccountRooms.of(
        account_store or MongoAccountStore(database),
        my_account or MyAccount(MyAccount.client_of(client, settings.public_url), clock),
        links=store,
        tokens=broker,
        verifier=verifier,
        vault=vault,
        observer=observer,
        clock=clock,
        site=site,
    )
    step_ups = StepUpRooms.of(
        step_up_store or MongoStepUpStore(database),
        step_up_login or StepUpLogin(StepUpLogin.client_of(client, settings.public_url), clock),
        links=store,
        verifier=verifier,
        vault=vault,
        observer=observer,
        clock=clock,
        site=site,
    )
    return IdentityRooms(
        linking=linking,
        links=links,
        questions=Questions(store, vault, observer, clock),
        broker=broker,
        refresher=refresher,
        provider=provider,
        pages=pages,
        store=store,
        resealer=Resealer((store, accounts.store, step_ups.store), vault),
        slack_logins=slack,
        accounts=accounts,
        step_ups=step_ups,
        devices=Devices(provider, verifier, clock),
    )


def _slack_logins(settings: IdentitySettings, vault: Vault, clock: Clock) -> SlackLogins | None:
    """Sign in with Slack, where that is the proof."""
    if settings.proof != "slack":
        return None
    client_id = settings.slack_client_id or ""
    slack = SlackOpenId(
        settings.slack_issuer,
        client_id,
        f"{settings.public_url}/oauth/slack",
        clock,
        secret=settings.slack_client_secret,
    )
    keys = SigningKeys(slack.signing_keys, clock)
    return SlackLogins(
        vault=vault, slack=slack, verifier=Verifier(Expected(settings.slack_issuer, client_id), keys, clock)
    )
