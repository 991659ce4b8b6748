"""All actions of one bot: those of the file and those of Python modules."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bot.actions import file
from bot.actions.http import Http
from bot.actions.model import Action
from bot.actions.registry import Registry, marked
from bot.errors import ConfigurationError


def gather(path: Path | None, modules: Iterable[str], http: Http, audience: str | None = None) -> Registry:
    """The registry. An action that names `audience`, the API of the login, is as one that names none.

    Raises ConfigurationError, a line for each mistake.
    """
    found: list[Action] = list(file.load(path, http)) if path else []
    problems: list[str] = []
    for name in modules:
        try:
            # A module may hand on what another one has marked: one function is one action.
            found += [
                one
                for one in marked(importlib.import_module(name))
                if one.definition not in [other.definition for other in found]
            ]
        except ConfigurationError as error:
            problems += [f"ACTIONS_MODULES: {name}: {line}" for line in error.problems]
        except Exception as error:  # whatever a module does when it is imported
            problems.append(f"ACTIONS_MODULES: {name} cannot be imported ({type(error).__name__}).")
    if not problems:
        try:
            return Registry([replace(one, audience=None) if one.audience == audience else one for one in found])
        except ValueError as error:
            problems.append(f"ACTIONS_FILE, ACTIONS_MODULES: {error}. Rename one of them.")
    raise ConfigurationError(problems)
