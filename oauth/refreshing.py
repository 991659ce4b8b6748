"""One refresh at a time per link: lease, look again, refresh, save, and only then use.

Auth0 revokes the whole grant when a rotated refresh token is used twice ("Refresh Token Rotation"), so the lease is
in the database and holds across all processes.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from oauth.ending import Endings
from oauth.errors import (
    GrantDead,
    IdentityError,
    NotLinked,
    ProviderUnavailable,
    SealBroken,
    StoreUnavailable,
    WrongOrganization,
)
from oauth.grants import Revoker
from oauth.leasing import SECONDS, Held, Leases
from oauth.minted import Minted
from oauth.models import AccessToken, Clock, Link, LinkEvent, LinkObserver, Pause, Principal, TokenRequest, TokenSet
from oauth.ports import LinkStore
from oauth.provider import Provider
from oauth.retrying import Retries
from oauth.shelf import Shelf
from oauth.vault import Vault
from oauth.verify import Verifier

log = structlog.get_logger(__name__)

_AWAY = timedelta(seconds=5)  # for so long nobody who has a token yet waits for a provider that did not answer
_SAVE_AGAIN = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)


class Refresher:
    """Spends refresh tokens."""

    def __init__(
        self,
        *,
        store: LinkStore,
        vault: Vault,
        shelf: Shelf,
        provider: Provider,
        verifier: Verifier,
        revoker: Revoker,
        observer: LinkObserver,
        clock: Clock,
        audience: str,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """`audience` is the API that a token is asked for where none is needed."""
        self._store = store
        self._vault = vault
        self._shelf = shelf
        self._provider = provider
        self._minted = Minted(verifier)
        self._endings = Endings(store, vault, revoker, observer)
        self._revoker = revoker
        self._observer = observer
        self._clock = clock
        self._plain = TokenRequest(audience, frozenset())
        self._pause = pause
        self._leases = Leases(store)
        self._away_until: datetime | None = None
        self._patiently = Retries(pause)

    async def refresh(
        self, principal: Principal, request: TokenRequest, *, take_over: bool = False
    ) -> AccessToken | None:
        """A new token, or one that another process was first to get; None where the caller has to look again.

        `take_over` where the caller has seen a lease. Raises as `Broker.token` does.
        """
        async with self._leases.hold(principal, take_over=take_over) as held:
            if held is None:
                return None
            # After one that was left the refresh token is spent again, whatever is at hand: while the provider
            # forgives it, this saves the grant.
            try:
                kept = None if held.left else self._shelf.find(held.link, request)
                still_good = self._shelf.find(held.link, request, margin=False)
            except SealBroken as altered:
                await self._record(principal, "token.refused", "denied", reason=altered.code)
                raise
            return kept if kept is not None else await self._renewed(held, request, still_good)

    async def left(self) -> list[Principal]:
        """A hundred at most of those whose refresh was left unsettled. Raises StoreUnavailable."""
        return await self._store.left(SECONDS)

    async def recover(self, principal: Principal) -> None:
        """Refresh what was left, although nobody asks: later the grant may be lost. One attempt, and no entry for it
        where it fails: a round comes every few seconds.

        Raises as `refresh` does.
        """
        async with self._leases.hold(principal, take_over=True) as held:
            if held is None or not held.left:
                return
            try:
                await self._spent(held, self._plain, patient=False)
            except SealBroken:
                held.unsettled = False  # nothing can be saved
                raise

    async def _renewed(self, held: Held, request: TokenRequest, still_good: AccessToken | None) -> AccessToken | None:
        if still_good is not None and self._away_until is not None and self._clock() < self._away_until:
            return still_good
        try:
            return await self._spent(held, request, patient=still_good is None)
        except (NotLinked, GrantDead, WrongOrganization, StoreUnavailable):
            raise  # on record, or beyond it
        except ProviderUnavailable as away:
            self._away_until = self._clock() + _AWAY
            if still_good is not None:
                log.warning("refresh_put_off", reason=away.code)
                return still_good
            await self._record(held.link.principal, "token.refused", "failed", reason=away.code)
            raise
        except IdentityError as refused:
            await self._record(held.link.principal, "token.refused", "denied", reason=refused.code)
            raise

    async def _spent(self, held: Held, request: TokenRequest, *, patient: bool) -> AccessToken | None:
        link = held.link
        refresh_token = self._vault.open(link.sealed_refresh, record=link.record, name="refresh").decode()
        if not held.stands():  # this process was stopped since
            return None
        asked_at = self._clock()

        async def attempt() -> TokenSet:
            return await self._asked(held, refresh_token, request)

        try:
            given = await (self._patiently(attempt, held.stands) if patient else attempt())
        except GrantDead as dead:
            if await self._endings.bury(link, dead, refresh_token):
                held.ended()
                raise
            return None
        if request.connection is not None:
            made = self._minted.connected(request.connection, request, given, asked_at)
        else:
            made = await self._minted.token(link.principal, request, given, asked_at)
        token = None if isinstance(made, IdentityError) else made
        renewed = self._with(link, given, refresh_token, token)
        # Side by side: the provider has made it, whatever becomes of the save, and nobody has it before both are done.
        recording = asyncio.create_task(self._on_record(link.principal, request, token))
        try:
            saved = await self._saved(renewed)
        finally:
            (entry,) = await asyncio.gather(recording, return_exceptions=True)
        if not saved:
            await self._end_if_unlinked(link.principal, given.refresh_token)
            return None
        held.ended()
        if isinstance(made, WrongOrganization):
            await self._endings.expel(renewed, made)
        if isinstance(made, IdentityError):
            raise made
        if entry is not None:
            raise entry
        return made

    async def _asked(self, held: Held, refresh_token: str, request: TokenRequest) -> TokenSet:
        """Ask once. What the provider refuses has spent nothing; what was lost on its way may have."""
        before, held.unsettled = held.unsettled, True
        try:
            if request.connection is None:
                return await self._provider.refresh(refresh_token, scopes=request.scopes, audience=request.audience)
            return await self._provider.connected(refresh_token, connection=request.connection, scopes=request.scopes)
        except IdentityError as problem:
            if not isinstance(problem, ProviderUnavailable) or problem.untouched:
                held.unsettled = before
            raise

    def _with(self, link: Link, given: TokenSet, spent: str, token: AccessToken | None) -> Link:
        """The link with what came."""
        renewed = self._shelf.keep(link, token)
        kept = given.refresh_token or spent
        # Also where it is the same one: what was read before a change of keys must not come back after it.
        if kept == spent and self._vault.current(link.sealed_refresh):
            return renewed
        return replace(renewed, sealed_refresh=self._vault.seal(kept.encode(), record=link.record, name="refresh"))

    async def _saved(self, renewed: Link) -> bool:
        """Save, and try again while the database is away: until it is done the new token is in this process alone."""
        for pause in (*_SAVE_AGAIN, None):
            try:
                if await self._store.save(renewed):
                    return True
                # Or was it this very save, and only its answer got lost?
                there = await self._store.link(renewed.principal.slack)
                return there is not None and _sealed_in(there) == _sealed_in(renewed)
            except StoreUnavailable:
                if pause is None:
                    raise
                await self._pause(pause)
        return False

    async def _end_if_unlinked(self, who: Principal, refresh_token: str | None) -> None:
        """The link ended meanwhile, so the new token must too; or another process was first, and theirs counts."""
        there = await self._store.link(who.slack)
        if there is None or there.principal.version != who.version:
            await self._revoker.discard(refresh_token)
            raise NotLinked

    async def _on_record(self, who: Principal, request: TokenRequest, token: AccessToken | None) -> None:
        if token is not None:
            await self._record(who, "token.refreshed", "ok", scopes=request.scopes, token_jti=token.jti)

    async def _record(
        self,
        who: Principal,
        type_: str,
        outcome: str,
        *,
        reason: str | None = None,
        scopes: frozenset[str] | None = None,
        token_jti: str | None = None,
    ) -> None:
        await self._observer.record(
            LinkEvent(
                type_, outcome, who.slack, who.identity, reason, principal=who, scopes=scopes, token_jti=token_jti
            )
        )


def _sealed_in(link: Link) -> list[str]:
    return [link.sealed_refresh, *(access.sealed for access in link.access)]
