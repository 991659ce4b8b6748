"""The actions there are, by name; and `@action`, by which Python functions become one."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter

from bot.actions.model import Action, ActionResult, Approval, Call
from bot.errors import ActionUnknown
from oauth import Principal

_MARK = "__countersign_action__"
Function = Callable[..., Awaitable[ActionResult | str]]


class Registry:
    """A fixed set of actions. Two of one name are a mistake in the configuration."""

    def __init__(self, actions: Iterable[Action] = ()) -> None:
        """Raises ValueError if a name stands twice."""
        self._actions: dict[str, Action] = {}
        for one in actions:
            if one.name in self._actions:
                raise ValueError(f"two actions are named {one.name}")
            self._actions[one.name] = one

    def get(self, name: str) -> Action:
        """Raises ActionUnknown, with names like it."""
        found = self._actions.get(name)
        if found is None:
            raise ActionUnknown(name, tuple(difflib.get_close_matches(name, self._actions, 3)))
        return found

    def __iter__(self) -> Any:
        return iter(self._actions.values())

    def __len__(self) -> int:
        return len(self._actions)

    def open_to(self, principal: Principal) -> list[Action]:
        """What this person's grant reaches."""
        return [one for one in self._actions.values() if one.scopes <= principal.scopes]


def action(
    *,
    description: str,
    scopes: Iterable[str],
    audience: str | None = None,
    sensitive: bool = True,
    approval: Approval | None = None,
    expires: timedelta = timedelta(minutes=15),
    idempotent: bool = False,
) -> Callable[[Function], Function]:
    """Mark an async function `(call, *, name: type, …)` as an action; its keyword parameters are the action's.

    It gets the `Call`, token included, and returns an `ActionResult` or the text of one.
    """
    options = {
        "description": description,
        "scopes": frozenset(scopes),
        "audience": audience,
        "sensitive": sensitive,
        "approval": approval or ("self" if sensitive else "none"),
        "expires": expires,
        "idempotent": idempotent,
    }

    def mark(function: Function) -> Function:
        setattr(function, _MARK, options)
        return function

    return mark


def marked(module: ModuleType) -> list[Action]:
    """The actions that a module's functions are marked as."""
    return [_of_function(f) for _, f in inspect.getmembers(module, inspect.iscoroutinefunction) if hasattr(f, _MARK)]


def _of_function(function: Any) -> Action:
    options: dict[str, Any] = getattr(function, _MARK)
    parameters: dict[str, Mapping[str, Any]] = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        schema = TypeAdapter(parameter.annotation).json_schema()
        has_default = parameter.default is not inspect.Parameter.empty
        parameters[name] = schema | ({"default": parameter.default} if has_default else {})

    async def call(one: Call) -> ActionResult:
        given = await function(one, **one.arguments)
        return given if isinstance(given, ActionResult) else ActionResult(ok=True, text=str(given))

    # The source is part of what was approved: a changed function is another action.
    definition = {
        "python": f"{function.__module__}.{function.__qualname__}",
        "source": inspect.getsource(function),
        "parameters": parameters,
        "scopes": sorted(options["scopes"]),
        "audience": options["audience"],
    }
    return Action(name=function.__name__, parameters=parameters, definition=definition, call=call, **options)
