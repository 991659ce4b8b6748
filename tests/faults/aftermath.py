"""What is left of a refresh that was killed, and what the replicas that live make of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.sandbox.tenant.state import hashed
from oauth import AccessToken, IdentityError, utc_now
from oauth.models import access_field
from tests.faults.doomed import Fate
from tests.faults.scene import AUDIENCE, DEAD, READ, Linked, Scene
from tests.faults.standing import Standing

SETTLED = 0.5  # seconds until what a process had sent before its death has arrived
PATIENCE = 20.0  # seconds, far less than the overlap: the lease of the dead one, a replica's round, the refresh
_LOOK = 0.5


class Phase(StrEnum):
    """How far it had come, as the database and the provider saw it.

    With `SENT` the provider has spent the refresh token, with `ANSWERED` its answer was in the process that died, and
    with `ENDED` that process had found the grant dead and the link is gone.
    """

    BEFORE_LEASE = "before_lease"
    LEASED = "leased"
    SENT = "sent"
    ANSWERED = "answered"
    SAVED = "saved"
    ENDED = "ended"


OF_A_REFRESH = frozenset(Phase) - {Phase.ENDED}
SPENT = frozenset({Phase.SENT, Phase.ANSWERED})
INTERRUPTED = SPENT | {Phase.LEASED}


@dataclass(frozen=True, slots=True)
class Kill:
    """One refresh, and what became of its process."""

    linked: Linked
    fate: Fate
    at: datetime


@dataclass(slots=True)
class Outcome:
    """What became of the link.

    `settled`: after so many seconds nothing was left to do, although nobody had asked; `waited`: so long did somebody
    wait who asked at once.
    """

    kill: Kill
    phase: Phase
    kept: bool = False
    told: int = 0
    settled: float | None = None
    waited: float | None = None
    flaws: list[str] = field(default_factory=list)

    def flaw(self, sentence: str) -> None:
        """A promise that was not kept."""
        self.flaws.append(f"{self.kill.linked.key}, killed {self.phase}: {sentence}")

    @property
    def since(self) -> float:
        """Seconds since the kill."""
        return (utc_now() - self.kill.at) / timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """Follows kills to their end."""

    scene: Scene

    async def follow(self, kill: Kill, *, impatient: bool) -> Outcome:
        """Look what is left; have it asked for at once, or leave it to the others' rounds; then ask, and look again."""
        await asyncio.sleep(SETTLED)
        outcome = Outcome(kill, await self._phase(kill))
        if not impatient and (outcome.phase in INTERRUPTED or kill.linked.left):
            await self._unasked(outcome)
        one, other = self.scene.survivors
        given = await _asked(one, kill.linked)
        if impatient:
            outcome.waited = outcome.since
            if outcome.waited > PATIENCE:
                outcome.flaw("kept its caller waiting")
        there, calls = await self._document(kill.linked), len(kill.linked.family.tokens)
        again = [await _asked(replica, kill.linked) for replica in (other, one)]
        if len(kill.linked.family.tokens) != calls:
            outcome.flaw("was refreshed again without need")
        outcome.kept = there is not None
        outcome.told = self._told(kill.linked)
        if there is None:
            self._gone(outcome, given, again)
        else:
            self._there(outcome, there, given, again)
        return outcome

    async def _phase(self, kill: Kill) -> Phase:
        there = await self._document(kill.linked)
        if there is None:
            return Phase.ENDED
        if there["generation"]:
            return Phase.SAVED
        if kill.linked.spent:
            return Phase.ANSWERED if kill.fate.answered else Phase.SENT
        return Phase.LEASED if (there["lease"] or {}).get("owner", DEAD) != DEAD else Phase.BEFORE_LEASE

    async def _unasked(self, outcome: Outcome) -> None:
        """Wait until nobody has to ask any more."""
        while outcome.since < PATIENCE:
            there = await self._document(outcome.kill.linked)
            if there is None or (there["generation"] and there["lease"] is None):
                outcome.settled = outcome.since
                return
            await asyncio.sleep(_LOOK)
        outcome.flaw("was left alone by the replicas that live")

    async def _document(self, linked: Linked) -> dict[str, Any] | None:
        return await self.scene.survivors[0].database["links"].find_one({"_id": linked.key})

    def _there(
        self, outcome: Outcome, there: Mapping[str, Any], given: AccessToken | str, again: Sequence[AccessToken | str]
    ) -> None:
        linked, vault = outcome.kill.linked, self.scene.vault
        if not isinstance(given, AccessToken):
            outcome.flaw(f"has no token: {given}")
        elif any(not isinstance(token, AccessToken) or token.value != given.value for token in again):
            outcome.flaw("another replica has another token, or none")
        else:
            self._fits(outcome, given.value, READ)
        if there["lease"] is not None:
            outcome.flaw("a lease is left")
        record = f"link:{linked.key}"
        name = hashed(vault.open(there["refresh"], record=record, name="refresh").decode())
        if name not in linked.family.tokens or not self.scene.tenant.state.live(linked.family):
            outcome.flaw("the refresh token is of no use any more")
        elif linked.family.tokens[name] is not None:
            outcome.flaw("the refresh token is spent")
        for access in there["access"]:
            scopes = frozenset(access["scopes"])
            name = access_field(there["version"], access["audience"], scopes)
            self._fits(outcome, vault.open(access["sealed"], record=record, name=name).decode(), scopes)
        if outcome.told:
            outcome.flaw("lives, and its person was told that it ended")

    def _gone(self, outcome: Outcome, given: AccessToken | str, again: Sequence[AccessToken | str]) -> None:
        linked = outcome.kill.linked
        if self.scene.overlap or (outcome.phase not in SPENT and not linked.left):
            outcome.flaw("was lost without need")
        if given not in {"grant_dead", "not_linked"} or again != ["not_linked", "not_linked"]:
            outcome.flaw("is acted for after its end")
        if self.scene.tenant.state.live(linked.family):
            outcome.flaw("has ended, and its grant lives")
        if outcome.told != 1 and (outcome.told or outcome.phase is not Phase.ENDED):  # the dead one was to tell
            outcome.flaw(f"ended, and its person was told {outcome.told} times")

    def _fits(self, outcome: Outcome, token: str, scopes: frozenset[str]) -> None:
        """Whether a token is of this grant, and for no more than what was asked; a round asks for no scope."""
        claims = self.scene.tenant.state.signer.verified(token) or {}
        families = {one.family for one in self.scene.tenant.issued if one.jti == claims.get("jti")}
        named = frozenset(str(claims.get("scope")).split()) - {"openid"}
        audiences = claims.get("aud")
        if families != {outcome.kill.linked.family.id} or claims.get("sub") != outcome.kill.linked.principal.sub:
            outcome.flaw("holds a token of somebody else")
        if named != scopes or scopes not in {READ, frozenset()} or AUDIENCE not in [audiences, *(audiences or [])]:
            outcome.flaw("holds a token for something else")

    def _told(self, linked: Linked) -> int:
        events = [event for survivor in self.scene.survivors for event in survivor.told]
        return sum(event.type == "link.revoked" and event.slack == linked.principal.slack for event in events)


async def _asked(replica: Standing, linked: Linked) -> AccessToken | str:
    """A new caller's token, or the reason why there is none."""
    try:
        return await replica.rooms.broker.token(linked.principal, READ, AUDIENCE)
    except IdentityError as refused:
        return refused.code
