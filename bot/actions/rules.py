"""Exceptions to an action's policy, as CEL expressions over the arguments and the principal.

CEL (github.com/google/cel-spec) has no loops and no side effects, so an expression of the operator's ends. The library
is `common-expression-language`: it compares whole numbers with others as people expect, which the pure Python one does
not, and is imported only where there are rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from bot.actions.policy import Policy
from oauth import Principal

log = structlog.get_logger(__name__)

_KNOWN = {"arguments", "principal"}
_OWN_NAMES = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
_ARGUMENTS = re.compile(r"\barguments\.([A-Za-z_]\w*)")


class Program(Protocol):
    """A compiled expression."""

    def execute(self, context: dict[str, Any]) -> Any:
        """Its value."""


def compiled(expression: str, parameters: frozenset[str]) -> Program:
    """Raises ValueError with what is wrong with the expression, as the rest of a sentence."""
    import cel  # 0.15 s, for whoever has rules

    try:
        program = cel.compile(expression)
        unknown = sorted(set(program.variables()) - _KNOWN - set(_OWN_NAMES.findall(expression)))
    except Exception:
        raise ValueError(f"when is no CEL expression: {expression}") from None
    if unknown:
        raise ValueError(f"when names {', '.join(unknown)}; there are arguments.NAME and principal.NAME")
    # A slip of the pen would show at the first call only.
    if missing := sorted(set(_ARGUMENTS.findall(expression)) - parameters):
        raise ValueError(f"when names arguments.{missing[0]}, which is not among its parameters")
    return program


@dataclass(frozen=True, slots=True)
class CelRule:
    """One exception."""

    policy: Policy
    program: Program = field(repr=False, compare=False)

    def matches(self, arguments: Mapping[str, Any], principal: Principal) -> bool | None:
        """Whether it is for this call; None where that cannot be told."""
        try:
            found = self.program.execute({"arguments": dict(arguments), "principal": _facts(principal)})
        except Exception as error:
            log.warning("rule_failed", kind=type(error).__name__)
            return None
        return found if isinstance(found, bool) else None


def _facts(principal: Principal) -> dict[str, Any]:
    who = principal.identity
    return {
        "sub": str(principal.sub),
        "email": who.email or "",
        "org": who.org or "",
        "team": principal.slack.team,
        "user": principal.slack.user,
        "scopes": sorted(principal.scopes),
    }
