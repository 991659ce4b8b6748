"""The tenant as one object: start it, point an application at it, and see what it has granted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.sandbox import icon
from oauth import Clock, utc_now

from .backchannel import Backchannel
from .connections import Connection
from .faults import Endpoint, Fault, Faults, Hold, endpoints_of
from .login import LoginPages
from .logout import Logout
from .mail_page import MailPage
from .mailbox import Mail
from .metadata import Metadata
from .model import ORGANIZATION, PEOPLE, Application, Family, Issued, Lifetimes, OrganizationRules, Passwordless, Person
from .otp import OtpGrant
from .passwordless import PasswordlessLogin
from .second_factor import SecondFactor
from .state import State
from .tenant import Tenant
from .tokens import Tokens
from .vault import Vault

_BODY_LIMIT = 65_536
_ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 – compared with, not bound to


class SandboxTenant:
    """An OpenID provider on this machine that answers as an Auth0 tenant does.

    `data_dir` keeps `tenant.json`; `client_key` is a public JWK, with which private_key_jwt takes the place of the
    secret; `other_apis` are further audiences whose tokens a refresh may ask for (Auth0's multi-resource refresh
    tokens); all `…_seconds` are lifetimes, and `reuse_interval_seconds` is how long a rotated refresh token still
    answers. `issuer_in_response` is Auth0's tenant setting for RFC 9207, off there too unless somebody sets it.
    `connections` are third parties whose accounts can be connected; with any, the My Account API and Token Vault are
    switched on, which needs `rotation` off. `vault.callback_url` is to be registered at them.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        client_id: str,
        client_secret: str,
        audience: str,
        scopes: Sequence[str],
        redirect_uris: Iterable[str] = (),
        logout_uris: Iterable[str] = (),
        backchannel_logout_uri: str | None = None,
        client_name: str = "Countersign",
        client_key: Mapping[str, Any] | None = None,
        other_apis: Mapping[str, Sequence[str]] | None = None,
        people: Sequence[Person] = PEOPLE,
        access_seconds: int = 3_600,
        refresh_seconds: int = 2_592_000,
        idle_seconds: int = 1_296_000,
        reuse_interval_seconds: int = 0,
        rotation: bool = True,
        connections: Sequence[Connection] = (),
        issuer_in_response: bool = False,
        passwordless: Passwordless | None = None,
        clock: Clock = utc_now,
    ) -> None:
        application = Application(
            client_id=client_id,
            secret=client_secret,
            name=client_name,
            redirect_uris=set(redirect_uris),
            logout_uris=set(logout_uris),
            key=client_key,
            backchannel_logout_uri=backchannel_logout_uri,
            rotation=rotation,
        )
        lifetimes = Lifetimes(
            access=access_seconds, refresh=refresh_seconds, idle=idle_seconds, reuse=reuse_interval_seconds
        )
        apis = {name: tuple(of_api) for name, of_api in {**(other_apis or {}), audience: scopes}.items()}
        self.state = State(Path(data_dir) / "tenant.json", tuple(people), lifetimes, clock)
        self._tenant = Tenant(
            application, apis, self.state, passwordless or Passwordless(), issuer_in_response=issuer_in_response
        )
        self._tokens = Tokens(self._tenant)
        self._passwordless = PasswordlessLogin(self._tenant)
        self._otp = OtpGrant(self._tenant, self._tokens)
        self._backchannel = Backchannel(self._tenant, self._tokens)
        self._logout = Logout(self._tenant)
        self._vault = Vault(self._tenant, self._tokens, connections)
        self._faults = Faults(endpoints_of)
        self._runner: web.AppRunner | None = None

    # -- running

    def app(self) -> web.Application:
        """The aiohttp application with every route."""
        app = web.Application(client_max_size=_BODY_LIMIT, middlewares=[self._faults.middleware])
        pages = LoginPages(self._tenant)
        pages.add_to(app)
        SecondFactor(pages).add_to(app)
        self._tokens.add_to(app)
        self._backchannel.add_to(app)
        self._logout.add_to(app)
        self._passwordless.add_to(app)
        Metadata(self._tenant, self._tokens).add_to(app)
        MailPage(self._tenant, self._backchannel).add_to(app)
        self._vault.add_to(app)
        icon.add_to(app)
        return app

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, on a free port for 0; gives the address, without a trailing slash."""
        if not self.state.signer.ready:
            self.rotate_keys()
        await self.state.save()
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=2.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound = self._runner.addresses[0][1]
        shown = "127.0.0.1" if host in _ANYWHERE else host
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{bound}"
        self._tenant.issuer = f"{address}/"
        self._vault.activate()
        return address

    async def stop(self) -> None:
        """Close, with the state written."""
        for hold in self._faults.holds:
            hold.release()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self.state.save()

    @property
    def issuer(self) -> str:
        """As tokens say it: like Auth0's, it ends with a slash."""
        return self._tenant.issuer

    @property
    def application(self) -> Application:
        """The registered application; its addresses may be added to at any time."""
        return self._tenant.application

    @property
    def passwordless(self) -> Passwordless:
        """The connection `email`; it may be changed at any time."""
        return self._tenant.passwordless

    @property
    def organizations(self) -> OrganizationRules:
        """How organizations are kept to; `forge` and `keep` say what refreshed tokens name."""
        return self._tenant.organizations

    @property
    def vault(self) -> Vault:
        """The accounts at third parties, and what was asked about them."""
        return self._vault

    # -- looking

    @property
    def mailbox_url(self) -> str:
        """Where a person reads what was sent, in the demo."""
        return f"{self.issuer}u/mail"

    def mail(self, address: str) -> list[Mail]:
        """What was sent to an address, oldest first."""
        return self.state.mailbox.to(address)

    @property
    def phone_url(self) -> str:
        """Where a person reads the codes that are a second factor, in the demo."""
        return f"{self.issuer}u/phone"

    def phone(self, person: str) -> list[Mail]:
        """What was sent to somebody's phone, oldest first."""
        return self.state.phones.to(person)

    @property
    def backchannel(self) -> Backchannel:
        """What people are asked on their phones, and how they answer."""
        return self._backchannel

    @property
    def grants(self) -> int:
        """How often a code was brought to be exchanged, also in vain."""
        return self._tokens.exchange_calls

    @property
    def refresh_calls(self) -> int:
        """How often a refresh token was used, also in vain."""
        return self._tokens.refresh_calls

    @property
    def revoke_calls(self) -> int:
        """How often revocation was asked for."""
        return self._tokens.revoke_calls

    @property
    def passwordless_calls(self) -> int:
        """How often a mail was asked for, also in vain."""
        return self._passwordless.calls

    @property
    def otp_calls(self) -> int:
        """How often a one-time code was brought to be exchanged, also in vain."""
        return self._otp.calls

    @property
    def issued(self) -> deque[Issued]:
        """The access tokens that were given out, oldest first, without the tokens themselves."""
        return self.state.issued

    def families(self, person: str | None = None, *, ended: bool = False) -> list[Family]:
        """The grants that live, of everybody or of one person; with `ended` those that do not."""
        found = [one for one in self.state.families.values() if self.state.live(one) != ended]
        return [one for one in found if person is None or one.person == person]

    # -- acting as the operator

    async def logout(self, person: str) -> list[int]:
        """End the person's sessions and tell the application; gives the statuses that it answered."""
        return await self._logout.person(person)

    async def revoke_grants(self, person: str) -> int:
        """End all grants of a person, as an administrator does in the dashboard; gives how many."""
        found = self.families(person)
        for family in found:
            self.state.end(family, "administrator")
        await self.state.save()
        return len(found)

    def require_mfa(self, person: str, *, required: bool = True) -> None:
        """Let a one-time code not be enough for somebody from now on: Auth0 asks for a second factor then."""
        self.state.change(replace(self._tenant.person(person), needs_mfa=required))

    def leave_organization(self, person: str, organization: str = ORGANIZATION) -> None:
        """Remove somebody: their grants of the organization live on, but from now on give no token any more."""
        found = self._tenant.person(person)
        left = tuple(one for one in found.organizations if one != organization)
        self.state.change(replace(found, organizations=left))

    def join_organization(self, person: str, organization: str = ORGANIZATION) -> None:
        """Take somebody in, or in again."""
        found = self._tenant.person(person)
        self.state.change(replace(found, organizations=tuple(dict.fromkeys((*found.organizations, organization)))))

    def rotate_keys(self, *, keep_former: bool = True) -> str:
        """Sign with a new key from now on; without `keep_former` what was signed before does not verify any more."""
        kid = self.state.signer.rotate(keep_former=keep_former)
        self.state.changed()
        return kid

    def fail(
        self,
        endpoint: Endpoint,
        *,
        status: int = 503,
        times: int = 1,
        retry_after: int | None = None,
        error: str | None = None,
        lost: bool = False,
    ) -> None:
        """Let the next requests to an endpoint go wrong; with `lost` they are carried out but not answered."""
        self._faults.waiting.append(Fault(endpoint, status, times, retry_after, error, lost))

    def hold(self, endpoint: Endpoint, *, answered: bool = False) -> Hold:
        """Let requests to an endpoint wait until the hold is released; with `answered`, once they are carried out."""
        found = Hold(endpoint, answered)
        self._faults.holds.append(found)
        return found
