"""The lease on a link: one process at a time spends its refresh token, and a dead one's turn is over in seconds.

It is short, so that nobody waits long for who has died, and its holder prolongs it, so that a slow provider does not
end it. It is in the database, and so is its clock. What fences off a holder that was stopped for longer than that is
the generation of the link, which each save names.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from oauth.errors import StoreUnavailable
from oauth.models import Link, Pause, Principal
from oauth.ports import LinkStore

SECONDS = 6.0
BEAT = 2.0


class Held:
    """A lease that is ours. `link` is as it was when we got it.

    `unsettled` while the refresh token in the link may be spent and its successor is nowhere: a former holder died or
    gave up, or we have sent it and not saved the answer.
    """

    def __init__(self, link: Link, owner: str, until: float) -> None:
        self.link = link
        self.owner = owner
        self.until = until
        self.left = link.lease is not None and link.lease.left
        self.unsettled = self.left
        self.over = False

    def stands(self) -> bool:
        """Whether nobody else can have it yet, even if all that was sent to the database since got lost."""
        return asyncio.get_running_loop().time() < self.until

    def ended(self) -> None:
        """The save, or the end of the link, has ended it."""
        self.over = True


class Leases:
    """Gives out leases on links."""

    def __init__(self, store: LinkStore, pause: Pause = asyncio.sleep) -> None:
        """`pause` is how a holder waits until its next beat."""
        self._store = store
        self._pause = pause

    @asynccontextmanager
    async def hold(self, principal: Principal, *, take_over: bool = False) -> AsyncIterator[Held | None]:
        """The lease, prolonged until the end of the block; None if somebody else has it, or the link is another.

        `take_over` where a lease was seen on the link: it is had only if that one is over.
        """
        owner = secrets.token_hex(8)
        until = _from_now()
        if take_over:
            link = await self._store.take_over(principal, owner, SECONDS)
        else:
            link = await self._store.lease(principal, owner)
        if link is None or link.lease is None or link.lease.owner != owner:
            yield None
            return
        held = Held(link, owner, until)
        beats = asyncio.create_task(self._beat(held))
        try:
            yield held
        finally:
            beats.cancel()
            if not held.over:
                end = self._store.leave if held.unsettled else self._store.release
                with contextlib.suppress(StoreUnavailable):  # then it runs out
                    await end(principal, owner)

    async def _beat(self, held: Held) -> None:
        while True:
            await self._pause(BEAT)
            until = _from_now()
            with contextlib.suppress(StoreUnavailable):
                if not await self._store.prolong(held.link.principal, held.owner):
                    return
                held.until = until


def _from_now() -> float:
    return asyncio.get_running_loop().time() + SECONDS
