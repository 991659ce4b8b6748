"""One refresh at a time per link: lease, look again, refresh, save, and only then use.

Auth0 revokes the whole grant when a rotated refresh token is used twice ("Refresh Token Rotation"), so the lease is
in the database and holds across all processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from oauth.errors import (
    GrantDead,
    GrantRefused,
    IdentityError,
    NotLinked,
    ProviderUnavailable,
    ScopeRefused,
    SealBroken,
    StoreUnavailable,
    TokenInvalid,
    WrongOrganization,
)
from oauth.grants import Revoker
from oauth.models import AccessToken, Clock, Link, LinkEvent, LinkObserver, Principal, TokenSet
from oauth.ports import LinkStore
from oauth.provider import IDENTITY_SCOPES, Provider
from oauth.shelf import Shelf
from oauth.vault import Vault
from oauth.verify import Nonce, Verifier

LEASE = timedelta(seconds=15)  # longer than a call to the provider may take
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
        save_again: tuple[float, ...] = _SAVE_AGAIN,
    ) -> None:
        """`save_again`: the pauses, in seconds, between attempts to save what the provider gave."""
        self._store = store
        self._vault = vault
        self._shelf = shelf
        self._provider = provider
        self._verifier = verifier
        self._revoker = revoker
        self._observer = observer
        self._clock = clock
        self._save_again = save_again

    async def refresh(
        self, principal: Principal, scopes: frozenset[str], audience: str, fresh_for: float
    ) -> AccessToken | None:
        """A new token, or one that another process was first to get; None where the caller has to look again.

        Raises as `Broker.token` does.
        """
        owner, now = secrets.token_hex(8), self._clock()
        link = await self._store.lease(principal, owner, now, now + LEASE)
        if link is None:
            return None
        try:
            kept = self._shelf.find(link, scopes, audience, fresh_for)
            return kept if kept is not None else await self._spend(link, scopes, audience)
        except (NotLinked, GrantDead, WrongOrganization, StoreUnavailable):
            raise  # on record, or beyond it
        except IdentityError as refused:
            outcome = "failed" if isinstance(refused, ProviderUnavailable) else "denied"
            await self._record("token.refused", outcome, principal, refused.code)
            raise
        finally:
            with contextlib.suppress(StoreUnavailable):  # then the lease ends by itself
                await self._store.release(principal, owner)

    async def _spend(self, link: Link, scopes: frozenset[str], audience: str) -> AccessToken | None:
        who = link.principal
        record = f"link:{who.slack.key}"
        refresh_token = self._vault.open(link.sealed_refresh, record=record, name="refresh").decode()
        asked_at = self._clock()
        try:
            given = await self._provider.refresh(refresh_token, scopes=scopes, audience=audience)
        except GrantDead as dead:
            if await self._bury(link, dead):
                if isinstance(dead, GrantRefused):
                    await self._revoker.discard(refresh_token)
                raise
            return None
        token, problem = await self._checked(who, given, scopes, audience, asked_at)
        renewed = self._shelf.keep(link, token)
        kept = given.refresh_token or refresh_token
        # Also where it is the same one: what was read before a change of keys must not come back after it.
        if kept != refresh_token or not self._vault.current(link.sealed_refresh):
            renewed = replace(renewed, sealed_refresh=self._vault.seal(kept.encode(), record=record, name="refresh"))
        if not await self._saved(renewed):
            await self._end_if_unlinked(who, given.refresh_token)
            return None
        if isinstance(problem, WrongOrganization):
            await self._expel(renewed, problem)
        if token is None:
            raise problem
        await self._record("token.refreshed", "ok", who, None, scopes, token.jti)
        return token

    async def _checked(
        self, who: Principal, given: TokenSet, asked: frozenset[str], audience: str, asked_at: datetime
    ) -> tuple[AccessToken | None, IdentityError]:
        """The token if it is for whom, for what and for no more than was asked; else why not.

        It never raises: what comes with the token has to be saved in any case.
        """
        try:
            claims = await self._verifier.access_token(given.access_token, audience_=audience, sub=who.sub)
            await self._same_person(who, given)
        except IdentityError as problem:
            return None, problem
        granted = given.granted(claims)
        if asked - granted:
            return None, ScopeRefused(asked - granted)
        # A provider may repeat the identity scopes of the login; they open nothing at an API.
        if granted - asked - frozenset(IDENTITY_SCOPES):
            return None, TokenInvalid("scope")
        jti = claims.get("jti") if claims is not None else None
        expires_at = asked_at + timedelta(seconds=given.expires_in)
        token = AccessToken(
            given.access_token, audience, asked, asked_at, expires_at, jti if isinstance(jti, str) else None
        )
        return token, TokenInvalid("none")

    async def _same_person(self, who: Principal, given: TokenSet) -> None:
        """An ID token that comes with a refresh is of the same person (OpenID Connect Core section 12.2)."""
        if given.id_token is None:
            return
        signed_in = await self._verifier.id_token(given.id_token, nonce=Nonce.LONG_AGO)
        if signed_in.identity.sub != who.sub:
            raise TokenInvalid("sub")

    async def _expel(self, renewed: Link, problem: WrongOrganization) -> None:
        """Whoever is no member of the organization any more is not linked any more."""
        who = renewed.principal
        await self._record("token.refused", "denied", who, problem.code)
        await self._record("link.revoked", "ok", who, problem.code)
        there = await self._store.link(who.slack)
        if there is None or there.principal.version != who.version or not await self._store.remove_link(there):
            return
        event = LinkEvent("link.revoked", "ok", who.slack, who.identity, problem.code, principal=who)
        await self._observer.notify(event)
        record = f"link:{who.slack.key}"
        with contextlib.suppress(SealBroken):
            token = self._vault.open(there.sealed_refresh, record=record, name="refresh").decode()
            await self._revoker.discard(token)

    async def _saved(self, renewed: Link) -> bool:
        """Save, and try again while the database is away: until it is done the new token is in this process alone."""
        for pause in (*self._save_again, None):
            try:
                if await self._store.save(renewed):
                    return True
                # Or was it this very save, and only its answer got lost?
                there = await self._store.link(renewed.principal.slack)
                return there is not None and _sealed_in(there) == _sealed_in(renewed)
            except StoreUnavailable:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        return False

    async def _end_if_unlinked(self, who: Principal, refresh_token: str | None) -> None:
        """The link ended meanwhile, so the new token must too; or another process was first, and theirs counts."""
        there = await self._store.link(who.slack)
        if there is None or there.principal.version != who.version:
            await self._revoker.discard(refresh_token)
            raise NotLinked

    async def _bury(self, link: Link, dead: GrantDead) -> bool:
        """End a link whose grant is dead; False if it is not: another process may have spent the token and saved."""
        who = link.principal
        there = await self._store.link(who.slack)
        if there is None or (there.principal.version, there.generation) != (who.version, link.generation):
            return False
        await self._record("token.refused", "denied", who, dead.code)
        await self._record("link.revoked", "ok", who, dead.code)
        if not await self._store.remove_link(link):
            return False
        await self._observer.notify(LinkEvent("link.revoked", "ok", who.slack, who.identity, dead.code, principal=who))
        return True

    async def _record(
        self,
        type_: str,
        outcome: str,
        who: Principal,
        reason: str | None,
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
