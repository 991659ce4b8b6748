"""All that is about accounts at third parties: Connected Accounts, the My Account API, and Token Vault."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from .accounts import ConnectedAccount
from .connect_pages import CALLBACK, ConnectPages
from .connecting import Connecting
from .connections import Connection, ThirdParty
from .my_account import SCOPES, MyAccount
from .tenant import Tenant
from .token_vault import TokenVaultGrant
from .tokens import Tokens


class Vault:
    """It is there where the tenant has connections; without any, nothing of it is answered."""

    def __init__(self, tenant: Tenant, tokens: Tokens, connections: Sequence[Connection]) -> None:
        parties = {one.name: ThirdParty(one, tenant.state.clock) for one in connections}
        connecting = Connecting(tenant.state)
        self._tenant = tenant
        self._pages = ConnectPages(tenant, connecting, parties)
        self._api = MyAccount(tenant, connecting, {one.name: one for one in connections})
        self._grant = TokenVaultGrant(tenant, tokens, parties)

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        if self._api.connections:
            self._pages.add_to(app)
            self._api.add_to(app)

    def activate(self) -> None:
        """Once the issuer is known: the My Account API is one whose tokens a refresh may ask for."""
        if self._api.connections:
            self._tenant.apis[self._api.audience] = SCOPES

    @property
    def callback_url(self) -> str:
        """Where third parties send the browser back to, to be registered there."""
        return self._tenant.issuer + CALLBACK

    def accounts(self, person: str) -> list[ConnectedAccount]:
        """What somebody has connected, the oldest first."""
        return self._tenant.state.accounts.of(person)

    @property
    def connect_calls(self) -> int:
        """How often an account was to be connected, also in vain."""
        return self._api.connect_calls

    @property
    def complete_calls(self) -> int:
        """How often a connection was to be completed, also in vain."""
        return self._api.complete_calls

    @property
    def exchange_calls(self) -> int:
        """How often a third party's token was asked for, also in vain."""
        return self._grant.calls
