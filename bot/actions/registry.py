"""The actions there are, by name; and `@action`, by which Python functions become one."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bot.actions.model import CONNECTION, Action, ActionResult, Call
from bot.actions.policy import Kind, Policy
from bot.errors import ActionUnknown, ConfigurationError
from oauth import Principal

_NAME = r"[a-z][a-z0-9_]{0,63}"
_MARK = "__countersign_action__"
_LONGEST = timedelta(days=1)
Function = Callable[..., Awaitable[ActionResult | str]]


class Registry:
    """A fixed set of actions. Two of one name are a mistake in the configuration."""

    def __init__(self, actions: Iterable[Action] = ()) -> None:
        """Raises ValueError that names whatever stands twice."""
        given = list(actions)
        self._actions = {one.name: one for one in given}
        names = [one.name for one in given]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two actions are named {', '.join(twice)}")

    def get(self, name: str) -> Action:
        """Raises ActionUnknown, with names like it."""
        found = self._actions.get(name)
        if found is None:
            raise ActionUnknown(name, tuple(difflib.get_close_matches(name, self._actions, 3)))
        return found

    def __iter__(self) -> Iterator[Action]:
        return iter(self._actions.values())

    def __len__(self) -> int:
        return len(self._actions)

    def open_to(self, principal: Principal) -> list[Action]:
        """What this person's grant reaches."""
        return [one for one in self._actions.values() if one.login_scopes <= principal.scopes]

    def wanted_of(self, connection: str) -> frozenset[str]:
        """All that the actions need of a third party together.

        An account is connected for all of them at once: connected anew for one, it might serve the others no more.
        """
        return frozenset().union(*(one.scopes for one in self._actions.values() if one.connection == connection))


def action(
    *,
    description: str,
    scopes: Iterable[str],
    audience: str | None = None,
    connection: str | None = None,
    sensitive: bool = True,
    approval: Kind | None = None,
    expires: timedelta = timedelta(minutes=15),
    idempotent: bool = False,
    policy: Policy | None = None,
    longest: timedelta | None = None,
) -> Callable[[Function], Function]:
    """Mark an async function `(call, *, name: type, …)` as an action; its keyword parameters are the action's.

    It gets the `Call`, token included, and returns an `ActionResult` or the text of one. Raises ConfigurationError,
    at import, for what cannot be an action, and for a sensitive one that nobody is to approve. With `connection` the
    token in the `Call` is that third party's. `policy` says who has to agree where `approval` and `expires` do not
    say enough. `longest` is how long a call may take, at most a day; two minutes where nothing is said.
    """
    if sensitive and approval == "none":
        raise ConfigurationError(['sensitive=True and approval="none" contradict each other; drop one of them.'])
    if connection is not None and audience is not None:
        raise ConfigurationError(["connection and audience contradict each other; drop one of them."])
    if connection is not None and not re.fullmatch(CONNECTION, connection):
        raise ConfigurationError(["connection must be the name of one at the identity provider."])
    if longest is not None and not timedelta(0) < longest <= _LONGEST:
        raise ConfigurationError(["longest must be more than nothing and at most a day."])
    options = {
        "description": description,
        "scopes": frozenset(scopes),
        "audience": audience,
        "sensitive": sensitive,
        "policy": policy or Policy(approval or ("self" if sensitive else "none"), expires=expires),
        "idempotent": idempotent,
        "connection": connection,
        "longest": longest,
    }

    def mark(function: Function) -> Function:
        _suits(function)
        setattr(function, _MARK, options)
        return function

    return mark


def marked(module: ModuleType) -> list[Action]:
    """The actions that a module's functions are marked as."""
    return [_of_function(f) for _, f in inspect.getmembers(module, inspect.iscoroutinefunction) if hasattr(f, _MARK)]


def _suits(function: Function) -> None:
    """Raises ConfigurationError for what cannot be called as an action: passed over, it would be missed too late."""
    name = getattr(function, "__qualname__", "?")
    if not inspect.iscoroutinefunction(function):
        raise ConfigurationError([f"{name} must be an async function."])
    if not re.fullmatch(_NAME, function.__name__):
        raise ConfigurationError([f"{name} must be named in small letters, digits and _, at most 64."])
    first, *rest = [*inspect.signature(function).parameters.values(), None]
    if first is None or first.kind not in {first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD}:
        raise ConfigurationError([f"{name} must take the call first."])
    for parameter in rest:
        if parameter is not None and (
            parameter.kind is not parameter.KEYWORD_ONLY or parameter.annotation is parameter.empty
        ):
            raise ConfigurationError([f"{name} must take {parameter.name} after a *, with its type."])


def _of_function(function: Any) -> Action:
    options: dict[str, Any] = getattr(function, _MARK)
    parameters: dict[str, Mapping[str, Any]] = {}
    adapters: dict[str, TypeAdapter[Any]] = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        adapters[name] = adapter = TypeAdapter(parameter.annotation)
        has_default = parameter.default is not inspect.Parameter.empty
        default = {"default": adapter.dump_python(parameter.default, mode="json")} if has_default else {}
        parameters[name] = adapter.json_schema() | default

    async def call(one: Call) -> ActionResult:
        try:
            values = {name: adapters[name].validate_python(value) for name, value in one.arguments.items()}
        except ValidationError:  # what its schema admits, its type may still refuse, such as the 30th of February
            return ActionResult(ok=False, text="A value does not fit what the action expects; nothing was done.")
        given = await function(one, **values)
        return given if isinstance(given, ActionResult) else ActionResult(ok=True, text=str(given))

    # The source is part of what was approved: a changed function is another action.
    definition = {
        "python": f"{function.__module__}.{function.__qualname__}",
        "source": inspect.getsource(function),
        "parameters": parameters,
        "scopes": sorted(options["scopes"]),
        "audience": options["audience"],
        **({"connection": options["connection"]} if options["connection"] is not None else {}),
    }
    return Action(name=function.__name__, parameters=parameters, definition=definition, call=call, **options)
