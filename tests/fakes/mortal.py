"""A replica that may die at any of its steps: before one is made, or after it, when the answer comes to nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from bot.actions import Action, ActionResult, Call
from tests.fakes.runner import FakeLinks, Replica, World


class Death(BaseException):
    """The process is gone. Nothing catches it, and whatever it does on its way out comes to nothing, too."""


class Fuse:
    """Burns with each step; at nothing the process dies. None never burns out."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.dead = False

    def burn(self) -> None:
        """One step closer. Raises Death."""
        if self.left is not None and not self.dead:
            self.left -= 1
            self.dead = self.left < 0
        if self.dead:
            raise Death


class Mortal:
    """Whatever a process reaches over a line: each method that is awaited may be its last."""

    def __init__(self, real: Any, fuse: Fuse) -> None:
        self._real = real
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name in {"unsettled", "entries"}:
            return self._iterated(found)
        return self._mortal(found) if callable(found) and name != "now" else found

    def _mortal(self, found: Callable[..., Any]) -> Callable[..., Any]:
        async def called(*args: Any, **named: Any) -> Any:
            self._fuse.burn()
            answer = await found(*args, **named)
            self._fuse.burn()
            return answer

        return called

    def _iterated(self, found: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def iterated(*args: Any, **named: Any) -> AsyncIterator[Any]:
            async for one in found(*args, **named):
                self._fuse.burn()
                yield one

        return iterated


def mortal(world: World, actions: list[Action]) -> tuple[Replica, Fuse]:
    """One more process of this world, and what it lives by."""
    fuse = Fuse()
    own = replace(
        world,
        store=Mortal(world.store, fuse),
        audit=Mortal(world.audit, fuse),
        cards=Mortal(world.cards, fuse),
        histories=Mortal(world.histories, fuse),
        links=FakeLinks(),  # a new world links its people; in this one they may have other links by now
        actions=[replace(one, call=_mortal_call(one, fuse)) for one in actions],
    )
    own.links = world.links
    own.tokens = world.tokens
    return own.replica(), fuse


def _mortal_call(action: Action, fuse: Fuse) -> Callable[[Call], Any]:
    async def call(made: Call) -> ActionResult:
        fuse.burn()
        answer = await action.call(made)
        fuse.burn()
        return answer

    return call
