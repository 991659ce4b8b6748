"""One refresh after another, each in a process of its own that may be killed in the middle of it.

This process imports everything once and then only forks, before it has a loop, a thread or a connection. Its first
line of input says what to work with; each further one is an order and is answered with one line. It ends when its
input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib
import json
import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict, dataclass
from typing import Any

from oauth import AccessToken, IdentityRooms, Principal, SlackUser, leasing
from oauth.errors import GrantDead, NotLinked
from oauth.models import TokenRequest
from tests.faults.replica import Given
from tests.faults.standing import standing
from tests.faults.suspensions import Side, Suspensions

_LATE = ("anyio._backends._asyncio", "h11", "httpcore2", "truststore")  # imported at the first call otherwise
_BEAT = 0.002  # seconds, for a refresh of milliseconds
_PATIENCE = 60  # seconds after which a refresh that hangs ends its process


@dataclass(frozen=True, slots=True)
class Order:
    """A refresh for one person's link, and its end.

    At the suspension numbered `suspension`, or `seconds` after its beginning; with neither it is left alone. `warm`
    is a process that knows the provider's addresses and is connected to it. `takeover` is one that goes on at once
    where another has died, as a replica's round does, and that prolongs its lease all the time.
    """

    team: str
    user: str
    scopes: tuple[str, ...]
    audience: str
    suspension: int | None = None
    side: Side = "leaving"
    seconds: float | None = None
    warm: bool = False
    takeover: bool = False

    def as_line(self) -> bytes:
        """For the pipe."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: str) -> Order:
        """What `as_line` wrote."""
        fields = json.loads(line)
        return cls(**fields | {"scopes": tuple(fields["scopes"])})


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of it: whether it was killed, and what was seen by then.

    The provider's answer, good or bad; a token `given` to the caller; so many suspensions; and its length in seconds
    where it came to its end.
    """

    killed: bool
    answered: bool
    given: bool
    suspensions: int
    seconds: float

    def as_line(self) -> str:
        """For the pipe."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: bytes) -> Fate:
        """What `as_line` wrote."""
        return cls(**json.loads(line))


class Marks(ctypes.Structure):
    """What a process that is killed leaves behind, in memory that it shares with this one: `Fate` says what it is."""

    _fields_ = (
        ("answered", ctypes.c_bool),
        ("given", ctypes.c_bool),
        ("suspensions", ctypes.c_uint32),
        ("seconds", ctypes.c_double),
    )

    @classmethod
    def shared(cls) -> Marks:
        """Blank."""
        return cls.from_buffer(mmap.mmap(-1, ctypes.sizeof(cls)))

    def suspended(self, count: int) -> None:
        """So many suspensions by now."""
        self.suspensions = count

    def fate(self, *, killed: bool) -> Fate:
        """Of the process that is no more."""
        return Fate(killed, self.answered, self.given, self.suspensions, self.seconds)


def main() -> None:
    """Carry out what is ordered, one at a time."""
    for name in _LATE:
        importlib.import_module(name)
    given = Given.from_line(sys.stdin.readline())
    for line in sys.stdin:
        sys.stdout.write(_carried_out(given, Order.from_line(line)).as_line())
        sys.stdout.flush()


def _carried_out(given: Given, order: Order) -> Fate:
    marks = Marks.shared()
    begun, told = os.pipe()
    child = os.fork()
    if not child:
        _live(given, order, marks, told)
    os.close(told)
    if os.read(begun, 1) and order.seconds is not None:
        time.sleep(order.seconds)
        os.kill(child, signal.SIGKILL)
    os.close(begun)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not killed and status:
        sys.exit(f"a refresh has failed by itself ({status})")
    return marks.fate(killed=killed)


def _live(given: Given, order: Order, marks: Marks, told: int) -> None:
    """The child's whole life."""
    signal.alarm(_PATIENCE)
    try:
        asyncio.run(_refresh(given, order, marks, told))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


async def _refresh(given: Given, order: Order, marks: Marks, told: int) -> None:
    async with standing(given) as replica:
        rooms = replica.rooms
        principal = await rooms.links.principal(SlackUser(order.team, order.user))
        if principal is None:  # somebody else was first to find its grant dead
            os._exit(0)
        if order.warm:
            await rooms.provider.metadata()
        rooms.provider.refresh = _noted(rooms.provider.refresh, marks)  # type: ignore[method-assign, assignment]
        loop = asyncio.get_running_loop()
        Suspensions(marks.suspended, order.suspension, order.side).watch(loop)
        os.write(told, b".")
        began = time.perf_counter()
        with contextlib.suppress(GrantDead, NotLinked):
            marks.given = await loop.create_task(_token(rooms, principal, order)) is not None
        marks.seconds = time.perf_counter() - began
        if order.seconds is not None:
            signal.pause()
        os._exit(0)


def _token(rooms: IdentityRooms, principal: Principal, order: Order) -> Coroutine[Any, Any, AccessToken | None]:
    scopes = frozenset(order.scopes)
    if order.takeover:
        leasing.BEAT = _BEAT
        return rooms.refresher.refresh(principal, TokenRequest(order.audience, scopes), take_over=True)
    return rooms.broker.token(principal, scopes, order.audience)


def _noted(refresh: Callable[..., Awaitable[Any]], marks: Marks) -> Callable[..., Awaitable[Any]]:
    async def noted(*args: Any, **kwargs: Any) -> Any:
        try:
            given = await refresh(*args, **kwargs)
        except GrantDead:
            marks.answered = True
            raise
        marks.answered = True
        return given

    return noted


if __name__ == "__main__":
    main()
