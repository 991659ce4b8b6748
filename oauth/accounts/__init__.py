"""A person's account at a third party, connected through the provider: Auth0 keeps its tokens in the Token Vault.

(Auth0, "Connected Accounts for Token Vault".) As with a login link, whoever holds a link can do nothing with it
alone: the browser must first show, by a login, that it is the linked person's.
"""

from __future__ import annotations

from dataclasses import dataclass

from oauth.accounts.asking import Accounts
from oauth.accounts.flow import Connecting
from oauth.accounts.my_account import MyAccount
from oauth.accounts.ports import AccountStore, Tokens
from oauth.accounts.routes import AccountPages
from oauth.accounts.store import MongoAccountStore
from oauth.accounts.words import words_for
from oauth.models import Clock, LinkObserver
from oauth.ports import LinkStore
from oauth.site import Site
from oauth.vault import Vault
from oauth.verify import Verifier

__all__ = ["AccountPages", "AccountRooms", "AccountStore", "Accounts", "MongoAccountStore", "MyAccount"]


@dataclass(frozen=True, slots=True)
class AccountRooms:
    """This package, put together: what Slack's side asks for, and the pages."""

    asking: Accounts
    connecting: Connecting
    pages: AccountPages
    store: AccountStore
    provider: MyAccount

    @classmethod
    def of(
        cls,
        store: AccountStore,
        provider: MyAccount,
        *,
        links: LinkStore,
        tokens: Tokens,
        verifier: Verifier,
        vault: Vault,
        observer: LinkObserver,
        clock: Clock,
        site: Site,
    ) -> AccountRooms:
        """Put the rooms together. `tokens` gives the one for the provider's own API, and `site` is of its logins."""
        connecting = Connecting(
            store=store,
            links=links,
            tokens=tokens,
            provider=provider,
            verifier=verifier,
            vault=vault,
            observer=observer,
            clock=clock,
        )
        asking = Accounts(
            store=store, links=links, vault=vault, observer=observer, clock=clock, public_url=site.public_url
        )
        pages = AccountPages(connecting, site.at("connect", words_for))
        return cls(asking, connecting, pages, store, provider)

    async def start(self) -> None:
        """Create indexes."""
        await self.store.ensure_indexes()

    async def sweep(self) -> None:
        """One periodic round: what waits for an account that is connected, and what is over."""
        await self.asking.sweep()

    async def close(self) -> None:
        """Let go of the connections."""
        await self.provider.close()
